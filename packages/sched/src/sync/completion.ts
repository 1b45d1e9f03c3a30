import type { Cpu } from '@rpal/hw-x86';
import { type Task, TaskState, type WaitTarget } from '../core/task.js';
import type { Waker } from '../core/wake-up.js';
import { autoremoveWake, WaitEntry, WaitQueue } from './wait-queue.js';

/** Something to be done, and waited for until it is (Linux: `struct completion`). @public for kernel paths of plugins */
export class Completion implements WaitTarget {
  readonly #wait: WaitQueue = new WaitQueue('completion');
  readonly #waker: Waker;
  /** How many more waiters may pass; Infinity after `completeAll`. */
  done = 0;

  constructor(waker: Waker) {
    this.#waker = waker;
  }

  /**
   * Passes if it is done, or prepares `task` to wait.
   * @returns true if it is done; else the caller calls `schedule()` and then tries again
   */
  wait(cpu: Cpu, task: Task): boolean {
    if (this.done > 0) {
      this.done--;
      task.state = TaskState.RUNNING;
      return true;
    }
    const entry = new WaitEntry(autoremoveWake(this.#waker), task);
    entry.exclusive = true;
    this.#wait.add(cpu, entry);
    task.prepareToSleep(cpu, TaskState.UNINTERRUPTIBLE, this);
    return false;
  }

  /** Lets one waiter pass, now or when it comes. */
  complete(cpu: Cpu): void {
    this.done++;
    this.#wait.wakeOne(cpu);
  }

  /** Lets everybody pass from now on. */
  completeAll(cpu: Cpu): void {
    this.done = Number.POSITIVE_INFINITY;
    this.#wait.wakeAll(cpu);
  }

  describe(): string {
    return 'completion';
  }

  /** Makes later waiters wait again (Linux: `reinit_completion`). */
  reinit(): void {
    this.done = 0;
  }
}
