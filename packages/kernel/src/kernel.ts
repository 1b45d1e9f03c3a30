import { EpollSeams, EventPolls } from '@rpal/epoll';
import { type Cpu, Exception, PAGE_SIZE, type Platform, type TrapHandler, TrapOutcome, Vector } from '@rpal/hw-x86';
import { type MessageQueue, SkbPool, UnixNamespace } from '@rpal/ipc';
import { FAULT_RESOLVED, type HugePages, handleFault, type MemoryFile, MemoryManager, MmStep } from '@rpal/mm';
import {
  FutexTable,
  type KernelPath,
  PathResult,
  SchedStep,
  Scheduler,
  type SchedulerOptions,
  type Task,
  TaskState,
  Workqueue,
} from '@rpal/sched';
import { Errno, Signal, SignalCode } from '@rpal/uapi';
import { type Operation, Pending } from '@rpal/vfs';
import { defineLinuxCalls } from './calls/linux-calls.js';
import { WatchedFlushEntry } from './entry/flush-entry.js';
import { holdFiles, releaseFiles } from './entry/held-file.js';
import { IrqTable } from './entry/irq-table.js';
import { SyscallTable } from './entry/syscall-table.js';
import type { KernelParts, Opener } from './kernel-parts.js';
import { exitThread } from './lifecycle/exit.js';
import { ContextTable } from './process/context-table.js';
import { Deaths } from './process/death.js';
import { EntryKind } from './process/entry-kind.js';
import type { Image } from './process/image.js';
import type { SignalAccount } from './process/pending-signals.js';
import { PiFutexTable } from './process/pi-futexes.js';
import type { Process } from './process/process.js';
import type { Thread } from './process/thread.js';
import type { UserContext } from './process/user-context.js';
import { KernelSeams } from './seams.js';
import { Delivered, deliverSignals, forceSignal, sendSignal, signalProcess } from './signals/signal.js';
import { KernelStep } from './steps.js';

/** Bytes of a kernel stack (THREAD_SIZE). */
const THREAD_STACK = 16_384;

/** Options of the modelled kernel. */
export interface KernelOptions extends SchedulerOptions {
  /** Wake epoll waiters synchronously when the event comes that way (Linux 6.13 and later); true by default. */
  readonly synchronousEpollWakeUps?: boolean;
  /** The limit on nested epolls counts upwards too (Linux 6.17 and later); false by default. */
  readonly epollNestingCountsUpwards?: boolean;
  /**
   * A Unix socket that is closed while an empty message is the first in its queue does not reset its peer on account of that
   * message (Linux 6.16 and later); false by default.
   */
  readonly unixCloseSkipsEmptyMessage?: boolean;
  /** A Unix connection takes over SO_PASSCRED from its listener when it is made: Linux 6.16. Before, when it was accepted. */
  readonly unixConnectInheritsOptions?: boolean;
  /** Transparent huge pages (/sys/kernel/mm/transparent_hugepage/enabled); `never` by default. */
  readonly hugePages?: HugePages;
}

/** The modelled Linux: what connects memory, scheduler and files, and the border to user mode. */
export class Kernel implements TrapHandler, KernelParts {
  readonly platform: Platform;
  readonly memory: MemoryManager;
  readonly scheduler: Scheduler;
  readonly workqueue: Workqueue;
  readonly futexes: FutexTable;
  readonly piFutexes: PiFutexTable;
  readonly sockets: UnixNamespace;
  readonly syscalls: SyscallTable = new SyscallTable();
  readonly irqs: IrqTable = new IrqTable();
  readonly seams: KernelSeams = new KernelSeams();
  readonly #syscallEnter: KernelSeams['events']['syscallEnter'] = this.seams.events.syscallEnter;
  readonly epollSeams: EpollSeams = new EpollSeams();
  readonly epolls: EventPolls;
  readonly contexts: ContextTable = new ContextTable();
  readonly processes: Map<number, Process> = new Map();
  /** Special files by path. */
  readonly specialFiles: Map<string, Opener> = new Map();
  /** POSIX message queues by name. */
  readonly messageQueues: Map<string, MessageQueue> = new Map();
  /** Programs that machine code can exec, by path. */
  readonly images: Map<string, Image> = new Map();
  /** Memory with a name, by path below /dev/shm. */
  readonly sharedMemory: Map<string, MemoryFile> = new Map();
  readonly deaths: Deaths = new Deaths();
  readonly #signalAccounts = new Map<number, SignalAccount>();
  /** Processes that have not ended. When the last one ends, the machine stops. */
  alive = 0;
  /** NMIs for which nobody found a cause: "Uhhuh. NMI received for unknown reason". */
  unknownNmis = 0;
  readonly #syscallPath: SyscallPath;
  readonly #exitPath: ReturnPath;

  constructor(platform: Platform, options: KernelOptions = {}) {
    this.platform = platform;
    this.memory = new MemoryManager(platform, { hugePages: options.hugePages ?? 'never', flushEntry: new WatchedFlushEntry(this) });
    this.scheduler = new Scheduler(platform, options);
    this.futexes = new FutexTable(this.scheduler, this.platform.cpus.length, this.scheduler.handovers.open('futex'));
    this.piFutexes = new PiFutexTable(this.scheduler, this.futexes.handover);
    this.workqueue = new Workqueue(this.scheduler);
    const skbs = new SkbPool(this.memory.heap, this.memory.frames);
    this.sockets = new UnixNamespace(this.scheduler, skbs, this.workqueue, {
      connectInheritsOptions: options.unixConnectInheritsOptions ?? false,
      closeSkipsEmptyMessage: options.unixCloseSkipsEmptyMessage ?? false,
    });
    this.epolls = new EventPolls(this.scheduler, this.epollSeams.hooks.epollWait, {
      synchronousWakeUps: options.synchronousEpollWakeUps ?? true,
      nestingCountsUpwards: options.epollNestingCountsUpwards ?? false,
    });
    this.#syscallPath = new SyscallPath(this);
    this.#exitPath = new ReturnPath(this);
    defineLinuxCalls(this.syscalls, this);
    this.irqs.define(Vector.localTimer, 'Local timer interrupts', (cpu) => this.scheduler.timerInterrupt(cpu));
    this.irqs.define(Vector.callFunctionSingle, 'Function call interrupts', (cpu) => this.scheduler.callFunctionInterrupt(cpu));
    // It is over with its entry: need-resched is looked at on the way out.
    this.irqs.define(Vector.reschedule, 'Rescheduling interrupts', () => {});
    for (const cpu of platform.cpus) cpu.trap = this;
  }

  /** The thread whose kernel stack `cpu` is on. Only where a user thread is known to be current. */
  current(cpu: Cpu): Thread {
    return this.scheduler.current(cpu) as Thread;
  }

  syscall(cpu: Cpu): TrapOutcome {
    const context = cpu.context as UserContext;
    if (context.mustYield()) return TrapOutcome.RETRY;
    cpu.interruptsEnabled = false;
    let thread = this.current(cpu);
    thread.frame.user = context;
    thread.frame.iret = false;
    if (thread.entryWatched) {
      cpu.charge(KernelStep.syscallEntry);
      this.seams.hooks.kernelEntry.call(cpu, thread, context.entry);
      thread = this.current(cpu);
      if (thread.frame.user !== context) return this.returnToUser(cpu, thread, thread.frame.rax, context);
      cpu.charge(KernelStep.syscallDispatch);
    } else {
      cpu.charge(KernelStep.syscallIn);
    }
    if (this.#syscallEnter.observed) this.#syscallEnter.emit(cpu.id, cpu.clock, thread, context.nr);
    const result = this.syscalls.dispatch(cpu, thread, context);
    if (result <= Pending.AGAIN) {
      thread.path = this.#syscallPath;
      holdFiles(this.syscalls, thread, context);
      if (result === Pending.SLEEP) this.scheduler.schedule(cpu);
      else cpu.context = this.scheduler.kernelMode;
      return TrapOutcome.PENDING;
    }
    return this.returnToUser(cpu, thread, result, context);
  }

  /**
   * The end of every kernel entry: pending work first, else back to user mode with `result` in the result register.
   * @returns DONE if `expected` is what runs now
   */
  returnToUser(cpu: Cpu, thread: Thread, result: number, expected: UserContext | null): TrapOutcome {
    const { frame } = thread;
    frame.rax = result;
    if (thread.needResched || thread.signalPending) {
      thread.path = this.#exitPath;
      cpu.context = this.scheduler.kernelMode;
      return TrapOutcome.PENDING;
    }
    const user = frame.user as UserContext;
    if (!frame.iret) user.rax = result;
    if (thread.fpuInMemory && thread.switched && !frame.iret) {
      cpu.charge(KernelStep.switchedReturn);
    } else {
      if (thread.fpuInMemory) cpu.charge(SchedStep.fpuRestore);
      if (thread.switched) cpu.charge(SchedStep.rseqFixup);
      cpu.charge(frame.iret ? SchedStep.interruptExit : KernelStep.syscallReturn);
    }
    thread.fpuInMemory = false;
    thread.switched = false;
    if (frame.rip !== 0) {
      // The frame was rewritten: the context goes on elsewhere, with the result register that goes with that.
      user.landing = frame.rip;
      user.rax = frame.rax;
      frame.rip = 0;
    }
    cpu.interruptsEnabled = true;
    cpu.context = user;
    user.cpu = cpu;
    // An interrupt that waited for this comes before the next instruction.
    if (cpu.interruptible) cpu.endTurnBy(0);
    return user === expected ? TrapOutcome.DONE : TrapOutcome.PENDING;
  }

  exception(cpu: Cpu, vector: number, code: number): TrapOutcome {
    const context = cpu.context as UserContext;
    if (context.mustYield()) return TrapOutcome.RETRY;
    const { faultAddress } = cpu.mmu;
    cpu.interruptsEnabled = false;
    cpu.charge(MmStep.faultEntry);
    let thread = this.current(cpu);
    thread.frame.user = context;
    thread.frame.iret = true;
    if (thread.entryWatched) {
      this.seams.hooks.kernelEntry.call(cpu, thread, EntryKind.EXCEPTION);
      thread = this.current(cpu);
      if (thread.frame.user !== context) return this.returnToUser(cpu, thread, thread.frame.rax, context);
    }
    if (vector === Exception.pageFault) {
      const result = handleFault(cpu, thread.memory, faultAddress, code);
      if (result !== FAULT_RESOLVED) this.#fatal(cpu, thread, result & 0xff, result >>> 8, faultAddress);
    } else if (vector === Exception.divide) {
      this.#fatal(cpu, thread, Signal.FPE, SignalCode.FPE_INTDIV, context.rip);
    } else if (vector === Exception.invalidOpcode) {
      this.#fatal(cpu, thread, Signal.ILL, SignalCode.ILL_ILLOPN, context.rip);
    } else {
      this.#fatal(cpu, thread, Signal.SEGV, SignalCode.KERNEL, 0);
    }
    return this.returnToUser(cpu, thread, thread.frame.rax, context);
  }

  /** The signal of an exception that the kernel does not resolve, with what its siginfo says. */
  #fatal(cpu: Cpu, thread: Thread, signal: number, code: number, address: number): void {
    thread.process.faultAddress = address;
    thread.process.faultCode = code;
    forceSignal(this, cpu, thread, signal);
  }

  /** An interrupt, in whatever the CPU was doing. */
  interrupt(cpu: Cpu, vector: number): void {
    const rq = this.scheduler.runQueue(cpu);
    if (cpu.context === this.scheduler.kernelMode) {
      if (rq.current === rq.idle) {
        rq.leaveHalt();
        cpu.charge(SchedStep.interruptFromIdle);
      } else {
        cpu.charge(SchedStep.interruptEntry);
      }
      this.irqs.serve(cpu, vector);
      if (rq.current !== rq.idle) cpu.charge(SchedStep.interruptExit);
      return;
    }
    this.#interruptUser(cpu, EntryKind.INTERRUPT);
    this.irqs.serve(cpu, vector);
    this.leaveInterrupt(cpu);
  }

  nmi(cpu: Cpu): void {
    if (cpu.context !== this.scheduler.kernelMode) {
      this.#interruptUser(cpu, EntryKind.NMI);
      this.#serveNmi(cpu);
      this.leaveInterrupt(cpu);
    } else {
      cpu.charge(SchedStep.interruptEntry);
      this.#serveNmi(cpu);
      cpu.charge(SchedStep.interruptExit);
    }
    cpu.unblockNmi();
  }

  /** `default_do_nmi`, without the back-to-back rule, which needs two causes at a time. */
  #serveNmi(cpu: Cpu): void {
    if ((this.seams.hooks.kernelNmi.call(cpu) ?? 0) > 0) return;
    cpu.charge(KernelStep.unknownNmi);
    this.unknownNmis++;
  }

  #interruptUser(cpu: Cpu, kind: number): void {
    cpu.interruptsEnabled = false;
    cpu.charge(SchedStep.interruptEntry);
    this.enterFromUser(cpu, kind);
  }

  /** An interrupt has come in user mode, and interrupts are off: the thread's frame is filled in, and whoever watches entries is asked. */
  enterFromUser(cpu: Cpu, kind: number): void {
    const thread = this.current(cpu);
    thread.frame.user = cpu.context as UserContext;
    thread.frame.iret = true;
    if (thread.entryWatched) this.seams.hooks.kernelEntry.call(cpu, thread, kind);
  }

  /** The end of an interrupt that came in user mode. */
  leaveInterrupt(cpu: Cpu): void {
    const thread = this.current(cpu);
    this.returnToUser(cpu, thread, thread.frame.rax, null);
  }

  /** The signals in queues of a user's processes. */
  signalAccount(uid: number): SignalAccount {
    let account = this.#signalAccounts.get(uid);
    if (account === undefined) {
      account = { queued: 0 };
      this.#signalAccounts.set(uid, account);
    }
    return account;
  }

  /** RLIMIT_SIGPENDING of the first process: half as many as there may be threads, one for each 128 KiB of memory. */
  get defaultPendingLimit(): number {
    return Math.floor((this.memory.totalFrames * PAGE_SIZE) / (8 * THREAD_STACK) / 2);
  }

  /** Sends `signal` to one thread: see `sendSignal`. */
  sendSignal(cpu: Cpu, thread: Thread, signal: number): void {
    sendSignal(this, cpu, thread, signal);
  }

  /** kill(2) within the kernel. */
  kill(cpu: Cpu, process: Process, signal: number): number {
    if (process.exit !== null) return -Errno.ESRCH;
    signalProcess(this, cpu, process, signal);
    return 0;
  }

  /** What a thread does in the kernel while a system call is pending. */
  get syscallPath(): KernelPath {
    return this.#syscallPath;
  }

  /** What a thread does that has only to return to user mode. */
  get returnPath(): KernelPath {
    return this.#exitPath;
  }
}

/** A system call that has slept, or let others in between: goes on with the thread's operation. */
class SyscallPath implements KernelPath {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  run(cpu: Cpu, task: Task): PathResult {
    const thread = task as Thread;
    const result = (thread.operation as Operation).step(cpu);
    if (result === Pending.SLEEP) return PathResult.SCHEDULE;
    if (result > Pending.AGAIN) {
      if (thread.held.length > 0) releaseFiles(cpu, thread);
      this.#kernel.returnToUser(cpu, thread, result, null);
    }
    return PathResult.CONTINUE;
  }
}

/** exit_to_user_mode_loop: reschedule, signals, then user mode. */
class ReturnPath implements KernelPath {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  run(cpu: Cpu, task: Task): PathResult {
    const thread = task as Thread;
    if (thread.needResched) {
      this.#kernel.scheduler.preempt(cpu);
      return PathResult.CONTINUE;
    }
    if (!thread.signalPending) {
      this.#kernel.returnToUser(cpu, thread, thread.frame.rax, null);
      return PathResult.CONTINUE;
    }
    const delivered = deliverSignals(this.#kernel, cpu, thread);
    if (delivered > 0) {
      const { execing } = thread.process;
      // Killed on account of an exec, it ends alone.
      exitThread(this.#kernel, cpu, thread, 0, delivered, execing === null || execing === thread);
    }
    if (thread.state === TaskState.DEAD || thread.state === TaskState.STOPPED) return PathResult.SCHEDULE;
    return delivered === Delivered.RESTART ? this.#restart(cpu, thread) : PathResult.CONTINUE;
  }

  /** Executes the interrupted system call again, as user mode would: its number and arguments are still in the registers. */
  #restart(cpu: Cpu, thread: Thread): PathResult {
    cpu.charge(KernelStep.syscallIn);
    const { frame } = thread;
    const user = frame.user as UserContext;
    const block = frame.rax === -Errno.ERESTART_RESTARTBLOCK ? thread.restartBlock : null;
    // It may not have slept yet: another call was the last that did.
    if (block !== null) thread.operation = block;
    const result = block !== null ? block.step(cpu) : this.#kernel.syscalls.dispatch(cpu, thread, user);
    if (result > Pending.AGAIN) {
      frame.rax = result;
      return PathResult.CONTINUE;
    }
    holdFiles(this.#kernel.syscalls, thread, user);
    thread.path = this.#kernel.syscallPath;
    return result === Pending.SLEEP ? PathResult.SCHEDULE : PathResult.CONTINUE;
  }
}
