import { EpollSeams, EventPolls } from '@rpal/epoll';
import { type Platform, Vector } from '@rpal/hw-x86';
import { NamedMemory, SkbPool, UnixNamespace } from '@rpal/ipc';
import { type HugePages, MemoryManager } from '@rpal/mm';
import { FutexTable, Scheduler, type SchedulerOptions, Workqueue } from '@rpal/sched';
import { OPEN_MAX } from '@rpal/vfs';
import type { Opener } from './calls/file-syscalls.js';
import { defineLinuxCalls } from './calls/linux-calls.js';
import { IrqTable } from './dispatch/irq-table.js';
import { PathTable } from './dispatch/path-table.js';
import { SyscallTable } from './dispatch/syscall-table.js';
import { Entry } from './entry/entry.js';
import { WatchedFlushEntry } from './entry/flush-entry.js';
import { ContextTable } from './process/context-table.js';
import { Deaths } from './process/death.js';
import type { Image } from './process/image.js';
import { ResourceLimits } from './process/limits.js';
import { ProcessTable } from './process/process-table.js';
import { defaultPendingLimit } from './process/signal-accounts.js';
import { KernelSeams } from './seams.js';
import { Signals } from './signals/signals.js';

/** What Linux changed after 6.15 in calls that packages define; all false by default. */
export interface LaterChanges {
  /** pidfd_open of a thread that is not the first of its process fails with ENOENT (Linux 6.16 and later), not EINVAL. */
  readonly pidfdOpenNamesThreads?: boolean;
  /**
   * What stands for something of the kernel, as an eventfd does, has attributes that cannot be changed: fchmod and fchown fail with
   * EOPNOTSUPP; and a pidfd is no regular file to ioctl (Linux 6.16 and later).
   */
  readonly anonymousInodesAreFixed?: boolean;
  /** The length of a socket's name is stored before the name, and also where there is no room for that (Linux 6.17 and later). */
  readonly socketNameLengthFirst?: boolean;
  /** preadv2 and pwritev2 take RWF_NOSIGNAL: no SIGPIPE (Linux 6.18 and later). */
  readonly writesWithoutSignal?: boolean;
}

/** Options of the modelled kernel. */
export interface KernelOptions extends SchedulerOptions, LaterChanges {
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
  /**
   * RLIMIT_NOFILE of what the host spawns: 0 .. 1048576; 1024 by default. The hard limit is 4096, or as much if that is more.
   */
  readonly nofile?: number;
}

/** The modelled Linux, put together from its parts. Each user of parts names the ones it needs in an interface of its own. */
export class Kernel {
  readonly platform: Platform;
  readonly memory: MemoryManager;
  readonly scheduler: Scheduler;
  readonly entry: Entry;
  readonly signals: Signals;
  /** Limits of what the host spawns. */
  readonly firstLimits: ResourceLimits;
  readonly workqueue: Workqueue;
  readonly futexes: FutexTable;
  readonly sockets: UnixNamespace;
  readonly sharedMemory: NamedMemory;
  readonly syscalls: SyscallTable = new SyscallTable();
  readonly irqs: IrqTable = new IrqTable();
  readonly seams: KernelSeams = new KernelSeams();
  readonly epollSeams: EpollSeams = new EpollSeams();
  readonly epolls: EventPolls;
  readonly contexts: ContextTable = new ContextTable();
  readonly processes: ProcessTable = new ProcessTable();
  readonly deaths: Deaths = new Deaths();
  readonly later: Required<LaterChanges>;
  /** Files that a plugin opens, such as `/proc/NAME`. */
  readonly specialFiles: PathTable<Opener> = new PathTable('special file');
  /** Programs that machine code can exec. */
  readonly images: PathTable<Image> = new PathTable('program');

  constructor(platform: Platform, options: KernelOptions = {}) {
    this.platform = platform;
    this.scheduler = new Scheduler(platform, options);
    this.entry = new Entry(this, this.irqs);
    const flushEntry = new WatchedFlushEntry(this.scheduler, this.entry);
    this.memory = new MemoryManager(platform, { hugePages: options.hugePages ?? 'never', flushEntry });
    this.later = {
      pidfdOpenNamesThreads: options.pidfdOpenNamesThreads ?? false,
      anonymousInodesAreFixed: options.anonymousInodesAreFixed ?? false,
      socketNameLengthFirst: options.socketNameLengthFirst ?? false,
      writesWithoutSignal: options.writesWithoutSignal ?? false,
    };
    this.signals = new Signals(this.scheduler);
    this.firstLimits = ResourceLimits.first(defaultPendingLimit(this.memory.totalFrames), options.nofile ?? OPEN_MAX);
    this.futexes = new FutexTable(this.scheduler, this.platform.cpus.length, this.scheduler.handovers.open('futex'));
    this.workqueue = new Workqueue(this.scheduler);
    const skbs = new SkbPool(this.memory.heap, this.memory.frames);
    this.sockets = new UnixNamespace(this.scheduler, skbs, this.workqueue, {
      connectInheritsOptions: options.unixConnectInheritsOptions ?? false,
      closeSkipsEmptyMessage: options.unixCloseSkipsEmptyMessage ?? false,
    });
    this.sharedMemory = new NamedMemory(this.memory);
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
}
