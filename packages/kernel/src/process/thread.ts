import type { Cpu } from '@rpal/hw-x86';
import type { MmStruct } from '@rpal/mm';
import { type CpuSet, type KernelPath, Task } from '@rpal/sched';
import { Rlimit, Signal } from '@rpal/uapi';
import { type Caller, type Credentials, type File, type IovIter, type Operation, OperationSet } from '@rpal/vfs';
import { NO_SIGNALS, PendingSignals, type SignalBits } from './pending-signals.js';
import type { Process } from './process.js';
import { sentBy } from './signal-origin.js';
import type { UserContext } from './user-context.js';

/** The registers a kernel entry saves on the thread's kernel stack (Linux: `struct pt_regs`): those that the model needs. */
export class EntryFrame {
  /** The user code to go back to. Null before the first return to user mode. */
  user: UserContext | null = null;
  /** Result register on return. */
  rax = 0;
  /** Return through IRET: after an exception or interrupt, which leave registers alone. */
  iret = false;
  /** Where `user` goes on, if the frame was rewritten: an address that leads to `user`. 0: where it was. */
  rip = 0;

  /** Takes over another thread's frame. */
  copyFrom(other: EntryFrame): void {
    this.user = other.user;
    this.rax = other.rax;
    this.iret = other.iret;
    this.rip = other.rip;
  }
}

/** A call with a timeout that a signal has interrupted: unless a handler runs, it goes on until the same time. */
export interface RestartBlock extends Operation {
  /** A handler runs: the call is over. */
  abandon(): void;
}

/** Is told before a thread goes back to user mode after a switch, or into a signal handler (Linux: restartable sequences). */
export interface ResumeNotifier {
  /** @param why what has come between: a switch, or a signal whose handler is next */
  resume(cpu: Cpu, thread: Thread, why: 'switch' | 'signal'): void;
}

/** The border of a thread whose user mode is a guest: VMX non-root operation (Linux: a thread within KVM_RUN). */
export interface GuestBorder {
  /** VM exit, in place of SYSCALL or before an interrupt is taken: `cpu` is the kernel's from here on. Charges the way. */
  exit(cpu: Cpu): void;
  /** VM entry, in place of SYSRET or after the return from an interrupt: the thread's user mode is next on `cpu`. Charges the way. */
  enter(cpu: Cpu): void;
}

/** A thread of a process: what the scheduler schedules, with its kernel stack and its side of system calls. */
export class Thread extends Task implements Caller {
  readonly process: Process;
  readonly frame: EntryFrame = new EntryFrame();
  /** Its flows of user code that saved instruction pointers may lead to. */
  readonly contexts: UserContext[] = [];
  operation: Operation | null = null;
  readonly operations: OperationSet = new OperationSet();
  iov: IovIter | null = null;
  /** The files that a sleeping call uses: they stay open until it ends. */
  readonly held: File[] = [];
  /** What a call that has ended with ERESTART_RESTARTBLOCK goes on with (Linux: `current->restart_block`). */
  restartBlock: RestartBlock | null = null;
  /** Signals for this thread that it has not taken. */
  readonly pending: PendingSignals = new PendingSignals();
  /** Signals that are not delivered now. */
  blocked: SignalBits = NO_SIGNALS;
  /** Signals that sigtimedwait unblocks while it sleeps count as blocked all the same: they neither kill nor are thrown away. */
  realBlocked: SignalBits = NO_SIGNALS;
  /** The mask to go back to after a call that set one of its own. */
  savedMask: SignalBits | null = null;
  /** The signal of the exception that it took last, until a handler has run, with code and address. */
  faultSignal = 0;
  faultCode = 0;
  faultAddress = 0;
  /** The exception, and the error code that the CPU pushed with it. */
  faultVector = 0;
  faultError = 0;
  /** Its process is to stop, and it has not yet. */
  stopPending = false;
  /** Is told before it goes on in user mode after a switch or in a signal handler. */
  resumeNotifier: ResumeNotifier | null = null;
  /** Kernel entries of this thread from user mode are announced to plugins (hook `kernelEntry`). */
  entryWatched = false;
  /** Its user mode is a guest; `entryWatched` must be set then. Null: it is user mode of the host. */
  guest: GuestBorder | null = null;
  /** What it writes now goes without SIGPIPE if nobody can read it (RWF_NOSIGNAL). */
  writesWithoutSignal = false;

  constructor(pid: number, process: Process, cpu: Cpu, affinity: CpuSet, path: KernelPath) {
    super(pid, process.name, cpu, process.mm, affinity, path);
    this.process = process;
  }

  get task(): Task {
    return this;
  }

  /** The address space of its process. `mm` of `Task` is the same object behind the scheduler's interface. */
  get memory(): MmStruct {
    return this.process.mm;
  }

  get credentials(): Credentials {
    const { pid, uid, gid } = this.process.credentials;
    return { pid, uid, gid };
  }

  get fileSizeLimit(): number {
    return this.process.limits.of(Rlimit.FSIZE);
  }

  raise(cpu: Cpu, signal: number): void {
    if (signal === Signal.PIPE && this.writesWithoutSignal) return;
    this.process.kernel.signals.send(cpu, this, signal, sentBy(this.process.credentials));
  }
}

/** The thread whose kernel stack `cpu` is on. Only where a user thread is known to be current: a kernel thread is no `Thread`. */
export function currentThread(scheduler: { current(cpu: Cpu): Task }, cpu: Cpu): Thread {
  return scheduler.current(cpu) as Thread;
}
