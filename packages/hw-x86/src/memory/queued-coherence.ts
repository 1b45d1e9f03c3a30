import { HwStep } from '../costs/steps.js';
import type { CoreClock } from '../time/core-clock.js';
import { CACHE_LINE } from './address.js';
import { CoherenceDirectory, type Topology, type TransferCost } from './coherence.js';

/**
 * Who has which line of a machine's memory. Given as an object, so that a program which needs none of them does not carry it. @public for
 * platforms' option `coherence`
 */
export interface CoherenceModel {
  build(topology: Topology, transfer: TransferCost): CoherenceDirectory;
}

/**
 * A line moves to one core at a time. A core that asks while it is on its way to another one waits until it has arrived there: so
 * n cores that write one line wait for n transfers, and so do n cores that read what one of them has written. On AMD's HyperTransport
 * processors the home node of a line blocks further requests for it until the one before is done; on a front-side bus they are put off.
 *
 * What a core stores into a line that it had to fetch is seen by others no earlier than the line has come to it, although the store and
 * its transfer are one step of the model: whoever looks meanwhile waits, too. @public for programs in which cores contend for lines
 */
export const queuedLines: CoherenceModel = {
  build: (topology, transfer) => new QueuedCoherence(topology, transfer),
};

class QueuedCoherence extends CoherenceDirectory {
  readonly #transfer: TransferCost;
  readonly #cores: number;
  /** When the line's last transfer is over, TSC cycles; lines by their number. Those that have never moved are not in it. */
  readonly #arrival: Map<number, number> = new Map();

  constructor(topology: Topology, transfer: TransferCost) {
    super(topology, transfer);
    this.#transfer = transfer;
    this.#cores = topology.cores;
  }

  protected override bring(cpu: CoreClock, frame: number, address: number, write: boolean): void {
    const line = Math.floor(address / CACHE_LINE);
    const wait = (this.#arrival.get(line) ?? 0) - cpu.clock;
    if (wait > 0) cpu.chargeCycles(HwStep.lineQueued, wait);
    super.bring(cpu, frame, address, write);
    this.#arrival.set(line, cpu.clock);
  }

  /** The nearest sharer's copy comes, but a writer waits for the answer of the farthest. */
  protected override supplier(lines: Int32Array, first: number, cpu: CoreClock, write: boolean): number {
    let found = -1;
    let price = 0;
    for (let core = 0; core < this.#cores; core++) {
      if (core === cpu.core || ((lines[first + (core >>> 5)] as number) & (1 << (core & 31))) === 0) continue;
      const cycles = this.#transfer.price(cpu.core, core);
      if (found >= 0 && (write ? cycles <= price : cycles >= price)) continue;
      found = core;
      price = cycles;
    }
    return found;
  }
}
