import type { CoreClock } from '../time/core-clock.js';
import { type CacheEnvironment, Caches } from './caches.js';
import { CoherenceDirectory, type Topology, type TransferCost } from './coherence.js';
import { isDevice } from './device-windows.js';

/** A model of data caches for a machine. Given as an object, so that a program which has none does not carry it. */
export interface CacheModel {
  /** The caches of one machine. */
  build(environment: CacheEnvironment): Caches;
  /** The directory that passes accesses on to the caches. */
  coherence(topology: Topology, transfer: TransferCost, caches: Caches): CoherenceDirectory;
}

/** Data caches line by line. */
export const dataCaches: CacheModel = {
  build: (environment) => new Caches(environment),
  coherence: (topology, transfer, caches) => new CachedCoherence(topology, transfer, caches),
};

/** Replaces the directory where caches are modelled line by line: the caches price every access. */
class CachedCoherence extends CoherenceDirectory {
  readonly #caches: Caches;

  constructor(topology: Topology, transfer: TransferCost, caches: Caches) {
    super(topology, transfer);
    this.#caches = caches;
  }

  /** No core ever owns a whole frame, so that every access comes to `touch`. */
  override frameOwner(): number {
    return -1;
  }

  override holds(): boolean {
    return false;
  }

  override touch(cpu: CoreClock, address: number, write: boolean): void {
    if (!isDevice(address)) this.#caches.access(cpu, address, write);
  }

  override claim(cpu: CoreClock, frame: number): void {
    this.#caches.fill(cpu, frame);
  }
}
