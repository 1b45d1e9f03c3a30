import type { Cpu } from '@rpal/hw-x86';
import { autoremoveWake, type Scheduler, TaskState, WaitEntry } from '@rpal/sched';
import { Errno, MessageFlag, Poll } from '@rpal/uapi';
import { type Caller, NOTHING_YET, type Operation, Step } from './operation.js';
import { SKB_MAX_LINEAR } from './skb.js';
import { FileStep } from './steps.js';
import { SHUTDOWN_RECEIVE, SocketState, UnixStreamSocket } from './unix-socket.js';

/** unix_stream_sendmsg, from the point where it does not fit one message or has to wait. */
export class SendOperation implements Operation {
  readonly #caller: Caller;
  readonly #entry: WaitEntry;
  #socket!: UnixStreamSocket;
  #address = 0;
  #length = 0;
  #flags = 0;
  #sent = 0;
  #state = 0;

  constructor(caller: Caller, scheduler: Scheduler) {
    this.#caller = caller;
    this.#entry = new WaitEntry(autoremoveWake(scheduler), caller.task);
  }

  start(socket: UnixStreamSocket, address: number, length: number, flags: number): this {
    this.#socket = socket;
    this.#address = address;
    this.#length = length;
    this.#flags = flags;
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
        return this.#sent === this.#length ? this.#length : Step.AGAIN;
      case 2:
        // Prepared to wait for room: it may have come meanwhile.
        this.#state = 3;
        return socket.hasRoom || socket.peer === null ? Step.AGAIN : Step.SLEEP;
      default:
        task.state = TaskState.RUNNING;
        socket.wait.remove(cpu, this.#entry);
        this.#state = 0;
        if (task.signalPending) return this.#sent > 0 ? this.#sent : -Errno.EINTR;
        return Step.AGAIN;
    }
  }

  #queue(cpu: Cpu): number {
    const socket = this.#socket;
    const length = Math.min(this.#length - this.#sent, SKB_MAX_LINEAR);
    const queued = socket.queueMessage(cpu, this.#caller, this.#address + this.#sent, length, this.#flags);
    if (queued === NOTHING_YET) {
      if (socket.nonblocking || (this.#flags & MessageFlag.DONTWAIT) !== 0) return this.#sent > 0 ? this.#sent : -Errno.EAGAIN;
      this.#caller.task.state = TaskState.INTERRUPTIBLE;
      socket.wait.add(cpu, this.#entry);
      this.#state = 2;
      return Step.AGAIN;
    }
    if (queued <= 0) return this.#sent > 0 ? this.#sent : queued;
    this.#sent += queued;
    this.#state = 1;
    return Step.AGAIN;
  }
}

/** unix_stream_read_generic, from the point where one message is not enough or none is there. */
export class ReceiveOperation implements Operation {
  readonly #caller: Caller;
  readonly #entry: WaitEntry;
  #socket!: UnixStreamSocket;
  #address = 0;
  #length = 0;
  #flags = 0;
  #received = 0;
  #state = 0;

  constructor(caller: Caller, scheduler: Scheduler) {
    this.#caller = caller;
    this.#entry = new WaitEntry(autoremoveWake(scheduler), caller.task);
  }

  /** @param received bytes that the call has taken already */
  start(socket: UnixStreamSocket, address: number, length: number, flags: number, received: number): this {
    this.#socket = socket;
    this.#address = address;
    this.#length = length;
    this.#flags = flags;
    this.#received = received;
    this.#state = socket.first === null ? 1 : 0;
    return this;
  }

  step(cpu: Cpu): number {
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
        return socket.first !== null || socket.error !== 0 || (socket.shutdownMask & SHUTDOWN_RECEIVE) !== 0 ? Step.AGAIN : Step.SLEEP;
      default:
        task.state = TaskState.RUNNING;
        socket.wait.remove(cpu, this.#entry);
        this.#state = 0;
        if (socket.first === null && task.signalPending) return this.#received > 0 ? this.#received : -Errno.ERESTARTSYS;
        return Step.AGAIN;
    }
  }

  #take(cpu: Cpu): number {
    const socket = this.#socket;
    const taken = socket.takeMessage(cpu, this.#caller, this.#address + this.#received, this.#length - this.#received, this.#flags);
    if (taken === NOTHING_YET) {
      this.#state = 1;
      return Step.AGAIN;
    }
    if (taken < 0) return this.#received > 0 ? this.#received : taken;
    this.#received += taken;
    if (this.#received === this.#length || (this.#flags & MessageFlag.PEEK) !== 0) return this.#received;
    return Step.AGAIN;
  }

  /** Nothing there: an end, an error, or a wait. */
  #prepare(cpu: Cpu): number {
    const socket = this.#socket;
    if (this.#received > 0 && (this.#flags & MessageFlag.WAITALL) === 0) return this.#received;
    if (socket.error !== 0) {
      const { error } = socket;
      socket.error = 0;
      return -error;
    }
    if ((socket.shutdownMask & SHUTDOWN_RECEIVE) !== 0) return this.#received;
    if (socket.nonblocking || (this.#flags & MessageFlag.DONTWAIT) !== 0) return this.#received > 0 ? this.#received : -Errno.EAGAIN;
    this.#caller.task.state = TaskState.INTERRUPTIBLE;
    socket.wait.add(cpu, this.#entry);
    this.#state = 2;
    return Step.AGAIN;
  }
}

/** unix_stream_connect. */
export class ConnectOperation implements Operation {
  readonly #caller: Caller;
  readonly #entry: WaitEntry;
  #socket!: UnixStreamSocket;
  #path = '';
  #listener: UnixStreamSocket | null = null;
  #state = 0;

  constructor(caller: Caller, scheduler: Scheduler) {
    this.#caller = caller;
    this.#entry = new WaitEntry(autoremoveWake(scheduler), caller.task);
  }

  start(socket: UnixStreamSocket, path: string): this {
    this.#socket = socket;
    this.#path = path;
    this.#state = 0;
    return this;
  }

  step(cpu: Cpu): number {
    const socket = this.#socket;
    if (this.#state === 1) {
      this.#caller.task.state = TaskState.RUNNING;
      this.#listener?.wait.remove(cpu, this.#entry);
      this.#state = 0;
      if (this.#caller.task.signalPending) return -Errno.ERESTARTSYS;
    }
    cpu.charge(FileStep.socketConnect);
    const listener = socket.namespace.find(this.#path);
    if (listener === undefined) return -Errno.ENOENT;
    if (listener.state !== SocketState.LISTENING || (listener.shutdownMask & SHUTDOWN_RECEIVE) !== 0) return -Errno.ECONNREFUSED;
    if (listener.backlog.length > listener.backlogLimit) {
      if (socket.nonblocking) return -Errno.EAGAIN;
      this.#listener = listener;
      this.#caller.task.state = TaskState.INTERRUPTIBLE;
      listener.wait.add(cpu, this.#entry);
      this.#state = 1;
      return Step.SLEEP;
    }
    const other = new UnixStreamSocket(socket.namespace, 0);
    other.state = SocketState.CONNECTED;
    other.peer = socket;
    socket.peer = other;
    socket.state = SocketState.CONNECTED;
    listener.backlog.push(other);
    listener.dataReady(cpu);
    return 0;
  }
}

/** unix_accept. */
export class AcceptOperation implements Operation {
  readonly #caller: Caller;
  readonly #entry: WaitEntry;
  #listener!: UnixStreamSocket;
  #install!: (cpu: Cpu, socket: UnixStreamSocket) => number;
  #waiting = false;

  constructor(caller: Caller, scheduler: Scheduler) {
    this.#caller = caller;
    this.#entry = new WaitEntry(autoremoveWake(scheduler), caller.task);
    this.#entry.exclusive = true;
  }

  start(listener: UnixStreamSocket, install: (cpu: Cpu, socket: UnixStreamSocket) => number): this {
    this.#listener = listener;
    this.#install = install;
    this.#waiting = false;
    return this;
  }

  step(cpu: Cpu): number {
    const listener = this.#listener;
    const { task } = this.#caller;
    if (this.#waiting) {
      task.state = TaskState.RUNNING;
      listener.wait.remove(cpu, this.#entry);
      this.#waiting = false;
      if (listener.backlog.length === 0 && task.signalPending) return -Errno.ERESTARTSYS;
    }
    const socket = listener.backlog.shift();
    if (socket === undefined) {
      if (listener.nonblocking) return -Errno.EAGAIN;
      task.state = TaskState.INTERRUPTIBLE;
      listener.wait.add(cpu, this.#entry);
      this.#waiting = true;
      return Step.SLEEP;
    }
    cpu.charge(FileStep.socketAccept);
    listener.wait.wake(cpu, 1, Poll.OUT, false);
    const fd = this.#install(cpu, socket);
    if (fd < 0) socket.release(cpu);
    return fd;
  }
}
