import type { Cpu } from '@rpal/hw-x86';
import { KernelStep, maySend, type Process, sentBy, type Thread } from '@rpal/kernel';
import { accessOk } from '@rpal/mm';
import { TaskState } from '@rpal/sched';
import { Errno, FileMode, OpenFlag, Poll } from '@rpal/uapi';
import { File, type PollTable } from '@rpal/vfs';
import type { Calls } from '../calls.js';
import { mayAttach } from '../identity/may-attach.js';
import type { TraitTable } from '../identity/traits.js';

/** pidfd_open: for one thread, not for its process (it is O_EXCL). */
const PIDFD_THREAD: number = OpenFlag.EXCL;

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

  override get mode(): number {
    return FileMode.REGULAR | 0o700;
  }

  override get isAnonymous(): boolean {
    return true;
  }

  /** As any file that is opened in its file system; only that it can neither be read nor written. */
  override get positioned(): boolean {
    return true;
  }

  override readAt(): number {
    return -Errno.EINVAL;
  }

  override writeAt(): number {
    return -Errno.EINVAL;
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
    // Nothing is left of a thread that was not the first once it has ended.
    return Poll.IN | Poll.RDNORM | (thread !== null && thread !== process.main ? Poll.HUP : 0);
  }
}

/** Flags of pidfd_send_signal: to a thread, to a process, to its group. */
const SIGNAL_SCOPES = 7;

/** Processes as files. */
export function definePidfdCalls(calls: Calls, traits: TraitTable): void {
  const { kernel } = calls;
  calls.define('pidfd_open', (cpu, thread, { a0, a1 }) => {
    const id = a0 | 0;
    if ((a1 & ~(OpenFlag.NONBLOCK | PIDFD_THREAD)) !== 0 || id <= 0) return -Errno.EINVAL;
    cpu.charge(KernelStep.openFile);
    const target = kernel.processes.thread(id);
    if (target === undefined) return -Errno.ESRCH;
    const ofThread = (a1 & PIDFD_THREAD) !== 0;
    if (!ofThread && target.process.pid !== id) return kernel.later.pidfdOpenNamesThreads ? -Errno.ENOENT : -Errno.EINVAL;
    return thread.process.files.install(cpu, new PidFd(target, ofThread ? 'thread' : 'process', a1), OpenFlag.CLOEXEC);
  });
  calls.define('pidfd_send_signal', (cpu, thread, { a0, a1, a2, a3 }) => {
    // One scope at most.
    if ((a3 & ~SIGNAL_SCOPES) !== 0 || (a3 & (a3 - 1)) !== 0) return -Errno.EINVAL;
    const file = thread.process.files.lookUp(cpu, a0);
    if (!(file instanceof PidFd)) return -Errno.EBADF;
    if (a2 !== 0 && !accessOk(a2, 1)) return -Errno.EFAULT;
    if (file.process.reaped) return -Errno.ESRCH;
    const may = maySend(thread, file.process, a1 | 0);
    if (may > 0) kernel.signals.sendToProcess(cpu, file.process, a1 | 0, sentBy(thread.process.credentials));
    return Math.min(0, may);
  });
  calls.define('pidfd_getfd', (cpu, thread, { a0, a1, a2 }) => {
    if (a2 >>> 0 !== 0) return -Errno.EINVAL;
    const file = thread.process.files.lookUp(cpu, a0);
    if (!(file instanceof PidFd)) return -Errno.EBADF;
    const { process } = file;
    if (process.exit !== null) return -Errno.ESRCH;
    if (!mayAttach(thread.process, process, traits)) return -Errno.EPERM;
    const wanted = process.files.peek(a1);
    return wanted === null ? -Errno.EBADF : thread.process.files.install(cpu, wanted, OpenFlag.CLOEXEC);
  });
}
