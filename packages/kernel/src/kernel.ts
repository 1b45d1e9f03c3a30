import { EpollSeams, EventPolls } from '@rpal/epoll';
import { type Cpu, type Platform, Vector } from '@rpal/hw-x86';
import { type MessageQueue, SkbPool, UnixNamespace } from '@rpal/ipc';
import { type HugePages, type MemoryFile, MemoryManager } from '@rpal/mm';
import { FutexTable, type KernelPath, Scheduler, type SchedulerOptions, Workqueue } from '@rpal/sched';
import { defineLinuxCalls } from './calls/linux-calls.js';
import { IrqTable } from './dispatch/irq-table.js';
import { SyscallTable } from './dispatch/syscall-table.js';
import { Entry } from './entry/entry.js';
import { WatchedFlushEntry } from './entry/flush-entry.js';
import type { KernelParts, Opener } from './kernel-parts.js';
import { ContextTable } from './process/context-table.js';
import { Deaths } from './process/death.js';
import type { Image } from './process/image.js';
import { PiFutexTable } from './process/pi-futexes.js';
import type { Process } from './process/process.js';
import { defaultPendingLimit, SignalAccounts } from './process/signal-accounts.js';
import type { Thread } from './process/thread.js';
import { KernelSeams } from './seams.js';
import { sendSignal } from './signals/signal.js';

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

/** The modelled Linux: memory, scheduler, files and the border to user mode, put together. */
export class Kernel implements KernelParts {
  readonly platform: Platform;
  readonly memory: MemoryManager;
  readonly scheduler: Scheduler;
  readonly entry: Entry;
  readonly returnPath: KernelPath;
  readonly workqueue: Workqueue;
  readonly futexes: FutexTable;
  readonly piFutexes: PiFutexTable;
  readonly sockets: UnixNamespace;
  readonly syscalls: SyscallTable = new SyscallTable();
  readonly irqs: IrqTable = new IrqTable();
  readonly seams: KernelSeams = new KernelSeams();
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
  readonly signalAccounts: SignalAccounts = new SignalAccounts();
  readonly defaultPendingLimit: number;
  /** Processes that have not ended. When the last one ends, the machine stops. */
  alive = 0;

  constructor(platform: Platform, options: KernelOptions = {}) {
    this.platform = platform;
    this.scheduler = new Scheduler(platform, options);
    this.entry = new Entry(this, this.irqs);
    this.returnPath = this.entry.returnPath;
    const flushEntry = new WatchedFlushEntry(this.scheduler, this.entry);
    this.memory = new MemoryManager(platform, { hugePages: options.hugePages ?? 'never', flushEntry });
    this.defaultPendingLimit = defaultPendingLimit(this.memory.totalFrames);
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
    defineLinuxCalls(this.syscalls, this);
    this.irqs.define(Vector.localTimer, 'Local timer interrupts', (cpu) => this.scheduler.timerInterrupt(cpu));
    this.irqs.define(Vector.callFunctionSingle, 'Function call interrupts', (cpu) => this.scheduler.callFunctionInterrupt(cpu));
    // It is over with its entry: need-resched is looked at on the way out.
    this.irqs.define(Vector.reschedule, 'Rescheduling interrupts', () => {});
    for (const cpu of platform.cpus) cpu.trap = this.entry;
  }

  /** The thread whose kernel stack `cpu` is on. Only where a user thread is known to be current. */
  current(cpu: Cpu): Thread {
    return this.scheduler.current(cpu) as Thread;
  }

  /** Sends `signal` to one thread: see `sendSignal`. */
  sendSignal(cpu: Cpu, thread: Thread, signal: number): void {
    sendSignal(this, cpu, thread, signal);
  }
}
