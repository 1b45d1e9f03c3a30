import type { Cpu } from '@rpal/hw-x86';
import { type Scheduler, SleepTimer, sleepSlack, TaskState } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { OperationKind, Pending } from '@rpal/vfs';
import type { RestartBlock, Thread } from '../process/thread.js';

export const SLEEP: OperationKind<SleepOperation> = new OperationKind('nanosleep');

/** nanosleep. */
export class SleepOperation implements RestartBlock {
  readonly #thread: Thread;
  readonly #timer: SleepTimer;
  #expired = false;

  constructor(scheduler: Scheduler, thread: Thread) {
    this.#thread = thread;
    this.#timer = new SleepTimer(scheduler, (cpu) => {
      this.#expired = true;
      scheduler.wakeUp(cpu, thread);
    });
  }

  start(cpu: Cpu, ns: number): this {
    this.#expired = false;
    this.#timer.start(cpu, ns, sleepSlack(this.#thread));
    return this;
  }

  /**
   * A signal ends it with EINTR if a handler runs. Otherwise, for instance after a stop, it goes on; the timer has run meanwhile.
   */
  step(cpu: Cpu): number {
    const thread = this.#thread;
    if (this.#expired) return 0;
    if (thread.signalPending) {
      thread.restartBlock = this;
      return -Errno.ERESTART_RESTARTBLOCK;
    }
    thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, this.#timer);
    return Pending.SLEEP;
  }

  abandon(): void {
    this.#timer.stop();
  }
}
