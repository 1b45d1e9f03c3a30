import { type Cpu, SpinLock } from '@rpal/hw-x86';
import { MMAP_MIN_ADDR, type MmStruct } from '@rpal/mm';
import { type Handover, type Scheduler, WaitQueue } from '@rpal/sched';
import { Rlimit, Signal } from '@rpal/uapi';
import type { FdTable } from '@rpal/vfs';
import type { CallNames } from './call-text.js';
import { Capability, hasCapability, type ProcessCredentials, rootCredentials } from './credentials.js';
import type { Death } from './death.js';
import { ResourceLimits, UNLIMITED } from './limits.js';
import { PendingSignals } from './pending-signals.js';
import type { SignalAction } from './signal-action.js';
import type { SignalOrigin } from './signal-origin.js';
import type { Thread } from './thread.js';
import { noUsage, type Usage } from './usage.js';

/** How a process ended. */
export interface ExitState {
  /** Exit status, if it ended by itself. */
  readonly status: number;
  /** The signal that killed it, or 0. */
  readonly signal: number;
  /** `si_code` and fault address of that signal. */
  readonly code: number;
  readonly address: number;
}

/** What sends signals. */
export interface SignalSender {
  /** Sends `signal` to one thread. */
  send(cpu: Cpu, thread: Thread, signal: number, origin?: SignalOrigin): void;
}

/** What a process and its threads need from the kernel that they run on. */
export interface ProcessHost {
  readonly scheduler: Scheduler;
  readonly signals: SignalSender;
  /** Limits of a process without a parent. */
  readonly firstLimits: ResourceLimits;
  /** Names of system calls, for reports. */
  readonly syscalls: CallNames;
}

/** A process: threads that share memory and descriptors (Linux: a thread group). */
export class Process {
  readonly kernel: ProcessHost;
  readonly pid: number;
  name: string;
  mm: MmStruct;
  files: FdTable;
  readonly threads: Thread[] = [];
  /** The thread whose id is the process's: when it has ended, too, until the process has been reaped. */
  main: Thread | null = null;
  /** Null: a parent outside the model: what started it, or init if it is an orphan. */
  parent: Process | null;
  /** Its parent has ended, and no ancestor has taken it over: init has. */
  orphan = false;
  /** It takes over the orphans among its descendants (PR_SET_CHILD_SUBREAPER). */
  subReaper = false;
  /** The thread of the parent that forked it, or has taken it over from that. */
  forkedBy: Thread | null = null;
  readonly children: Set<Process> = new Set();
  /** Parents waiting for a child to end. */
  readonly childWait: WaitQueue;
  /** Waiters for its end by pidfd. */
  readonly endWait: WaitQueue = new WaitQueue('end of a process');
  /** What is done about each signal, by number; those not there have their default action. */
  readonly actions: SignalAction[] = [];
  /** Signals for the process as a whole that no thread has taken yet. */
  readonly pending: PendingSignals = new PendingSignals();
  /** Where signals go from who sends them to the thread that takes them. */
  readonly signalHandover: Handover;
  /** Its resource limits. After a change call `applyLimits`. */
  readonly limits: ResourceLimits;
  /** The signal that all its threads are dying of, or 0. */
  dying = 0;
  /** The thread that is asked next to take a signal. */
  signalTurn = 0;
  /** Stopped by a signal; or told to go on, and the parent not yet told so. */
  stop: 'stopped' | 'continued' | null = null;
  /** The signal that stopped it last. */
  stopSignal = 0;
  /** wait4 has reported the stop already; it has not reported that the process goes on. */
  stopReported = false;
  wasContinued = false;
  /** Guards what is pending: sighand_struct, the list in signal_struct, and the sigqueue that goes from sender to taker. */
  readonly siglock: SpinLock = new SpinLock(3, 'siglock');
  /** Waiters for signals by signalfd. */
  readonly signalWait: WaitQueue = new WaitQueue('signals of a process');
  /** Root to begin with; children inherit. */
  credentials: ProcessCredentials;
  /** Numbers of its process group and its session: the first process of each has the same. Children are in those of their parent. */
  group: number;
  session: number;
  /** It has called exec since it was forked. */
  execed = false;
  /** What its parent is sent when it ends; 0: nothing. Exec makes it SIGCHLD. */
  exitSignal: number = Signal.CHLD;
  exit: ExitState | null = null;
  /** It has ended and has been reaped: its id is free. */
  reaped = false;
  /** How it died, if of a signal, until that has been reported. */
  death: Death | null = null;
  /** A thread that has called exec, and waits for the others to end. */
  execing: Thread | null = null;
  /** Sums over the threads that have ended. Times in ns. */
  readonly ended: Usage = noUsage();
  /** Sums over the children that it has waited for, and theirs. */
  readonly childrenUsage: Usage = noUsage();
  /** Where `exec` put the first data segment, the stack top, and the thread-local storage of the main thread. */
  dataStart = 0;
  textStart = 0;
  stackTop = 0;
  /** Threads that have been given a stack. */
  contexts = 0;

  constructor(kernel: ProcessHost, pid: number, name: string, mm: MmStruct, files: FdTable, childWait: WaitQueue, parent: Process | null) {
    this.kernel = kernel;
    this.signalHandover = kernel.scheduler.handovers.open('signals');
    this.pid = pid;
    this.name = name;
    this.mm = mm;
    this.files = files;
    files.owner ??= this;
    const given = parent?.limits ?? kernel.firstLimits;
    this.limits = new ResourceLimits(given.soft, given.hard);
    this.childWait = childWait;
    this.credentials = parent === null ? rootCredentials(pid) : { ...parent.credentials, pid };
    this.group = parent?.group ?? pid;
    this.session = parent?.session ?? pid;
    this.parent = parent;
    parent?.children.add(this);
  }

  /** It has a capability in force. @param capability of `Capability` */
  capable(capability: number): boolean {
    return hasCapability(this.credentials.effective, capability);
  }

  /** May it send `other` a signal (Linux: `check_kill_permission`)? SIGCONT goes to everybody in its session. */
  maySignal(other: Process, signal: number): boolean {
    const { uid, euid } = this.credentials;
    const target = other.credentials;
    const same = euid === target.suid || euid === target.uid || uid === target.suid || uid === target.uid;
    return same || this.capable(Capability.KILL) || (signal === Signal.CONT && this.session === other.session);
  }

  /** May it look into the memory of `other`, and set its limits? @param otherwise the capability that allows it to do so with anybody's */
  mayInspect(other: Process, otherwise: number): boolean {
    if (other === this) return true;
    const { uid, gid } = this.credentials;
    const target = other.credentials;
    const sameUser = uid === target.euid && uid === target.suid && uid === target.uid;
    const sameGroup = gid === target.egid && gid === target.sgid && gid === target.gid;
    return (sameUser && sameGroup) || this.capable(otherwise);
  }

  /** A table of descriptors of its own, if it shares one (Linux: `unshare_files`). */
  unshareFiles(): void {
    const { files } = this;
    if (files.users === 1) return;
    files.users--;
    this.files = files.fork();
    this.files.owner = this;
  }

  /** Passes limits on to those who enforce them: the limits, its capabilities or its memory have changed. */
  applyLimits(): void {
    const { limits, mm, files } = this;
    files.limit = limits.of(Rlimit.NOFILE);
    mm.limits.addressSpace = limits.of(Rlimit.AS);
    mm.limits.stack = limits.of(Rlimit.STACK);
    mm.limits.data = limits.of(Rlimit.DATA);
    mm.limits.lowest = this.capable(Capability.SYS_RAWIO) ? 0 : MMAP_MIN_ADDR;
    mm.limits.locked = this.capable(Capability.IPC_LOCK) ? UNLIMITED : limits.of(Rlimit.MEMLOCK);
  }

  /** Adds a thread: from here on walks over the threads of the process find it. */
  addThread(thread: Thread): void {
    this.threads.push(thread);
    this.main ??= thread;
  }

  get leader(): Thread {
    return this.threads[0] as Thread;
  }
}
