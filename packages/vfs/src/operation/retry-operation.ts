import type { Cpu } from '@rpal/hw-x86';
import { autoremoveWake, type Scheduler, TaskState, WaitEntry, type WaitQueue } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import type { Caller } from './caller.js';
import { type Operation, Pending } from './operation.js';
import { WaitLimit } from './wait-limit.js';

/** How a call waits: one wake-up is for one exclusive waiter, and for all others (Linux: WQ_FLAG_EXCLUSIVE). */
export const Waiter = { NONEXCLUSIVE: false, EXCLUSIVE: true } as const;

/** A call that is attempted, and attempted again after each wake-up, until it has a result or a signal comes. */
export abstract class RetryOperation implements Operation {
  protected readonly caller: Caller;
  readonly #scheduler: Scheduler;
  readonly #entry: WaitEntry;
  /** Where it waits; null while it does not. */
  #queue: WaitQueue | null = null;
  /** Of one that has not all the time in the world. */
  #limit: WaitLimit | null = null;

  /** @param exclusive of `Waiter` @param events wake-ups for others only are not for it; 0: all are */
  constructor(caller: Caller, scheduler: Scheduler, exclusive: boolean, events = 0) {
    this.caller = caller;
    this.#scheduler = scheduler;
    const wake = autoremoveWake(scheduler);
    this.#entry = new WaitEntry(
      events === 0 ? wake : (cpu, entry, key, sync) => (key !== 0 && (key & events) === 0 ? 0 : wake(cpu, entry, key, sync)),
      caller.task,
    );
    this.#entry.exclusive = exclusive;
  }

  /** @returns the result, or `Pending.NOTHING_YET` to wait on `queue` */
  protected abstract attempt(cpu: Cpu): number;

  protected abstract get queue(): WaitQueue;

  /** How long it waits at most, nanoseconds; 0: for as long as it takes; negative: not at all. */
  protected get patience(): number {
    return 0;
  }

  /** The result if a signal, or its patience, ends the wait. @param error what it is if nothing has been done yet */
  protected interrupted(_cpu: Cpu, error: number): number {
    return error;
  }

  /** The call is about to sleep. */
  protected prepare(_cpu: Cpu): void {}

  step(cpu: Cpu): number {
    const { task } = this.caller;
    if (this.#queue !== null) {
      task.state = TaskState.RUNNING;
      this.#queue.remove(cpu, this.#entry);
      this.#queue = null;
    }
    const result = this.attempt(cpu);
    if (result !== Pending.NOTHING_YET) {
      this.#limit?.stop();
      return result;
    }
    const error = this.#impatient(cpu);
    if (error !== 0) return this.interrupted(cpu, error);
    this.prepare(cpu);
    const { queue } = this;
    task.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, queue);
    this.#queue = queue;
    // First come, first served, whether or not a wake-up is for one.
    queue.addTail(cpu, this.#entry);
    return Pending.SLEEP;
  }

  /** Why it does not wait any longer: a negative errno; 0 if it does. */
  #impatient(cpu: Cpu): number {
    const { task } = this.caller;
    const { patience } = this;
    if (patience === 0) return task.signalPending ? -Errno.ERESTARTSYS : 0;
    this.#limit ??= new WaitLimit(task, this.#scheduler);
    return this.#limit.check(cpu, patience);
  }
}
