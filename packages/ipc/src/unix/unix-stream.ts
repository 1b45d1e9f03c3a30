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
  get #messageMaximum(): number {
    return Math.min((this.sendBuffer >> 1) - 64, STREAM_MESSAGE_MAX);
  }

  override setSendBuffer(cpu: Cpu, bytes: number): void {
    super.setSendBuffer(cpu, bytes);
    this.#atOnce = Math.min(this.#messageMaximum, SKB_MAX_LINEAR);
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
    if ((flags & MessageFlag.OOB) !== 0) return this.#takeUrgent(cpu, caller, address, length, flags);
    const received = this.takeMessage(cpu, caller, address, length, flags, 0);
    if (received !== Pending.NOTHING_YET) {
      const waits = (flags & MessageFlag.WAITALL) !== 0 || received < this.receiveLow;
      const more = received >= 0 && received < length && (this.first !== null || waits);
      if (!more || (flags & MessageFlag.PEEK) !== 0 || this.endsHere) return received;
    }
    const operation =
      caller.operations.get(STREAM_RECEIVE) ??
      caller.operations.keep(STREAM_RECEIVE, new ReceiveOperation(caller, this.namespace.scheduler));
    return begin(cpu, caller, operation.start(this, address, length, flags, Math.max(0, received)));
  }

  override send(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number {
    cpu.charge(IpcStep.socketCall);
    if (length === 0 && (flags & MessageFlag.OOB) !== 0) return -Errno.EOPNOTSUPP;
    if (length <= this.#atOnce && cpu.hasTime && (flags & MessageFlag.OOB) === 0) {
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
   * @param received bytes that the call has taken already: it does not go on beyond the urgent byte
   * @returns how many, a negative errno, or `Pending.NOTHING_YET` if there is no message
   */
  takeMessage(cpu: Cpu, caller: Caller, address: number, length: number, flags: number, received: number): number {
    this.lock.acquire(cpu);
    const skb = this.#nextMessage(cpu, flags, received);
    if (skb === null) {
      this.lock.release(cpu);
      return Pending.NOTHING_YET;
    }
    this.handover.find(cpu, caller.task);
    cpu.charge(IpcStep.receiveBody);
    if ((flags & MessageFlag.PEEK) !== 0) return this.#peek(cpu, caller, skb, address, length);
    const part = Math.min(length, skb.length - skb.consumed);
    const failed = drainSkb(cpu, caller, skb, skb.consumed, address, part);
    if (failed < 0) {
      this.lock.release(cpu);
      return failed;
    }
    skb.consumed += part;
    if (this.peekOffset >= 0) this.movePeek(-part);
    this.handover.take(cpu, caller.task, part);
    this.broughtFiles = skb.files !== null;
    if (this.broughtFiles) this.landFiles(cpu, caller, skb);
    if (this.passCredentials) this.#noteSender(caller, skb);
    if (skb.consumed < skb.length) {
      this.lock.release(cpu);
      return part;
    }
    this.lock.release(cpu);
    this.#free(cpu);
    return part;
  }

  /**
   * The message that a receive begins with, or goes on with: read urgent bytes go, an unread one ends the receive, or is left out
   * (Linux: `manage_oob`).
   */
  #nextMessage(cpu: Cpu, flags: number, received: number): Skb | null {
    let skb = this.first;
    if (skb === null || (skb !== this.urgent && skb.consumed < skb.length)) return skb;
    if (received > 0 && this.atMark) return null;
    const peeking = (flags & MessageFlag.PEEK) !== 0;
    if (skb.consumed === skb.length) {
      skb = skb.next;
      if (!peeking) this.#free(cpu);
    }
    if (skb === null || skb !== this.urgent) return skb;
    if (peeking) return this.urgentInline ? skb : skb.next;
    this.urgent = null;
    if (this.urgentInline) return skb;
    this.#free(cpu);
    return this.first;
  }

  /** The first message has been read. */
  #free(cpu: Cpu): void {
    const skb = this.first as Skb;
    this.dequeue();
    // The sender learns of the room before the memory is given back, and so may take the CPU that much earlier.
    cpu.charge(IpcStep.writeSpace);
    this.peer?.freed(cpu, skb.trueSize);
    cpu.charge(IpcStep.skbFree);
    this.namespace.skbs.free(cpu, skb);
  }

  /** A receive with MSG_OOB: the urgent byte, which stays in its place as a mark (Linux: `unix_stream_recv_urg`). */
  #takeUrgent(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number {
    const skb = this.urgent;
    if (skb === null || this.urgentInline) return -Errno.EINVAL;
    const peeking = (flags & MessageFlag.PEEK) !== 0;
    if (!peeking) this.urgent = null;
    cpu.charge(IpcStep.receiveBody);
    const failed = drainSkb(cpu, caller, skb, 0, address, Math.min(1, length));
    if (!peeking) {
      skb.consumed = 1;
      this.handover.take(cpu, caller.task, 1);
    }
    if (failed < 0) return failed;
    const message = messageOf(caller);
    if (message !== null) message.flags |= MessageFlag.OOB;
    return 1;
  }

  get ended(): boolean {
    return (this.shutdownMask & SHUTDOWN_RECEIVE) !== 0;
  }

  /** What was taken last brought descriptors, or the next message is urgent, or somebody else's: a receive ends. */
  get endsHere(): boolean {
    if (this.broughtFiles || this.atMark) return true;
    return this.passCredentials && this.first !== null && !sameSender(this.first.credentials, this.#sender);
  }

  #noteSender(caller: Caller, skb: Skb): void {
    this.#sender = skb.credentials;
    const message = messageOf(caller);
    if (message !== null) message.credentials = skb.credentials ?? NOBODY;
  }

  /**
   * MSG_PEEK: as much as is there from `peekOffset` on, up to the urgent byte, and up to and with the first message that brings
   * descriptors. Messages beyond `length` are still looked at for these, as in Linux.
   */
  #peek(cpu: Cpu, caller: Caller, start: Skb, address: number, length: number): number {
    let seen: number = Pending.NOTHING_YET;
    let skip = Math.max(0, this.peekOffset);
    for (let skb: Skb | null = start; skb !== null; skb = skb.next) {
      const there = skb.length - skb.consumed;
      const mark = skb === this.urgent || (there === 0 && (this.urgent === null || skb.next === this.urgent));
      if (seen >= 0 && mark) break;
      if (there <= skip) {
        skip -= there;
        continue;
      }
      const done = Math.max(0, seen);
      if (this.passCredentials) {
        if (seen >= 0 && !sameSender(skb.credentials, this.#sender)) break;
        this.#noteSender(caller, skb);
      }
      const part = Math.min(length - done, there - skip);
      const failed = drainSkb(cpu, caller, skb, skb.consumed + skip, address + done, part);
      if (failed < 0) {
        if (seen < 0) seen = failed;
        break;
      }
      seen = done + part;
      skip = 0;
      this.movePeek(part);
      if (skb.files === null) continue;
      const message = messageOf(caller);
      if (message !== null) message.files = skb.files.map((file) => file.get());
      break;
    }
    this.lock.release(cpu);
    return seen;
  }

  /**
   * Queues one message from user memory at the peer: as much as one takes, of a send of urgent data all but the last byte, and at last that.
   * The caller then announces it (`dataReady`).
   * @returns its length, a negative errno, or `Pending.NOTHING_YET` if the buffer is full
   */
  queueMessage(cpu: Cpu, caller: Caller, address: number, wanted: number, flags: number): number {
    const message = messageOf(caller);
    if (message !== null && message.name !== null) {
      return this.state === SocketState.CONNECTED ? -Errno.EISCONN : -Errno.EOPNOTSUPP;
    }
    const urgent = (flags & MessageFlag.OOB) !== 0;
    const length = Math.min(urgent && wanted > 1 ? wanted - 1 : wanted, this.#messageMaximum);
    const ready = this.#ready(cpu, caller, length, flags);
    if (ready <= 0) return ready;
    const { skbs } = this.namespace;
    const skb = skbs.allocate(cpu, length);
    if (skb === null) return -Errno.ENOBUFS;
    const failed = fillSkb(cpu, caller, skb, address);
    if (failed < 0) {
      skbs.free(cpu, skb);
      return failed;
    }
    this.#queue(cpu, caller, skb);
    if (urgent && wanted === 1 && this.peer !== null) this.peer.urgent = skb;
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
    const skb = this.#nextMessage(cpu, 0, 0);
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
    if (skb.consumed === skb.length) this.#free(cpu);
    return done;
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    cpu.charge(VfsStep.itemPoll);
    this.lock.touch(cpu);
    table?.register(cpu, this.wait);
    let mask = 0;
    if (this.error !== 0) mask |= Poll.ERR;
    if (this.urgent !== null) mask |= Poll.PRI;
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
