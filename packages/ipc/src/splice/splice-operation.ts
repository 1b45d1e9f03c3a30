import type { Cpu } from '@rpal/hw-x86';
import type { WaitQueue } from '@rpal/sched';
import { Errno, Signal } from '@rpal/uapi';
import { Pending, RetryOperation } from '@rpal/vfs';

/** A call that moves pages between files, and may have to wait for the one or for the other. */
export abstract class SpliceOperation extends RetryOperation {
  #queue: WaitQueue | null = null;

  protected override get queue(): WaitQueue {
    return this.#queue as WaitQueue;
  }

  /** What an attempt ends with that comes no further before something happens at `queue`. */
  protected waitAt(queue: WaitQueue, mayWait: boolean): number {
    this.#queue = queue;
    return mayWait ? Pending.NOTHING_YET : -Errno.EAGAIN;
  }

  /** What an attempt ends with when nobody will read the pipe. */
  protected brokenPipe(cpu: Cpu): number {
    this.caller.raise(cpu, Signal.PIPE);
    return -Errno.EPIPE;
  }
}
