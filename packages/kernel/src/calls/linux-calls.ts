import type { SyscallTable } from '../dispatch/syscall-table.js';
import type { KernelParts } from '../kernel-parts.js';
import { defineFileCalls } from './file-syscalls.js';
import { defineMemoryCalls } from './memory-syscalls.js';
import { defineMessageQueueCalls } from './mqueue-syscalls.js';
import { definePollCalls } from './poll-syscalls.js';
import { defineProcessCalls } from './process-syscalls.js';
import { defineLimitCalls } from './rlimit-syscalls.js';
import { defineSchedCalls } from './sched-syscalls.js';
import { defineSignalCalls } from './signal-syscalls.js';
import { defineSocketCalls } from './socket-syscalls.js';
import { defineSharedMemoryCalls } from './sysv-shm.js';
import { defineTransferCalls } from './transfer-syscalls.js';

/** The system calls of Linux 6.15, as far as the model has them. */
export function defineLinuxCalls(table: SyscallTable, kernel: KernelParts): void {
  defineFileCalls(table, kernel);
  defineMemoryCalls(table, kernel);
  defineProcessCalls(table, kernel);
  defineSchedCalls(table, kernel);
  defineLimitCalls(table, kernel);
  defineSocketCalls(table, kernel);
  defineSignalCalls(table, kernel);
  definePollCalls(table, kernel);
  defineTransferCalls(table, kernel);
  defineMessageQueueCalls(table, kernel);
  defineSharedMemoryCalls(table, kernel);
}
