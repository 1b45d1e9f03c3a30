import type { Cpu } from '@rpal/hw-x86';
import type { Scheduler } from '@rpal/sched';

/**
 * What is left, on each CPU, of what its predictors and caches had learnt of the library's code. A return from the kernel finds
 * the prediction lost that hides how long a value takes from a store to the next load of it: each local variable on the stack pays that. A switch
 * to another task has displaced the code, too.
 */
export class Warmth {
  readonly #scheduler: Scheduler;
  /** By CPU: returns to user mode, and switches, when the code last began. */
  readonly #userEntries: Float64Array;
  readonly #switches: Float64Array;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
    const { length } = scheduler.platform.cpus;
    this.#userEntries = new Float64Array(length).fill(-1);
    this.#switches = new Float64Array(length).fill(-1);
  }

  /** A way through the library begins on `cpu`: charges what it finds cold. */
  begin(cpu: Cpu, reload: number, refetch: number): void {
    const { id, userEntries } = cpu;
    const { switches } = this.#scheduler.runQueue(cpu);
    if (this.#userEntries[id] !== userEntries) cpu.charge(reload);
    if (this.#switches[id] !== switches) cpu.charge(refetch);
    this.#userEntries[id] = userEntries;
    this.#switches[id] = switches;
  }
}
