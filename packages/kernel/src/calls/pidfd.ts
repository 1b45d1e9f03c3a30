import type { Cpu } from '@rpal/hw-x86';
import { TaskState } from '@rpal/sched';
import { OpenFlag, Poll } from '@rpal/uapi';
import { File, type PollTable } from '@rpal/vfs';
import type { Process } from '../process/process.js';
import type { Thread } from '../process/thread.js';

/** pidfd_open: for one thread, not for its process (it is O_EXCL). */
export const PIDFD_THREAD: number = OpenFlag.EXCL;

/** A process, or one of its threads, as a file (kernel/pid.c): readable once it has ended, hung up once it has been reaped. */
export class PidFd extends File {
  readonly process: Process;
  /** The thread that it stands for; null for its whole process. */
  readonly thread: Thread | null;

  /** @param what for `target` alone, or for its process */
  constructor(target: Thread, what: 'thread' | 'process', flags: number) {
    super(OpenFlag.RDWR | (flags & OpenFlag.NONBLOCK) | (what === 'thread' ? PIDFD_THREAD : 0));
    this.process = target.process;
    this.thread = what === 'thread' ? target : null;
  }

  override get canRead(): boolean {
    return false;
  }

  override get canWrite(): boolean {
    return false;
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    table?.register(cpu, this.process.endWait);
    const { process, thread } = this;
    if (process.reaped) return Poll.IN | Poll.RDNORM | Poll.HUP;
    const ended = thread === null ? process.exit !== null && process.threads.length === 0 : thread.state === TaskState.DEAD;
    if (!ended) return 0;
    // A thread that was not the first is nothing more once it has ended.
    return Poll.IN | Poll.RDNORM | (thread !== null && thread !== process.main ? Poll.HUP : 0);
  }
}
