import type { Cpu } from '@rpal/hw-x86';
import { type Operation, Pending } from '@rpal/vfs';
import type { RpalService } from './service.js';
import type { RpalTask } from './thread.js';

/**
 * A part of an operation, in one step. @returns the result, which ends the operation; `Pending.AGAIN`: the next phase follows;
 * `Pending.SLEEP`: the thread is about to wait, and the phase is tried again
 */
export type Phase = (cpu: Cpu) => number;

/** A long operation on a service: lock, phases, unlock. */
export class LockedOperation implements Operation {
  readonly #thread: RpalTask;
  readonly #service: RpalService;
  /** What takes the lock, and its patch. */
  readonly #site: string;
  readonly #phases: readonly Phase[];
  #next = -1;

  constructor(thread: RpalTask, service: RpalService, site: string, phases: readonly Phase[]) {
    this.#thread = thread;
    this.#service = service;
    this.#site = site;
    this.#phases = phases;
  }

  step(cpu: Cpu): number {
    const { mutex } = this.#service;
    if (this.#next < 0) {
      if (!mutex.lock(cpu, this.#thread, this.#site)) return Pending.SLEEP;
      this.#next = 0;
    }
    const phase = this.#phases[this.#next] as Phase;
    const result = phase(cpu);
    if (result === Pending.SLEEP) return result;
    this.#next++;
    if (result !== Pending.AGAIN) mutex.unlock(cpu);
    return result;
  }
}
