import type { Cpu } from '@rpal/hw-x86';
import { Errno, MessageFlag, Poll, Signal, SocketType } from '@rpal/uapi';
import { begin, type Caller, type Credentials, Pending, type PollTable, VfsStep } from '@rpal/vfs';
import { IpcStep } from '../steps.js';
import { drainSkb, fillSkb, pagesOf, SKB_MAX_LINEAR, type Skb, type SkbPiece, STREAM_MESSAGE_MAX } from './skb.js';
import { messageOf, NOBODY, UNSET } from './socket-message.js';
import { acceptConnection, connectToListener } from './unix-connect.js';
import { SHUTDOWN_BOTH, SHUTDOWN_RECEIVE, SHUTDOWN_SEND, SocketState, type UnixNamespace, UnixSocket } from './unix-socket.js';
import {
  ReceiveOperation,
  SendOperation,
  STREAM_RECEIVE,
  STREAM_SEND,
  type StreamReceiver,
  type StreamSender,
} from './unix-stream-operations.js';

/** A Unix stream socket. */
export class UnixStreamSocket extends UnixSocket implements StreamSender, StreamReceiver {
  /** The message last taken from brought descriptors: a receive does not go on beyond it. */
  broughtFiles = false;
  /** Who sent the message last taken, if SO_PASSCRED is set: a receive does not go on to those of others. */
  #sender: Credentials | null = null;
  /** Most bytes that a send queues at once, as one message in one piece. */
  #atOnce = SKB_MAX_LINEAR;

  constructor(namespace: UnixNamespace, flags: number) {
    super(namespace, SocketType.STREAM, flags);
  }

  /** Two sockets, connected to each other. */
  static pair(namespace: UnixNamespace, flags: number): [UnixStreamSocket, UnixStreamSocket] {
    const a = new UnixStreamSocket(namespace, flags);
    const b = new UnixStreamSocket(namespace, flags);
    a.join(b);
    return [a, b];
  }

  /** Most bytes of a send that one message takes: two are to fit into the send buffer. */
  get messageMaximum(): number {
    return Math.min((this.sendBuffer >> 1) - 64, STREAM_MESSAGE_MAX);
  }

  override setSendBuffer(cpu: Cpu, bytes: number): void {
    super.setSendBuffer(cpu, bytes);
    this.#atOnce = Math.min(this.messageMaximum, SKB_MAX_LINEAR);
  }

  protected override sibling(): this {
    return new UnixStreamSocket(this.namespace, 0) as this;
  }

  override connect(cpu: Cpu, caller: Caller, path: string): number {
    return connectToListener(cpu, caller, this, path);
  }

  override accept(cpu: Cpu, caller: Caller, install: (cpu: Cpu, socket: UnixSocket) => number): number {
    return acceptConnection(cpu, caller, this, install);
  }

  override receive(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number {
    cpu.charge(IpcStep.socketCall);
    if (this.state !== SocketState.CONNECTED) return -Errno.EINVAL;
    if (this.passCredentials) {
      const message = messageOf(caller);
      if (message !== null) message.credentials = UNSET;
    }
    const received = this.takeMessage(cpu, caller, address, length, flags);
    if (received !== Pending.NOTHING_YET) {
      const more = received >= 0 && received < length && (this.first !== null || (flags & MessageFlag.WAITALL) !== 0);
      if (!more || (flags & MessageFlag.PEEK) !== 0 || this.endsHere) return received;
    }
    const operation =
      caller.operations.get(STREAM_RECEIVE) ??
      caller.operations.keep(STREAM_RECEIVE, new ReceiveOperation(caller, this.namespace.scheduler));
    return begin(cpu, caller, operation.start(this, address, length, flags, Math.max(0, received)));
  }

  override send(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number {
    cpu.charge(IpcStep.socketCall);
    if (length <= this.#atOnce && cpu.hasTime) {
      const sent = this.queueMessage(cpu, caller, address, length, flags);
      if (sent !== Pending.NOTHING_YET) {
        if (sent > 0) this.peer?.dataReady(cpu);
        return sent;
      }
    }
    const operation =
      caller.operations.get(STREAM_SEND) ?? caller.operations.keep(STREAM_SEND, new SendOperation(caller, this.namespace.scheduler));
    return begin(cpu, caller, operation.start(this, address, length, flags));
  }

  /**
   * Takes bytes from the first message into user memory.
   * @returns how many, a negative errno, or `Pending.NOTHING_YET` if there is no message
   */
  takeMessage(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number {
    this.lock.acquire(cpu);
    const skb = this.first;
    if (skb === null) {
      this.lock.release(cpu);
      return Pending.NOTHING_YET;
    }
    this.handover.find(cpu, caller.task);
    cpu.charge(IpcStep.receiveBody);
    if ((flags & MessageFlag.PEEK) !== 0) return this.#peek(cpu, caller, address, length);
    const part = Math.min(length, skb.length - skb.consumed);
    const failed = drainSkb(cpu, caller, skb, skb.consumed, address, part);
    if (failed < 0) {
      this.lock.release(cpu);
      return failed;
    }
    skb.consumed += part;
    this.handover.take(cpu, caller.task, part);
    this.broughtFiles = skb.files !== null;
    if (this.broughtFiles) this.landFiles(cpu, caller, skb);
    if (this.passCredentials) this.#noteSender(caller, skb);
    if (skb.consumed < skb.length) {
      this.lock.release(cpu);
      return part;
    }
    this.dequeue();
    this.lock.release(cpu);
    cpu.charge(IpcStep.releaseMessage);
    this.peer?.freed(cpu, skb.trueSize);
    this.namespace.skbs.free(skb);
    return part;
  }

  get hasData(): boolean {
    return this.first !== null;
  }

  get ended(): boolean {
    return (this.shutdownMask & SHUTDOWN_RECEIVE) !== 0;
  }

  /** What was taken last brought descriptors, or the next message is somebody else's: a receive ends. */
  get endsHere(): boolean {
    return this.broughtFiles || (this.passCredentials && this.first !== null && !sameSender(this.first.credentials, this.#sender));
  }

  #noteSender(caller: Caller, skb: Skb): void {
    this.#sender = skb.credentials;
    const message = messageOf(caller);
    if (message !== null) message.credentials = skb.credentials ?? NOBODY;
  }

  /**
   * MSG_PEEK: as much as is there, up to and with the first message that brings descriptors. Messages beyond `length` are
   * still looked at for these, as in Linux.
   */
  #peek(cpu: Cpu, caller: Caller, address: number, length: number): number {
    let seen = 0;
    for (let skb = this.first; skb !== null; skb = skb.next) {
      if (this.passCredentials) {
        if (skb !== this.first && !sameSender(skb.credentials, this.#sender)) break;
        this.#noteSender(caller, skb);
      }
      const part = Math.min(length - seen, skb.length - skb.consumed);
      const failed = drainSkb(cpu, caller, skb, skb.consumed, address + seen, part);
      if (failed < 0) {
        this.lock.release(cpu);
        return seen > 0 ? seen : failed;
      }
      seen += part;
      if (skb.files === null) continue;
      const message = messageOf(caller);
      if (message !== null) message.files = skb.files.map((file) => file.get());
      break;
    }
    this.lock.release(cpu);
    return seen;
  }

  /**
   * Queues one message from user memory at the peer. The caller then announces it (`dataReady`).
   * @returns its length, a negative errno, or `Pending.NOTHING_YET` if the buffer is full
   */
  queueMessage(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number {
    const message = messageOf(caller);
    if (message !== null && message.name !== null) {
      return this.state === SocketState.CONNECTED ? -Errno.EISCONN : -Errno.EOPNOTSUPP;
    }
    const ready = this.#ready(cpu, caller, length, flags);
    if (ready <= 0) return ready;
    const { skbs } = this.namespace;
    const skb = skbs.allocate(cpu, length);
    if (skb === null) return -Errno.ENOBUFS;
    const failed = fillSkb(cpu, caller, skb, address);
    if (failed < 0) {
      skbs.free(skb);
      return failed;
    }
    this.#queue(cpu, caller, skb);
    return length;
  }

  /** Queues parts of pages as one message, by reference (MSG_SPLICE_PAGES). Otherwise as `queueMessage`. */
  queuePages(cpu: Cpu, caller: Caller, pieces: readonly SkbPiece[], length: number): number {
    const ready = this.#ready(cpu, caller, length, 0);
    if (ready <= 0) return ready;
    this.#queue(cpu, caller, this.namespace.skbs.ofPages(pieces, length));
    this.peer?.dataReady(cpu);
    return length;
  }

  /** @returns `length` if a message of it can be made and queued at the peer now; else 0, a negative errno, or `Pending.NOTHING_YET` */
  #ready(cpu: Cpu, caller: Caller, length: number, flags: number): number {
    const { peer } = this;
    if (this.state !== SocketState.CONNECTED) return -Errno.ENOTCONN;
    if ((this.shutdownMask & SHUTDOWN_SEND) !== 0 || peer === null || (peer.shutdownMask & SHUTDOWN_RECEIVE) !== 0) {
      if ((flags & MessageFlag.NOSIGNAL) === 0) caller.raise(cpu, Signal.PIPE);
      return -Errno.EPIPE;
    }
    if (length === 0) return 0;
    if (this.error !== 0) return this.takeError();
    if (!this.hasRoom) return Pending.NOTHING_YET;
    cpu.charge(IpcStep.sendMessage);
    return length;
  }

  /** Queues a message at the peer, with what comes along. */
  #queue(cpu: Cpu, caller: Caller, skb: Skb): void {
    const peer = this.peer as UnixStreamSocket;
    skb.owner = this;
    if (this.passCredentials || peer.tellsSender) skb.credentials = caller.credentials;
    const message = messageOf(caller);
    if (message !== null) {
      skb.credentials = message.credentials ?? skb.credentials;
      peer.attach(skb, message.files);
      message.files = null;
    }
    peer.lock.pass(cpu);
    this.sendQueued += skb.trueSize;
    peer.enqueue(cpu, skb);
  }

  /**
   * Hands bytes of the first message on as parts of pages: those of its pages, or a copy if it has none.
   * @param put takes a part; false: no more @returns bytes, or `Pending.NOTHING_YET` if there is no message
   */
  takePages(cpu: Cpu, caller: Caller, length: number, put: (piece: SkbPiece) => boolean): number {
    const skb = this.first;
    if (skb === null) return Pending.NOTHING_YET;
    this.handover.find(cpu, caller.task);
    cpu.charge(IpcStep.receiveBody);
    this.lock.pass(cpu);
    const wanted = Math.min(length, skb.length - skb.consumed);
    let done = 0;
    if (skb.frames.length > 0) {
      for (const piece of pagesOf(skb, skb.consumed, wanted)) {
        if (!put(piece)) break;
        this.namespace.skbs.share(piece);
        done += piece.length;
      }
    } else {
      const piece = this.namespace.skbs.copyToPage(cpu, skb, wanted);
      if (piece === null) return -Errno.EFAULT;
      if (put(piece)) done = wanted;
    }
    skb.consumed += done;
    this.handover.take(cpu, caller.task, done);
    this.broughtFiles = skb.files !== null;
    if (this.broughtFiles) this.landFiles(cpu, caller, skb);
    if (this.passCredentials) this.#noteSender(caller, skb);
    if (skb.consumed < skb.length) return done;
    this.dequeue();
    cpu.charge(IpcStep.releaseMessage);
    this.peer?.freed(cpu, skb.trueSize);
    this.namespace.skbs.free(skb);
    return done;
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    cpu.charge(VfsStep.itemPoll);
    this.lock.touch(cpu);
    table?.register(cpu, this.wait);
    let mask = 0;
    if (this.error !== 0) mask |= Poll.ERR;
    if (this.shutdownMask === SHUTDOWN_BOTH) mask |= Poll.HUP;
    if ((this.shutdownMask & SHUTDOWN_RECEIVE) !== 0) mask |= Poll.RDHUP | Poll.IN | Poll.RDNORM;
    if (this.state === SocketState.LISTENING) return this.backlog.length > 0 ? mask | Poll.IN | Poll.RDNORM : mask;
    if (this.first !== null) mask |= Poll.IN | Poll.RDNORM;
    if (this.state === SocketState.UNCONNECTED) mask |= Poll.HUP;
    if (this.writable) mask |= Poll.OUT | Poll.WRNORM | Poll.WRBAND;
    return mask;
  }
}

/** Two messages come from one sender, as far as they say (Linux: `unix_skb_scm_eq`). */
function sameSender(a: Credentials | null, b: Credentials | null): boolean {
  if (a === null || b === null) return a === b;
  return a.pid === b.pid && a.uid === b.uid && a.gid === b.gid;
}
