import type { Cpu } from '@rpal/hw-x86';
import { type Scheduler, type WaitQueue, Wake } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { begin, type Caller, OperationKind, Pending, RetryOperation, Waiter } from '@rpal/vfs';
import { IpcStep } from '../steps.js';
import { SHUTDOWN_RECEIVE, SocketState, type UnixSocket } from './unix-socket.js';

/** connect(2) of a connection-based socket to a listener at `path`. */
export function connectToListener(cpu: Cpu, caller: Caller, socket: UnixSocket, path: string): number {
  const operation =
    caller.operations.get(CONNECT) ?? caller.operations.keep(CONNECT, new ConnectOperation(caller, socket.namespace.scheduler));
  return begin(cpu, caller, operation.start(socket, path));
}

/** accept(2) of a connection-based socket. `install` gives the connection a descriptor. */
export function acceptConnection(
  cpu: Cpu,
  caller: Caller,
  listener: UnixSocket,
  install: (cpu: Cpu, socket: UnixSocket) => number,
): number {
  if (listener.state !== SocketState.LISTENING) return -Errno.EINVAL;
  const operation =
    caller.operations.get(ACCEPT) ?? caller.operations.keep(ACCEPT, new AcceptOperation(caller, listener.namespace.scheduler));
  return begin(cpu, caller, operation.start(listener, install));
}

/** unix_stream_connect. */
class ConnectOperation extends RetryOperation {
  #socket!: UnixSocket;
  #path = '';
  #listener!: UnixSocket;
  #mayWait = false;

  constructor(caller: Caller, scheduler: Scheduler) {
    super(caller, scheduler, Waiter.EXCLUSIVE);
  }

  start(socket: UnixSocket, path: string): this {
    this.#socket = socket;
    this.#mayWait = !socket.nonblocking;
    this.#path = path;
    return this;
  }

  protected override get queue(): WaitQueue {
    return this.#listener.peerWait;
  }

  protected override get patience(): number {
    return this.#socket.sendTimeout;
  }

  protected override attempt(cpu: Cpu): number {
    const socket = this.#socket;
    cpu.charge(IpcStep.socketConnect);
    socket.autobind();
    const listener = socket.namespace.names.find(this.#path, socket.type);
    if (typeof listener === 'number') return listener;
    if (listener.state !== SocketState.LISTENING || (listener.shutdownMask & SHUTDOWN_RECEIVE) !== 0) return -Errno.ECONNREFUSED;
    if (listener.backlog.length > listener.backlogLimit) {
      this.#listener = listener;
      return this.#mayWait ? Pending.NOTHING_YET : -Errno.EAGAIN;
    }
    if (socket.state !== SocketState.UNCONNECTED) return socket.state === SocketState.CONNECTED ? -Errno.EISCONN : -Errno.EINVAL;
    socket.connectTo(cpu, listener);
    return 0;
  }
}

/** The `ConnectOperation` of each task. */
const CONNECT: OperationKind<ConnectOperation> = new OperationKind('connect');

/** unix_accept. */
class AcceptOperation extends RetryOperation {
  #listener!: UnixSocket;
  #install!: (cpu: Cpu, socket: UnixSocket) => number;
  #mayWait = false;

  constructor(caller: Caller, scheduler: Scheduler) {
    super(caller, scheduler, Waiter.EXCLUSIVE);
  }

  start(listener: UnixSocket, install: (cpu: Cpu, socket: UnixSocket) => number): this {
    this.#listener = listener;
    this.#install = install;
    this.#mayWait = !listener.nonblocking;
    return this;
  }

  protected override get queue(): WaitQueue {
    return this.#listener.wait;
  }

  protected override get patience(): number {
    return this.#listener.receiveTimeout;
  }

  protected override attempt(cpu: Cpu): number {
    const listener = this.#listener;
    const error = listener.takeError();
    if (error < 0) return error;
    const socket = listener.backlog.shift();
    if (socket === undefined) {
      if (!this.#mayWait) return -Errno.EAGAIN;
      return (listener.shutdownMask & SHUTDOWN_RECEIVE) !== 0 ? -Errno.EINVAL : Pending.NOTHING_YET;
    }
    listener.handover.take(cpu, this.caller.task, 0);
    cpu.charge(IpcStep.socketAccept);
    socket.listener = null;
    if (listener.namespace.rules.connectInheritsOptions !== true) socket.passCredentials = listener.passCredentials;
    listener.namespace.inFlight.accepted(listener);
    listener.peerWait.walk(cpu, Wake.ONE);
    // Without a descriptor it is closed with this reference.
    socket.get();
    const fd = this.#install(cpu, socket);
    socket.put(cpu);
    return fd;
  }
}

/** The `AcceptOperation` of each task. */
const ACCEPT: OperationKind<AcceptOperation> = new OperationKind('accept');
