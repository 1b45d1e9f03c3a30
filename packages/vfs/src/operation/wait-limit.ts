import type { Cpu } from '@rpal/hw-x86';
import { type Scheduler, SleepTimer, type Task } from '@rpal/sched';
import { Errno } from '@rpal/uapi';

/** A time after which a call waits no longer, whatever it was for (SO_RCVTIMEO, SO_SNDTIMEO). */
export class WaitLimit {
  readonly #task: Task;
  readonly #timer: SleepTimer;
  #running = false;
  #over = false;

  constructor(task: Task, scheduler: Scheduler) {
    this.#task = task;
    this.#timer = new SleepTimer(scheduler, (cpu) => {
      this.#over = true;
      scheduler.wakeUp(cpu, task);
    });
  }

  /**
   * Asked before each sleep of a call. The time begins with the first.
   * @param ns how long it may be in all; negative: not at all @returns 0, or why it does not sleep: -EAGAIN, or -EINTR, since a call with a limit is not made again
   */
  check(cpu: Cpu, ns: number): number {
    const error = this.#over || ns < 0 ? -Errno.EAGAIN : this.#task.signalPending ? -Errno.EINTR : 0;
    if (error !== 0) this.stop();
    else if (!this.#running) this.#timer.start(cpu, ns);
    this.#running = error === 0;
    return error;
  }

  /** The call is over. */
  stop(): void {
    if (this.#running) this.#timer.stop();
    this.#running = false;
    this.#over = false;
  }
}
