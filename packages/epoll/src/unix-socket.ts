import { type Cpu, SpinLock } from '@rpal/hw-x86';
import { copyFromUser, copyToUser } from '@rpal/mm';
import { published, type Scheduler, taken, WaitQueue } from '@rpal/sched';
import { Errno, MessageFlag, OpenFlag, Poll, Shutdown, Signal } from '@rpal/uapi';
import { File, type PollTable } from './file.js';
import { begin, type Caller, NOTHING_YET } from './operation.js';
import { SKB_MAX_LINEAR, type Skb, type SkbPool } from './skb.js';
import { FileStep } from './steps.js';
import { AcceptOperation, ConnectOperation, ReceiveOperation, SendOperation } from './unix-operations.js';

/** net.core.wmem_default. */
export const SEND_BUFFER_DEFAULT = 212_992;

export const SHUTDOWN_RECEIVE = 1;
export const SHUTDOWN_SEND = 2;

/** State of a stream socket. */
export const SocketState = { UNCONNECTED: 0, LISTENING: 1, CONNECTED: 2 } as const;

/** The Unix sockets of one machine: their names, and what they share. */
export class UnixNamespace {
  readonly scheduler: Scheduler;
  readonly skbs: SkbPool;
  readonly #bound = new Map<string, UnixStreamSocket>();

  constructor(scheduler: Scheduler, skbs: SkbPool) {
    this.scheduler = scheduler;
    this.skbs = skbs;
  }

  find(path: string): UnixStreamSocket | undefined {
    return this.#bound.get(path);
  }

  bind(path: string, socket: UnixStreamSocket): boolean {
    if (this.#bound.has(path)) return false;
    this.#bound.set(path, socket);
    return true;
  }

  unbind(path: string): void {
    this.#bound.delete(path);
  }
}

/** A Unix stream socket (net/unix/af_unix.c). */
export class UnixStreamSocket extends File {
  readonly namespace: UnixNamespace;
  readonly lock: SpinLock = new SpinLock(4);
  /** Whoever waits for data, space, connections, or by epoll (Linux: `sk->sk_wq`). */
  readonly wait: WaitQueue = new WaitQueue();
  state: number = SocketState.UNCONNECTED;
  peer: UnixStreamSocket | null = null;
  path: string | null = null;

  /** Messages to be read. */
  first: Skb | null = null;
  #last: Skb | null = null;
  /** Memory of own messages that nobody has read yet (Linux: `sk_wmem_alloc`). */
  sendQueued = 0;
  sendBuffer: number = SEND_BUFFER_DEFAULT;
  shutdownMask = 0;
  /** Pending error, returned once (SO_ERROR). */
  error = 0;

  /** Of a listener: connections not yet accepted. */
  readonly backlog: UnixStreamSocket[] = [];
  backlogLimit = 0;

  constructor(namespace: UnixNamespace, flags: number) {
    super(OpenFlag.RDWR | (flags & OpenFlag.NONBLOCK));
    this.namespace = namespace;
  }

  bind(cpu: Cpu, path: string): number {
    cpu.charge(FileStep.socketBind);
    if (this.path !== null) return -Errno.EINVAL;
    if (!this.namespace.bind(path, this)) return -Errno.EADDRINUSE;
    this.path = path;
    return 0;
  }

  listen(cpu: Cpu, backlog: number): number {
    cpu.charge(FileStep.socketListen);
    if (this.path === null || this.state === SocketState.CONNECTED) return -Errno.EINVAL;
    this.state = SocketState.LISTENING;
    this.backlogLimit = Math.max(0, Math.min(backlog >>> 0, 4096));
    return 0;
  }

  /** connect(2) to `path`. A full backlog makes the caller wait, or fails with EAGAIN. */
  connect(cpu: Cpu, caller: Caller, path: string): number {
    if (this.state === SocketState.CONNECTED) return -Errno.EISCONN;
    if (this.state === SocketState.LISTENING) return -Errno.EINVAL;
    caller.operations.connect ??= new ConnectOperation(caller, this.namespace.scheduler);
    return begin(cpu, caller, caller.operations.connect.start(this, path));
  }

  /** accept(2). @returns the connected socket's file through `caller`'s accept operation: see `accepted` */
  accept(cpu: Cpu, caller: Caller, install: (cpu: Cpu, socket: UnixStreamSocket) => number): number {
    if (this.state !== SocketState.LISTENING) return -Errno.EINVAL;
    caller.operations.accept ??= new AcceptOperation(caller, this.namespace.scheduler);
    return begin(cpu, caller, caller.operations.accept.start(this, install));
  }

  /** Two sockets, connected to each other. */
  static pair(namespace: UnixNamespace, flags: number): [UnixStreamSocket, UnixStreamSocket] {
    const a = new UnixStreamSocket(namespace, flags);
    const b = new UnixStreamSocket(namespace, flags);
    a.peer = b;
    b.peer = a;
    a.state = SocketState.CONNECTED;
    b.state = SocketState.CONNECTED;
    return [a, b];
  }

  override read(cpu: Cpu, caller: Caller, address: number, length: number): number {
    return this.receive(cpu, caller, address, length, 0);
  }

  override write(cpu: Cpu, caller: Caller, address: number, length: number): number {
    return this.send(cpu, caller, address, length, 0);
  }

  /** recvfrom(2). */
  receive(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number {
    cpu.charge(FileStep.socketCall);
    if (this.state !== SocketState.CONNECTED) return -Errno.EINVAL;
    const received = this.takeMessage(cpu, caller, address, length, flags);
    const more =
      received !== NOTHING_YET && received >= 0 && received < length && (this.first !== null || (flags & MessageFlag.WAITALL) !== 0);
    if (received !== NOTHING_YET && (!more || (flags & MessageFlag.PEEK) !== 0)) return received;
    caller.operations.receive ??= new ReceiveOperation(caller, this.namespace.scheduler);
    return begin(cpu, caller, caller.operations.receive.start(this, address, length, flags, Math.max(0, received)));
  }

  /** sendto(2). */
  send(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number {
    cpu.charge(FileStep.socketCall);
    if (length <= SKB_MAX_LINEAR && cpu.hasTime) {
      const sent = this.queueMessage(cpu, caller, address, length, flags);
      if (sent !== NOTHING_YET) {
        if (sent > 0) this.peer?.dataReady(cpu);
        return sent;
      }
    }
    caller.operations.send ??= new SendOperation(caller, this.namespace.scheduler);
    return begin(cpu, caller, caller.operations.send.start(this, address, length, flags));
  }

  /**
   * Takes bytes from the first message into user memory.
   * @returns how many, a negative errno, or `NOTHING_YET` if there is no message
   */
  takeMessage(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number {
    this.lock.acquire(cpu);
    const skb = this.first;
    if (skb === null) {
      this.lock.release(cpu);
      return NOTHING_YET;
    }
    taken(cpu, caller.task);
    cpu.charge(FileStep.receiveBody);
    const part = Math.min(length, skb.length - skb.consumed);
    cpu.chargeBytes(FileStep.copyToUser, part);
    cpu.coherence.touch(cpu, skb.data, false);
    const failed = copyToUser(cpu, caller.memory, address, skb.data + skb.consumed, part);
    if (failed < 0) {
      this.lock.release(cpu);
      return failed;
    }
    if ((flags & MessageFlag.PEEK) === 0) {
      skb.consumed += part;
      if (skb.consumed === skb.length) {
        this.dequeue();
        this.lock.release(cpu);
        cpu.charge(FileStep.releaseMessage);
        this.peer?.freed(cpu, skb.trueSize);
        this.namespace.skbs.free(skb);
        return part;
      }
    }
    this.lock.release(cpu);
    return part;
  }

  /**
   * Queues one message from user memory at the peer. The caller then announces it (`dataReady`).
   * @returns its length, a negative errno, or `NOTHING_YET` if the buffer is full
   */
  queueMessage(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number {
    const { peer } = this;
    if (this.error !== 0) {
      const { error } = this;
      this.error = 0;
      return -error;
    }
    if (this.state !== SocketState.CONNECTED) return -Errno.ENOTCONN;
    if ((this.shutdownMask & SHUTDOWN_SEND) !== 0 || peer === null || (peer.shutdownMask & SHUTDOWN_RECEIVE) !== 0) {
      if ((flags & MessageFlag.NOSIGNAL) === 0) caller.raise(cpu, Signal.PIPE);
      return -Errno.EPIPE;
    }
    if (length === 0) return 0;
    if (!this.hasRoom) return NOTHING_YET;
    const { skbs } = this.namespace;
    cpu.charge(FileStep.sendMessage);
    const skb = skbs.allocate(length);
    if (skb === null) return -Errno.ENOBUFS;
    cpu.coherence.touch(cpu, skb.data, true);
    cpu.chargeBytes(FileStep.copyFromUser, length);
    const failed = copyFromUser(cpu, caller.memory, skb.data, address, length);
    if (failed < 0) {
      skbs.free(skb);
      return failed;
    }
    peer.lock.pass(cpu);
    this.sendQueued += skb.trueSize;
    peer.enqueue(skb);
    return length;
  }

  /** A message may be queued: as long as the buffer is not yet full one more is let in, however large. */
  get hasRoom(): boolean {
    return this.sendQueued < this.sendBuffer;
  }

  shutdown(cpu: Cpu, how: number): number {
    cpu.charge(FileStep.shutdownBody);
    if (how < Shutdown.RD || how > Shutdown.RDWR) return -Errno.EINVAL;
    if (this.peer === null) return -Errno.ENOTCONN;
    const mask = how + 1;
    this.shutdownMask |= mask;
    const peerMask = ((mask & SHUTDOWN_SEND) !== 0 ? SHUTDOWN_RECEIVE : 0) | ((mask & SHUTDOWN_RECEIVE) !== 0 ? SHUTDOWN_SEND : 0);
    this.peer.shutdownMask |= peerMask;
    this.changed(cpu);
    this.peer.changed(cpu);
    return 0;
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    cpu.charge(FileStep.itemPoll);
    this.lock.touch(cpu);
    table?.register(cpu, this.wait);
    let mask = 0;
    if (this.error !== 0) mask |= Poll.ERR;
    if ((this.shutdownMask & 3) === 3) mask |= Poll.HUP;
    if ((this.shutdownMask & SHUTDOWN_RECEIVE) !== 0) mask |= Poll.RDHUP | Poll.IN | Poll.RDNORM;
    if (this.state === SocketState.LISTENING) return this.backlog.length > 0 ? mask | Poll.IN | Poll.RDNORM : mask;
    if (this.first !== null) mask |= Poll.IN | Poll.RDNORM;
    if (this.state === SocketState.UNCONNECTED) mask |= Poll.HUP;
    if (this.writable) mask |= Poll.OUT | Poll.WRNORM | Poll.WRBAND;
    return mask;
  }

  /** There is room for a message: a quarter of the buffer at most is taken (Linux: `unix_writable`). */
  get writable(): boolean {
    return this.state !== SocketState.LISTENING && this.sendQueued * 4 <= this.sendBuffer;
  }

  enqueue(skb: Skb): void {
    if (this.#last === null) this.first = skb;
    else this.#last.next = skb;
    this.#last = skb;
  }

  dequeue(): void {
    const skb = this.first as Skb;
    this.first = skb.next;
    if (this.first === null) this.#last = null;
    skb.next = null;
  }

  /** There is something to read (Linux: `sock_def_readable`). */
  dataReady(cpu: Cpu): void {
    published(cpu);
    cpu.charge(FileStep.readable);
    if (this.wait.active) this.wait.wake(cpu, 1, Poll.IN | Poll.PRI | Poll.RDNORM | Poll.RDBAND, true);
  }

  /** A message of this socket has been read and freed (Linux: `sock_wfree`, `unix_write_space`). Charge `releaseMessage` before. */
  freed(cpu: Cpu, trueSize: number): void {
    this.sendQueued -= trueSize;
    if (this.writable && this.wait.active) this.wait.wake(cpu, 1, Poll.OUT | Poll.WRNORM | Poll.WRBAND, true);
  }

  /** The state has changed (Linux: `sock_def_wakeup`, and POLLHUP or POLLIN for pollers). */
  changed(cpu: Cpu): void {
    if (this.wait.active) this.wait.wake(cpu, 0, Poll.IN | Poll.RDNORM | Poll.RDHUP | Poll.HUP, false);
  }

  override release(cpu: Cpu): void {
    if (this.path !== null && this.namespace.find(this.path) === this) this.namespace.unbind(this.path);
    const unread = this.first !== null;
    while (this.first !== null) {
      const skb = this.first;
      this.dequeue();
      cpu.charge(FileStep.releaseMessage);
      this.peer?.freed(cpu, skb.trueSize);
      this.namespace.skbs.free(skb);
    }
    for (const waiting of this.backlog.splice(0)) waiting.release(cpu);
    const { peer } = this;
    if (peer !== null) {
      peer.shutdownMask = SHUTDOWN_RECEIVE | SHUTDOWN_SEND;
      if (unread) peer.error = Errno.ECONNRESET;
      peer.changed(cpu);
      this.peer = null;
    }
  }
}
