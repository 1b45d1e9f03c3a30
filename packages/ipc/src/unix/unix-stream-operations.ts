import type { Cpu } from '@rpal/hw-x86';
import { autoremoveWake, type Scheduler, TaskState, WaitEntry, type WaitQueue } from '@rpal/sched';
import { Errno, MessageFlag } from '@rpal/uapi';
import { type Caller, type Operation, OperationKind, Pending, WaitLimit } from '@rpal/vfs';
import { IpcStep } from '../steps.js';

/** What sending needs of a stream socket. */
export interface StreamSender {
  readonly nonblocking: boolean;
  /** Whoever waits for room. */
  readonly wait: WaitQueue;
  /** Where messages go; null once there is nowhere. */
  readonly peer: { dataReady(cpu: Cpu): void } | null;
  /** A message may be queued. */
  readonly hasRoom: boolean;
  /** How long it waits, nanoseconds; 0: for as long as it takes; negative: not at all. */
  readonly sendTimeout: number;
  /** Queues one message at the peer, with as much of `length` bytes as it takes. @returns how many, a negative errno, or `Pending.NOTHING_YET` */
  queueMessage(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number;
}

/** What receiving needs of a stream socket. */
export interface StreamReceiver {
  readonly nonblocking: boolean;
  /** Whoever waits for data. */
  readonly wait: WaitQueue;
  /** The message that came last, of those that are there. */
  readonly last: object | null;
  /** Nothing more will come. */
  readonly ended: boolean;
  /** A pending error, which ends a receive. */
  readonly error: number;
  /** Takes the pending error, as a negative errno; 0 if there is none. */
  takeError(): number;
  /** What was taken last must not be followed by anything else in the same receive. */
  readonly endsHere: boolean;
  /** How many bytes a receive waits for. */
  readonly receiveLow: number;
  /** How long it waits, nanoseconds; 0: for as long as it takes; negative: not at all. */
  readonly receiveTimeout: number;
  /**
   * Takes bytes of the first message. @param received bytes that the call has taken already
   * @returns how many, a negative errno, or `Pending.NOTHING_YET`
   */
  takeMessage(cpu: Cpu, caller: Caller, address: number, length: number, flags: number, received: number): number;
}

/** unix_stream_sendmsg, from the point where it does not fit one message or has to wait. */
export class SendOperation implements Operation {
  readonly #caller: Caller;
  readonly #entry: WaitEntry;
  readonly #scheduler: Scheduler;
  #limit: WaitLimit | null = null;
  #socket!: StreamSender;
  #address = 0;
  #length = 0;
  #flags = 0;
  #sent = 0;
  #state = 0;

  constructor(caller: Caller, scheduler: Scheduler) {
    this.#caller = caller;
    this.#scheduler = scheduler;
    this.#entry = new WaitEntry(autoremoveWake(scheduler), caller.task);
  }

  start(socket: StreamSender, address: number, length: number, flags: number): this {
    this.#socket = socket;
    this.#address = address;
    this.#length = length;
    // Whether it may wait is decided once, when the call begins.
    this.#flags = socket.nonblocking ? flags | MessageFlag.DONTWAIT : flags;
    this.#sent = 0;
    this.#state = 0;
    return this;
  }

  step(cpu: Cpu): number {
    const socket = this.#socket;
    const { task } = this.#caller;
    switch (this.#state) {
      case 0:
        return this.#queue(cpu);
      case 1:
        socket.peer?.dataReady(cpu);
        this.#state = 0;
        return this.#sent === this.#length ? this.#length : Pending.AGAIN;
      case 2:
        // Prepared to wait for room: it may have come meanwhile.
        this.#state = 3;
        return socket.hasRoom || socket.peer === null ? Pending.AGAIN : Pending.SLEEP;
      default:
        task.state = TaskState.RUNNING;
        socket.wait.remove(cpu, this.#entry);
        this.#state = 0;
        return Pending.AGAIN;
    }
  }

  #queue(cpu: Cpu): number {
    const socket = this.#socket;
    const { task } = this.#caller;
    // Who has sent something is told so, and not killed.
    const flags = this.#sent > 0 ? this.#flags | MessageFlag.NOSIGNAL : this.#flags;
    const queued = socket.queueMessage(cpu, this.#caller, this.#address + this.#sent, this.#length - this.#sent, flags);
    if (queued === Pending.NOTHING_YET) {
      // Signals end the wait for room only; what has room is sent first (Linux: `sock_alloc_send_pskb`).
      const error = this.#impatient(cpu, socket.sendTimeout);
      if (error !== 0) return this.#sent > 0 ? this.#sent : error;
      task.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, socket.wait);
      socket.wait.add(cpu, this.#entry);
      this.#state = 2;
      return Pending.AGAIN;
    }
    this.#limit?.stop();
    if (queued <= 0) return this.#sent > 0 ? this.#sent : queued;
    this.#sent += queued;
    this.#state = 1;
    return Pending.AGAIN;
  }

  /** Why it does not wait for room: a negative errno; 0 if it does. */
  #impatient(cpu: Cpu, timeout: number): number {
    if ((this.#flags & MessageFlag.DONTWAIT) !== 0) return -Errno.EAGAIN;
    const { task } = this.#caller;
    if (timeout === 0) return task.signalPending ? -Errno.ERESTARTSYS : 0;
    this.#limit ??= new WaitLimit(task, this.#scheduler);
    return this.#limit.check(cpu, timeout);
  }
}

/** The `SendOperation` of each task. */
export const STREAM_SEND: OperationKind<SendOperation> = new OperationKind('stream send');

/** unix_stream_read_generic, from the point where one message is not enough or none is there. */
export class ReceiveOperation implements Operation {
  readonly #caller: Caller;
  readonly #entry: WaitEntry;
  readonly #scheduler: Scheduler;
  #limit: WaitLimit | null = null;
  #socket!: StreamReceiver;
  #address = 0;
  #length = 0;
  #flags = 0;
  #received = 0;
  /** The last message that was there when there was nothing to take. */
  #seen: object | null = null;
  #state = 0;

  constructor(caller: Caller, scheduler: Scheduler) {
    this.#caller = caller;
    this.#scheduler = scheduler;
    this.#entry = new WaitEntry(autoremoveWake(scheduler), caller.task);
  }

  /** @param received bytes that the call has taken already */
  start(socket: StreamReceiver, address: number, length: number, flags: number, received: number): this {
    this.#socket = socket;
    this.#address = address;
    this.#length = length;
    // Whether it may wait is decided once, when the call begins.
    this.#flags = socket.nonblocking ? flags | MessageFlag.DONTWAIT : flags;
    this.#received = received;
    this.#seen = null;
    this.#state = socket.last === null ? 1 : 0;
    return this;
  }

  step(cpu: Cpu): number {
    const result = this.#next(cpu);
    if (result > Pending.AGAIN) this.#limit?.stop();
    return result;
  }

  #next(cpu: Cpu): number {
    const socket = this.#socket;
    const { task } = this.#caller;
    switch (this.#state) {
      case 0:
        return this.#take(cpu);
      case 1:
        return this.#prepare(cpu);
      case 2:
        // Prepared to wait: data may have come meanwhile.
        this.#state = 3;
        return socket.last !== this.#seen || socket.error !== 0 || socket.ended ? Pending.AGAIN : Pending.SLEEP;
      default:
        task.state = TaskState.RUNNING;
        socket.wait.remove(cpu, this.#entry);
        this.#state = 0;
        if (task.signalPending) return this.#interrupted();
        return Pending.AGAIN;
    }
  }

  #take(cpu: Cpu): number {
    const socket = this.#socket;
    const received = this.#received;
    if (received > 0 && socket.endsHere) return received;
    const taken = socket.takeMessage(cpu, this.#caller, this.#address + received, this.#length - received, this.#flags, received);
    if (taken === Pending.NOTHING_YET) {
      this.#seen = socket.last;
      this.#state = 1;
      return Pending.AGAIN;
    }
    if (taken < 0) return received > 0 ? received : taken;
    this.#received += taken;
    if (this.#received === this.#length || (this.#flags & MessageFlag.PEEK) !== 0 || socket.endsHere) return this.#received;
    return Pending.AGAIN;
  }

  /** Nothing there: an end, an error, or a wait. */
  #prepare(cpu: Cpu): number {
    const socket = this.#socket;
    const received = this.#received;
    const wanted = (this.#flags & MessageFlag.WAITALL) !== 0 ? this.#length : Math.min(socket.receiveLow, this.#length);
    if (received > 0 && received >= wanted) return received;
    const error = socket.takeError();
    if (error < 0) return received > 0 ? received : error;
    if (socket.ended) return received;
    if ((this.#flags & MessageFlag.DONTWAIT) !== 0) return received > 0 ? received : -Errno.EAGAIN;
    const { task } = this.#caller;
    if (socket.receiveTimeout !== 0) {
      this.#limit ??= new WaitLimit(task, this.#scheduler);
      const refused = this.#limit.check(cpu, socket.receiveTimeout);
      if (refused !== 0) return received > 0 ? received : refused;
    }
    cpu.charge(IpcStep.streamBlock);
    task.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, socket.wait);
    socket.wait.add(cpu, this.#entry);
    this.#state = 2;
    return Pending.AGAIN;
  }

  #interrupted(): number {
    const error = this.#socket.receiveTimeout !== 0 ? -Errno.EINTR : -Errno.ERESTARTSYS;
    return this.#received > 0 ? this.#received : error;
  }
}

/** The `ReceiveOperation` of each task. */
export const STREAM_RECEIVE: OperationKind<ReceiveOperation> = new OperationKind('stream receive');
