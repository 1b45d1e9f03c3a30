import type { Cpu } from '@rpal/hw-x86';
import type { MmStruct } from '@rpal/mm';
import type { Task } from '@rpal/sched';
import type { IovIter } from './iov-iter.js';
import { type Operation, type OperationSet, Pending } from './operation.js';

/** Who a process is (Linux: `struct ucred`). */
export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** On whose behalf files work: a task, its memory, and the operation it is in. */
export interface Caller {
  readonly task: Task;
  readonly memory: MmStruct;
  /** What a pending call goes on with. */
  operation: Operation | null;
  /** Its operations by kind, made on first use. */
  readonly operations: OperationSet;
  /** The user memory of a call that names several pieces (readv, writev, sendmsg, recvmsg) while it runs; null for other calls. */
  iov: IovIter | null;
  /** Who it is: to those who receive its messages, and where privileges are asked for. */
  readonly credentials: Credentials;
  /** RLIMIT_FSIZE, bytes: it may not make files longer. */
  readonly fileSizeLimit: number;
  /** Sends a signal to the caller's own task, as a failed write does with SIGPIPE. */
  raise(cpu: Cpu, signal: number): void;
}

/** Runs an operation as far as it goes without sleeping or letting others in between. */
export function begin(cpu: Cpu, caller: Caller, operation: Operation): number {
  for (;;) {
    const result = operation.step(cpu);
    if (result > Pending.AGAIN) return result;
    if (result === Pending.AGAIN && cpu.hasTime) continue;
    caller.operation = operation;
    return result === Pending.SLEEP ? Pending.SLEEP : Pending.OPERATION;
  }
}
