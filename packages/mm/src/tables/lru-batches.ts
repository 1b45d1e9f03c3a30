import type { Cpu } from '@rpal/hw-x86';
import { MmStep } from '../steps.js';

/** Pages that a CPU gathers before it puts them on the list of those in use (Linux: `PAGEVEC_SIZE`). */
const BATCH = 31;

/** New pages on their way to the LRU list, by CPU: they are put there all together (Linux: `folio_add_lru`, `lru_add_drain`). */
export class LruBatches {
  readonly #waiting: Uint8Array;

  /** @param cpus of the machine */
  constructor(cpus: number) {
    this.#waiting = new Uint8Array(cpus);
  }

  /** A page that a fault has made. */
  add(cpu: Cpu): void {
    const waiting = (this.#waiting[cpu.id] as number) + 1;
    this.#waiting[cpu.id] = waiting;
    if (waiting === BATCH) this.drain(cpu);
  }

  /** Puts those that wait on the list: before pages are taken down, they must be there. */
  drain(cpu: Cpu): void {
    cpu.chargeTimes(MmStep.lruAdd, this.#waiting[cpu.id] as number);
    this.#waiting[cpu.id] = 0;
  }
}
