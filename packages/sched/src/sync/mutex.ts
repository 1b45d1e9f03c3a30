import type { Cpu } from '@rpal/hw-x86';
import { type Task, TaskState } from '../core/task.js';
import type { Scheduler } from '../scheduler.js';
import { autoremoveWake, WaitEntry, WaitQueue } from './wait-queue.js';

/** A sleeping lock (Linux: `struct mutex`), first come, first served. */
export class Mutex {
  owner: Task | null = null;
  readonly #wait: WaitQueue = new WaitQueue();
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /**
   * Takes the lock, or prepares `task` to wait for it.
   * @returns true if it was taken; else the caller calls `schedule()` and then tries again
   */
  lock(cpu: Cpu, task: Task): boolean {
    if (this.owner === null || this.owner === task) {
      this.owner = task;
      task.state = TaskState.RUNNING;
      return true;
    }
    const entry = new WaitEntry(autoremoveWake(this.#scheduler), task);
    entry.exclusive = true;
    this.#wait.add(cpu, entry);
    task.state = TaskState.UNINTERRUPTIBLE;
    return false;
  }

  unlock(cpu: Cpu): void {
    this.owner = null;
    if (this.#wait.active) this.#wait.wake(cpu, 1, 0, false);
  }
}
