import type { Cpu } from '@rpal/hw-x86';
import { type WaitQueue, Wake } from '@rpal/sched';
import { Errno, MessageFlag, Poll, SocketType } from '@rpal/uapi';
import { begin, type Caller, OperationKind, Pending, type PollTable, RetryOperation, VfsStep, Waiter } from '@rpal/vfs';
import { IpcStep } from '../steps.js';
import { drainSkb, fillSkb, type Skb } from './skb.js';
import { messageOf, NOBODY } from './socket-message.js';
import { acceptConnection, connectToListener } from './unix-connect.js';
import { SHUTDOWN_BOTH, SHUTDOWN_RECEIVE, SHUTDOWN_SEND, SocketState, type UnixNamespace, UnixSocket } from './unix-socket.js';

/** net.unix.max_dgram_qlen: messages that may wait from senders that the receiver is not connected to, less one. */
const MAX_QUEUED = 10;

/** A Unix socket with message borders: SOCK_DGRAM or SOCK_SEQPACKET. */
export class UnixPacketSocket extends UnixSocket {
  constructor(namespace: UnixNamespace, type: number, flags: number) {
    super(namespace, type, flags);
    if (type === SocketType.DGRAM) this.backlogLimit = MAX_QUEUED;
  }

  /** Two sockets, connected to each other. */
  static pair(namespace: UnixNamespace, type: number, flags: number): [UnixPacketSocket, UnixPacketSocket] {
    const a = new UnixPacketSocket(namespace, type, flags);
    const b = new UnixPacketSocket(namespace, type, flags);
    a.join(b);
    return [a, b];
  }

  protected override sibling(): this {
    return new UnixPacketSocket(this.namespace, this.type, 0) as this;
  }

  override connect(cpu: Cpu, caller: Caller, path: string): number {
    if (this.connectionBased) return connectToListener(cpu, caller, this, path);
    cpu.charge(IpcStep.socketConnect);
    this.autobind();
    const other = this.namespace.names.find(path, this.type) as this | number;
    if (typeof other === 'number') return other;
    if (!other.accepts(this)) return -Errno.EPERM;
    this.state = SocketState.CONNECTED;
    other.state = SocketState.CONNECTED;
    const { peer } = this;
    this.peer = other;
    if (peer !== null && peer !== other) this.#disconnected(cpu, peer);
    return 0;
  }

  override accept(cpu: Cpu, caller: Caller, install: (cpu: Cpu, socket: UnixSocket) => number): number {
    return this.connectionBased ? acceptConnection(cpu, caller, this, install) : -Errno.EOPNOTSUPP;
  }

  /** A socket that is connected takes messages from its peer only (Linux: `unix_may_send`). One that is gone has no peer. */
  accepts(sender: UnixPacketSocket): boolean {
    return this.dead || this.peer === null || this.peer === sender;
  }

  /** Too many messages wait for others to be let in; the peer is not held up by it. */
  fullFor(sender: UnixPacketSocket): boolean {
    return this !== sender && this.peer !== sender && this.queued > this.backlogLimit;
  }

  /** The connection to `peer` is over: what it sent is lost, and it is told so if it was connected to this socket. */
  #disconnected(cpu: Cpu, peer: UnixPacketSocket): void {
    if (this.relay.queue !== null) this.relay.queue.unlink(this.relay);
    if (this.first === null) return;
    this.purge(cpu);
    this.namespace.inFlight.puts.settle(cpu);
    this.peerWait.walk(cpu, Wake.ALL);
    if (!peer.dead && peer.peer === this) {
      peer.error = Errno.ECONNRESET;
      peer.wait.wakeOne(cpu, Poll.ERR);
    }
  }

  override send(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number {
    cpu.charge(IpcStep.socketCall);
    const operation =
      caller.operations.get(PACKET_SEND) ??
      caller.operations.keep(PACKET_SEND, new PacketSendOperation(caller, this.namespace.scheduler, Waiter.EXCLUSIVE));
    return begin(cpu, caller, operation.start(this, address, length, flags));
  }

  override receive(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number {
    cpu.charge(IpcStep.socketCall);
    if (this.connectionBased && this.state !== SocketState.CONNECTED) return -Errno.ENOTCONN;
    if ((flags & MessageFlag.OOB) !== 0) return -Errno.EOPNOTSUPP;
    const operation =
      caller.operations.get(PACKET_RECEIVE) ??
      caller.operations.keep(
        PACKET_RECEIVE,
        new PacketReceiveOperation(caller, this.namespace.scheduler, Waiter.EXCLUSIVE, Poll.IN | Poll.ERR),
      );
    return begin(cpu, caller, operation.start(this, address, length, flags));
  }

  override refusal(): number {
    if (!this.connectionBased) return 0;
    const error = this.takeError();
    return error < 0 || this.state === SocketState.CONNECTED ? error : -Errno.ENOTCONN;
  }

  /** FIONREAD: of datagrams only the first counts. */
  override get unread(): number {
    return this.connectionBased ? super.unread : (this.first?.length ?? 0);
  }

  /** Where a message to `name` goes, or to the peer; or a negative errno. */
  destination(name: string | null): UnixPacketSocket | number {
    if (name !== null && !this.connectionBased) return this.namespace.names.find(name, this.type) as UnixPacketSocket | number;
    return this.peer ?? -Errno.ENOTCONN;
  }

  /** The peer turned out to be closed. */
  lose(cpu: Cpu): number {
    this.disconnectPeer(cpu);
    return -Errno.ECONNREFUSED;
  }

  /** It is connected to nobody from now on (connect with AF_UNSPEC). */
  disconnectPeer(cpu: Cpu): void {
    const { peer } = this;
    if (peer === null) return;
    this.peer = null;
    this.state = SocketState.UNCONNECTED;
    this.#disconnected(cpu, peer);
    if (peer.peer === null) peer.state = SocketState.UNCONNECTED;
  }

  /** Wants to be told when `other` has room. */
  watchRoom(cpu: Cpu, other: UnixPacketSocket): void {
    if (this.relay.queue === null) other.peerWait.add(cpu, this.relay);
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    cpu.charge(VfsStep.itemPoll);
    this.lock.touch(cpu);
    table?.register(cpu, this.wait);
    let mask = 0;
    if (this.error !== 0) mask |= Poll.ERR;
    if ((this.shutdownMask & SHUTDOWN_RECEIVE) !== 0) mask |= Poll.RDHUP | Poll.IN | Poll.RDNORM;
    if (this.shutdownMask === SHUTDOWN_BOTH) mask |= Poll.HUP;
    if (this.first !== null || this.backlog.length > 0) mask |= Poll.IN | Poll.RDNORM;
    if (this.connectionBased && this.state === SocketState.UNCONNECTED) mask |= Poll.HUP;
    if (!this.writable) return mask;
    const { peer } = this;
    if (peer?.fullFor(this) === true && !peer.dead) {
      this.watchRoom(cpu, peer);
      return mask;
    }
    return mask | Poll.OUT | Poll.WRNORM | Poll.WRBAND;
  }
}

/** unix_dgram_sendmsg. */
export class PacketSendOperation extends RetryOperation {
  #socket!: UnixPacketSocket;
  #address = 0;
  #length = 0;
  #flags = 0;
  /** The message, once there was room for it in the own buffer. */
  #skb: Skb | null = null;
  /** What it waits for: room in the own buffer, or in the queue of the receiver. */
  #queue!: WaitQueue;

  start(socket: UnixPacketSocket, address: number, length: number, flags: number): this {
    this.#socket = socket;
    this.#address = address;
    this.#length = length;
    this.#flags = socket.nonblocking ? flags | MessageFlag.DONTWAIT : flags;
    this.#skb = null;
    return this;
  }

  protected override get queue(): WaitQueue {
    return this.#queue;
  }

  protected override get patience(): number {
    return this.#socket.sendTimeout;
  }

  protected override interrupted(cpu: Cpu, error: number): number {
    return this.#drop(cpu, error);
  }

  get #mayWait(): boolean {
    return (this.#flags & MessageFlag.DONTWAIT) === 0;
  }

  protected override attempt(cpu: Cpu): number {
    const socket = this.#socket;
    const name = messageOf(this.caller)?.name ?? null;
    if (this.#skb === null) {
      const result = this.#prepareMessage(cpu, socket);
      if (result < 0) return result;
    }
    const other = socket.destination(name);
    if (typeof other === 'number') return this.#drop(cpu, other);
    if (!other.accepts(socket)) return this.#drop(cpu, -Errno.EPERM);
    if (other.dead) return this.#drop(cpu, socket.connectionBased ? -Errno.EPIPE : socket.lose(cpu));
    if ((other.shutdownMask & SHUTDOWN_RECEIVE) !== 0) return this.#drop(cpu, -Errno.EPIPE);
    if (other.fullFor(socket)) {
      if (this.#mayWait) {
        this.#queue = other.peerWait;
        return Pending.NOTHING_YET;
      }
      if (socket.peer === other) socket.watchRoom(cpu, other);
      return this.#drop(cpu, -Errno.EAGAIN);
    }
    const skb = this.#skb as Skb;
    this.#skb = null;
    this.#attach(skb, socket, other);
    other.lock.pass(cpu);
    other.enqueue(cpu, skb);
    other.dataReady(cpu);
    return this.#length;
  }

  /** @returns 0 once there is a message, a negative errno, or `Pending.NOTHING_YET` */
  #prepareMessage(cpu: Cpu, socket: UnixPacketSocket): number {
    const refused = socket.refusal();
    if (refused < 0) return refused;
    if ((this.#flags & MessageFlag.OOB) !== 0) return -Errno.EOPNOTSUPP;
    // Who is meant is looked up once there is a message; that it is a name at all, before.
    if (!socket.connectionBased && messageOf(this.caller)?.name === '') return -Errno.EINVAL;
    socket.autobind();
    if (this.#length > socket.sendBuffer - 32) return -Errno.EMSGSIZE;
    const error = socket.takeError();
    if (error < 0) return error;
    if ((socket.shutdownMask & SHUTDOWN_SEND) !== 0) return -Errno.EPIPE;
    if (!socket.hasRoom) {
      this.#queue = socket.wait;
      return this.#mayWait ? Pending.NOTHING_YET : -Errno.EAGAIN;
    }
    const { skbs } = socket.namespace;
    cpu.charge(IpcStep.packetSend);
    const skb = skbs.allocateDatagram(cpu, this.#length);
    if (skb === null) return -Errno.ENOBUFS;
    const failed = fillSkb(cpu, this.caller, skb, this.#address);
    if (failed < 0) {
      skbs.free(cpu, skb);
      return failed;
    }
    skb.owner = socket;
    socket.sendQueued += skb.trueSize;
    this.#skb = skb;
    return 0;
  }

  #attach(skb: Skb, socket: UnixPacketSocket, other: UnixPacketSocket): void {
    const { credentials } = this.caller;
    const message = messageOf(this.caller);
    skb.from = socket.path;
    if (socket.passCredentials || other.tellsSender) skb.credentials = credentials;
    if (message === null) return;
    skb.credentials = message.credentials ?? skb.credentials;
    other.attach(skb, message.files);
    message.files = null;
  }

  #drop(cpu: Cpu, result: number): number {
    const skb = this.#skb;
    if (skb !== null) {
      this.#skb = null;
      const { namespace } = this.#socket;
      this.#socket.freed(cpu, skb.trueSize);
      namespace.skbs.free(cpu, skb);
    }
    return result;
  }
}

/** The `PacketSendOperation` of each task. */
export const PACKET_SEND: OperationKind<PacketSendOperation> = new OperationKind('packet send');

/** __unix_dgram_recvmsg. */
export class PacketReceiveOperation extends RetryOperation {
  #socket!: UnixPacketSocket;
  #address = 0;
  #length = 0;
  #flags = 0;

  start(socket: UnixPacketSocket, address: number, length: number, flags: number): this {
    this.#socket = socket;
    this.#address = address;
    this.#length = length;
    this.#flags = socket.nonblocking ? flags | MessageFlag.DONTWAIT : flags;
    return this;
  }

  protected override get queue(): WaitQueue {
    return this.#socket.wait;
  }

  protected override get patience(): number {
    return this.#socket.receiveTimeout;
  }

  protected override attempt(cpu: Cpu): number {
    const socket = this.#socket;
    const error = socket.takeError();
    if (error < 0) return error;
    let skb = socket.first;
    let skip = 0;
    if ((this.#flags & MessageFlag.PEEK) !== 0 && socket.peekOffset >= 0) {
      // Messages that lie before it are passed over; an empty one is seen once.
      skip = socket.peekOffset;
      for (; skb !== null && skip >= skb.length && (skip > 0 || skb.peeked); skb = skb.next) skip -= skb.length;
    }
    if (skb !== null) return this.#take(cpu, socket, skb, skip);
    const ended = (socket.shutdownMask & SHUTDOWN_RECEIVE) !== 0;
    if ((this.#flags & MessageFlag.DONTWAIT) !== 0) return ended && socket.connectionBased ? 0 : -Errno.EAGAIN;
    return ended ? 0 : Pending.NOTHING_YET;
  }

  protected override prepare(cpu: Cpu): void {
    cpu.charge(IpcStep.packetBlock);
  }

  /** @param skip bytes that are not looked at */
  #take(cpu: Cpu, socket: UnixPacketSocket, skb: Skb, skip: number): number {
    const message = messageOf(this.caller);
    socket.handover.find(cpu, this.caller.task);
    cpu.charge(IpcStep.packetReceive);
    socket.lock.pass(cpu);
    const peeking = (this.#flags & MessageFlag.PEEK) !== 0;
    if (peeking) {
      skb.peeked = true;
    } else {
      socket.handover.take(cpu, this.caller.task, skb.length);
      socket.dequeue();
    }
    socket.peerWait.wakeOneSync(cpu, Poll.OUT | Poll.WRNORM | Poll.WRBAND);
    const length = skb.length - skip;
    const part = Math.min(this.#length, length);
    const failed = drainSkb(cpu, this.caller, skb, skip, this.#address, part);
    socket.movePeek(peeking ? part : -length);
    if (message !== null) {
      message.name = skb.from;
      if (socket.passCredentials) message.credentials = skb.credentials ?? NOBODY;
      if (part < length) message.flags |= MessageFlag.TRUNC;
      if (peeking && skb.files !== null) message.files = skb.files.map((file) => file.get());
    }
    if (!peeking) {
      socket.landFiles(cpu, this.caller, skb);
      cpu.charge(IpcStep.releaseMessage);
      skb.owner?.freed(cpu, skb.trueSize);
      socket.namespace.skbs.free(cpu, skb);
    }
    if (failed < 0) return failed;
    return (this.#flags & MessageFlag.TRUNC) !== 0 ? length : part;
  }
}

/** The `PacketReceiveOperation` of each task. */
export const PACKET_RECEIVE: OperationKind<PacketReceiveOperation> = new OperationKind('packet receive');
