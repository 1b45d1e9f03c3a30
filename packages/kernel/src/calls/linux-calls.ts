import type { SyscallTable } from '../dispatch/syscall-table.js';
import { defineFileCalls, type FileCallParts } from './file-syscalls.js';
import { defineMemoryCalls } from './memory-syscalls.js';
import { definePollCalls, type PollCallParts } from './poll-syscalls.js';
import { defineProcessCalls, type ProcessCallParts } from './process-syscalls.js';
import { defineLimitCalls } from './rlimit-syscalls.js';
import { defineSchedCalls, type SchedCallParts } from './sched-syscalls.js';
import { defineSignalCalls, type SignalCallParts } from './signal-syscalls.js';
import { defineSocketCalls, type SocketCallParts } from './socket-syscalls.js';
import { defineTransferCalls, type TransferCallParts } from './transfer-syscalls.js';

/** What the system calls need from a kernel, all together. */
export type LinuxCallParts = FileCallParts &
  PollCallParts &
  ProcessCallParts &
  SchedCallParts &
  SignalCallParts &
  SocketCallParts &
  TransferCallParts;

/** The system calls of Linux 6.15 that the kernel of the model has. */
export function defineLinuxCalls(table: SyscallTable, kernel: LinuxCallParts): void {
  defineFileCalls(table, kernel);
  defineMemoryCalls(table, kernel);
  defineProcessCalls(table, kernel);
  defineSchedCalls(table, kernel);
  defineLimitCalls(table, kernel);
  defineSocketCalls(table, kernel);
  defineSignalCalls(table, kernel);
  definePollCalls(table, kernel);
  defineTransferCalls(table, kernel);
}
