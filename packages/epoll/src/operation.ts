import type { Cpu } from '@rpal/hw-x86';
import type { MmStruct } from '@rpal/mm';
import type { Task } from '@rpal/sched';
import type { EventfdReadOperation, EventfdWriteOperation } from './eventfd.js';
import type { WaitOperation } from './eventpoll.js';
import type { PipeReadOperation, PipeWriteOperation } from './pipe.js';
import type { Credentials, SocketMessage } from './socket-message.js';
import type { AcceptOperation, ConnectOperation } from './unix-connect.js';
import type { PacketReceiveOperation, PacketSendOperation } from './unix-packet.js';
import type { ReceiveOperation, SendOperation } from './unix-stream-operations.js';

/**
 * What a step of an operation returns when it has no result yet. Both lie far below any errno, and results are never
 * that small.
 */
export const Step = {
  /** A yield point: call `step` again. */
  AGAIN: -0x4000_0001,
  /** The task has prepared to sleep: call `schedule()`, then `step` again. */
  SLEEP: -0x4000_0002,
  /** Of a file's method: the call goes on in `caller.operation`. */
  PENDING: -0x4000_0003,
} as const;

/** Of an attempt: nothing to take, or no room: wait, or give up. No result of a call is as small. */
export const NOTHING_YET = -0x4000_0000;

/** A system call that may sleep, as a state machine of atomic steps. Each task keeps one of each kind and re-uses it. */
export interface Operation {
  /** @returns the result of the call (0 or more, or a negative errno), `Step.AGAIN`, or `Step.SLEEP` */
  step(cpu: Cpu): number;
}

/** On whose behalf files work: a task, its memory, and the operation it is in. */
export interface Caller {
  readonly task: Task;
  readonly memory: MmStruct;
  /** What a pending call goes on with. */
  operation: Operation | null;
  /** Send, receive, accept, epoll_wait: made on first use. */
  readonly operations: OperationSet;
  /** The message header of a sendmsg or recvmsg in progress. */
  message: SocketMessage | null;
  /** Who it is, to those who receive its messages. */
  readonly credentials: Credentials;
  /** Sends a signal to the caller's own task, as a failed write does with SIGPIPE. */
  raise(cpu: Cpu, signal: number): void;
}

/** The operations of one task, by kind; each is made on first use and re-used from then on. */
export class OperationSet {
  send: SendOperation | null = null;
  receive: ReceiveOperation | null = null;
  connect: ConnectOperation | null = null;
  accept: AcceptOperation | null = null;
  epollWait: WaitOperation | null = null;
  packetSend: PacketSendOperation | null = null;
  packetReceive: PacketReceiveOperation | null = null;
  pipeRead: PipeReadOperation | null = null;
  pipeWrite: PipeWriteOperation | null = null;
  eventfdRead: EventfdReadOperation | null = null;
  eventfdWrite: EventfdWriteOperation | null = null;
}

/** Runs an operation as far as it goes without sleeping or letting others in between. */
export function begin(cpu: Cpu, caller: Caller, operation: Operation): number {
  for (;;) {
    const result = operation.step(cpu);
    if (result > Step.AGAIN) return result;
    if (result === Step.AGAIN && cpu.hasTime) continue;
    caller.operation = operation;
    return result === Step.SLEEP ? Step.SLEEP : Step.PENDING;
  }
}
