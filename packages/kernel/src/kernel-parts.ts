import type { EpollSeams, EventPolls } from '@rpal/epoll';
import type { Cpu, Platform } from '@rpal/hw-x86';
import type { MessageQueue, UnixNamespace } from '@rpal/ipc';
import type { MemoryFile, MemoryManager } from '@rpal/mm';
import type { FutexTable, KernelPath, Scheduler, Workqueue } from '@rpal/sched';
import type { File } from '@rpal/vfs';
import type { SyscallTable } from './dispatch/syscall-table.js';
import type { ContextTable } from './process/context-table.js';
import type { Deaths } from './process/death.js';
import type { Image } from './process/image.js';
import type { PiFutexTable } from './process/pi-futexes.js';
import type { Process } from './process/process.js';
import type { SignalAccounts } from './process/signal-accounts.js';
import type { Thread } from './process/thread.js';
import type { KernelSeams } from './seams.js';

/** Opens a special file such as `/proc/...`: a file, or a negative errno. */
export type Opener = (cpu: Cpu, thread: Thread, flags: number) => File | number;

/** What a kernel is put together from, for system calls, signals and the life of processes. `Kernel` puts it together. */
export interface KernelParts {
  readonly platform: Platform;
  readonly memory: MemoryManager;
  readonly scheduler: Scheduler;
  readonly workqueue: Workqueue;
  readonly futexes: FutexTable;
  readonly piFutexes: PiFutexTable;
  readonly sockets: UnixNamespace;
  readonly epolls: EventPolls;
  readonly epollSeams: EpollSeams;
  readonly seams: KernelSeams;
  readonly syscalls: SyscallTable;
  readonly contexts: ContextTable;
  readonly processes: Map<number, Process>;
  readonly specialFiles: Map<string, Opener>;
  readonly messageQueues: Map<string, MessageQueue>;
  readonly images: Map<string, Image>;
  readonly sharedMemory: Map<string, MemoryFile>;
  readonly deaths: Deaths;
  /** Processes that have not ended. */
  alive: number;
  /** What a thread does that has only to return to user mode. */
  readonly returnPath: KernelPath;
  readonly defaultPendingLimit: number;
  readonly signalAccounts: SignalAccounts;
  sendSignal(cpu: Cpu, thread: Thread, signal: number): void;
}
