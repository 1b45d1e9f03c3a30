import { type Cpu, LockKind, SpinLock } from '@rpal/hw-x86';
import { putUser32 } from '@rpal/mm';
import { type Handover, type Scheduler, WaitEntry, WaitQueue, Wake, Workqueue } from '@rpal/sched';
import { Errno, FileMode, OpenFlag, Poll, Shutdown, SocketType } from '@rpal/uapi';
import { type Caller, type DeferredPuts, File } from '@rpal/vfs';
import { IpcStep } from '../steps.js';
import type { Skb, SkbPool } from './skb.js';
import { messageOf } from './socket-message.js';
import { type InFlightSocket, UnixInFlight } from './unix-in-flight.js';
import { UnixNames } from './unix-names.js';

/** net.core.wmem_default, which is wmem_max too. @public for programs that reach the limit */
export const SEND_BUFFER_DEFAULT = 212_992;
/** Smallest send buffer (SOCK_MIN_SNDBUF). */
const SEND_BUFFER_MIN = 4608;
const SIOCATMARK = 0x8905;
/** net.core.somaxconn. */
const BACKLOG_MAX = 4096;

export const SHUTDOWN_RECEIVE = 1;
export const SHUTDOWN_SEND = 2;
export const SHUTDOWN_BOTH: number = SHUTDOWN_RECEIVE | SHUTDOWN_SEND;

/** What the hand-overs of sockets are called, by type. */
const KINDS: Readonly<Record<number, string>> = {
  [SocketType.STREAM]: 'Unix stream socket',
  [SocketType.DGRAM]: 'Unix datagram socket',
  [SocketType.SEQPACKET]: 'Unix seqpacket socket',
};

/** State of a socket. @public for who looks at the state of a socket */
export const SocketState = { UNCONNECTED: 0, LISTENING: 1, CONNECTED: 2 } as const;

/** Rules of Unix sockets that a Linux release after 6.15 changed. The default is 6.15's. */
export interface UnixRules {
  /**
   * A closing socket does not count an empty message at the head of its queue as unread (Linux 6.16: the message might be
   * out-of-band data that was read, and no distinction is made). False by default.
   */
  readonly closeSkipsEmptyMessage?: boolean;
  /** A connection takes over SO_PASSCRED from its listener when it is made (Linux 6.16), not when it is accepted. False by default. */
  readonly connectInheritsOptions?: boolean;
}

/** The Unix sockets of one machine: their names, and what they share. */
export class UnixNamespace {
  readonly scheduler: Scheduler;
  readonly skbs: SkbPool;
  readonly rules: UnixRules;
  readonly names: UnixNames<UnixSocket> = new UnixNames();
  /** Sockets on their way in messages. */
  readonly inFlight: UnixInFlight;

  /** @param workqueue where sockets that nobody can receive are collected */
  constructor(scheduler: Scheduler, skbs: SkbPool, workqueue: Workqueue = new Workqueue(scheduler), rules: UnixRules = {}) {
    this.scheduler = scheduler;
    this.skbs = skbs;
    this.rules = rules;
    this.inFlight = new UnixInFlight(scheduler, workqueue, {
      socketOf: (file) => (file instanceof UnixSocket ? file : null),
      purge: (cpu, skb, puts) => this.throwAway(cpu, skb, puts),
    });
  }

  /** Frees a message that nobody has read. */
  throwAway(cpu: Cpu, skb: Skb, puts: DeferredPuts): void {
    cpu.charge(IpcStep.releaseMessage);
    if (skb.files !== null) puts.dropAll(skb.files);
    skb.owner?.freed(cpu, skb.trueSize);
    this.skbs.free(cpu, skb);
  }
}

/** A Unix socket (net/unix/af_unix.c). How data travels is up to its subclasses. */
export abstract class UnixSocket extends File implements InFlightSocket {
  readonly namespace: UnixNamespace;
  /** SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET. */
  readonly type: number;
  readonly lock: SpinLock = new SpinLock(4, 'Unix socket', LockKind.SLEEPING);
  /** Whoever waits for data, space, connections, or by epoll (Linux: `sk->sk_wq`). */
  readonly wait: WaitQueue = new WaitQueue('Unix socket');
  /** Whoever waits for room in the queue of this socket: connections of a listener, messages of a datagram socket. */
  readonly peerWait: WaitQueue = new WaitQueue('senders to a Unix socket');
  /** Where messages, and connections of a listener, go from sender to receiver. */
  readonly handover: Handover;
  state: number = SocketState.UNCONNECTED;
  peer: this | null = null;
  path: string | null = null;
  /** What the namespace knows it by: its path, or, on a machine with a file system, its inode. */
  #key: string | null = null;
  /** Released: others may still refer to it. */
  dead = false;

  /** The listener that has this connection in its backlog; null once it is accepted. */
  listener: UnixSocket | null = null;
  /** In flight: the sockets in whose queues messages with this one are, one entry per reference. */
  readonly receivers: UnixSocket[] = [];
  /** In flight: by what the collector tells the components of the graph apart. */
  component = -1;

  /** Messages to be read. */
  first: Skb | null = null;
  #last: Skb | null = null;
  queued = 0;
  /** Memory of own messages that nobody has read yet (Linux: `sk_wmem_alloc`). */
  sendQueued = 0;
  sendBuffer: number = SEND_BUFFER_DEFAULT;
  shutdownMask = 0;
  /** Pending error, returned once (SO_ERROR). */
  error = 0;
  /** SO_PASSCRED: received messages say who sent them. */
  passCredentials = false;
  /** SO_RCVTIMEO and SO_SNDTIMEO: how long a call waits at most, nanoseconds; 0: for as long as it takes; negative: not at all. */
  receiveTimeout = 0;
  sendTimeout = 0;
  /** SO_PEEK_OFF: where the next MSG_PEEK begins, and reads on from; negative: always at the first byte. */
  peekOffset = -1;
  /** Of a stream: the urgent byte that has been sent to it last, if nobody has read it (MSG_OOB). */
  urgent: Skb | null = null;
  /** SO_OOBINLINE: urgent bytes are read like others. */
  urgentInline = false;
  /** SO_RCVLOWAT: how many bytes a receive from a stream waits for. */
  receiveLow = 1;

  /** Of a listener: connections not yet accepted. */
  readonly backlog: this[] = [];
  /** Of a listener: how many may wait. Of a datagram socket: messages of senders that it is not connected to. */
  backlogLimit = 0;

  constructor(namespace: UnixNamespace, type: number, flags: number) {
    super(OpenFlag.RDWR | (flags & OpenFlag.NONBLOCK));
    this.namespace = namespace;
    this.type = type;
    this.handover = namespace.scheduler.handovers.open(KINDS[type] as string);
  }

  /** sendto(2) and sendmsg(2): with a message header (`SocketMessage`) in `caller.iov`, `address` is an offset into its segments. */
  abstract send(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number;

  /** recvfrom(2) and recvmsg(2), likewise. */
  abstract receive(cpu: Cpu, caller: Caller, address: number, length: number, flags: number): number;

  /** Why nothing can be sent at all, asked before a message header is looked at: 0, or a negative errno. */
  refusal(): number {
    return 0;
  }

  /** Another socket of its kind: the far end of a connection to it. */
  protected abstract sibling(): this;

  override get readsIov(): boolean {
    return true;
  }

  override get writesIov(): boolean {
    return true;
  }

  override get mode(): number {
    return FileMode.SOCKET | 0o777;
  }

  override read(cpu: Cpu, caller: Caller, address: number, length: number): number {
    // A read of zero bytes does not reach the socket.
    return length === 0 ? this.#nothing(cpu) : this.receive(cpu, caller, address, length, 0);
  }

  override write(cpu: Cpu, caller: Caller, address: number, length: number): number {
    return this.send(cpu, caller, address, length, 0);
  }

  #nothing(cpu: Cpu): number {
    cpu.charge(IpcStep.socketCall);
    return 0;
  }

  /** Who wants to know senders, or may be one who does but has not been accepted yet, is told. */
  get tellsSender(): boolean {
    return this.passCredentials || (this.listener !== null && this.namespace.rules.connectInheritsOptions !== true);
  }

  /** A socket that wants to know senders gets a name before it sends or connects. */
  autobind(): void {
    if (!this.passCredentials || this.path !== null) return;
    this.path = this.namespace.names.bindAutomatically(this);
    this.#key = this.path;
  }

  get connectionBased(): boolean {
    return this.type !== SocketType.DGRAM;
  }

  /** bind(2). @param key what the namespace is to know the socket by, if not by its path */
  bind(cpu: Cpu, path: string, key: string = path): number {
    cpu.charge(IpcStep.socketBind);
    if (path === '') return this.#bindAnywhere();
    const isAbstract = path.startsWith('\0');
    if (!isAbstract) cpu.charge(IpcStep.socketBindPath);
    // The file is made before the socket is asked whether it has a name already.
    if (!isAbstract && this.namespace.names.has(key)) return -Errno.EADDRINUSE;
    if (this.path !== null) return -Errno.EINVAL;
    if (!this.namespace.names.bind(key, this)) return -Errno.EADDRINUSE;
    this.path = path;
    this.#key = key;
    return 0;
  }

  /** bind(2) to no name in particular: to an abstract one that is free, unless it has a name (Linux: `unix_autobind`). */
  #bindAnywhere(): number {
    this.path ??= this.namespace.names.bindAutomatically(this);
    return 0;
  }

  listen(cpu: Cpu, backlog: number): number {
    cpu.charge(IpcStep.socketListen);
    if (!this.connectionBased) return -Errno.EOPNOTSUPP;
    if (this.path === null || this.state === SocketState.CONNECTED) return -Errno.EINVAL;
    const limit = Math.min(backlog >>> 0, BACKLOG_MAX);
    if (limit > this.backlogLimit) this.peerWait.walk(cpu, Wake.ALL);
    this.state = SocketState.LISTENING;
    this.backlogLimit = limit;
    return 0;
  }

  /** connect(2) to `path`. A full backlog makes the caller wait, or fails with EAGAIN. */
  abstract connect(cpu: Cpu, caller: Caller, path: string): number;

  /** accept(2). `install` gives the connection a descriptor. */
  abstract accept(cpu: Cpu, caller: Caller, install: (cpu: Cpu, socket: UnixSocket) => number): number;

  /** Connects this socket with a new one, which waits in the backlog of `listener`. */
  connectTo(cpu: Cpu, listener: UnixSocket): void {
    const other = listener.sibling() as this;
    this.join(other);
    other.listener = listener;
    if (this.namespace.rules.connectInheritsOptions === true) other.passCredentials = listener.passCredentials;
    listener.backlog.push(other);
    listener.handover.put(cpu, 0);
    listener.dataReady(cpu);
  }

  /** Makes this socket and `other` each other's peers. */
  join(other: this): void {
    other.peer = this;
    this.peer = other;
    other.state = SocketState.CONNECTED;
    this.state = SocketState.CONNECTED;
  }

  /** A message may be queued: as long as the buffer is not yet full one more is let in, however large. */
  get hasRoom(): boolean {
    return this.sendQueued < this.sendBuffer;
  }

  /** SO_SNDBUF: the kernel doubles what is asked for. Whoever waits for room looks again, even if there is less. */
  setSendBuffer(cpu: Cpu, bytes: number): void {
    this.sendBuffer = Math.max(2 * Math.min(bytes >>> 0, SEND_BUFFER_DEFAULT), SEND_BUFFER_MIN);
    if (this.writable) this.wait.wakeOneSync(cpu, Poll.OUT | Poll.WRNORM | Poll.WRBAND);
  }

  /** Takes the pending error, as a negative errno; 0 if there is none. */
  takeError(): number {
    const { error } = this;
    this.error = 0;
    return error === 0 ? 0 : -error;
  }

  /** shutdown(2). A socket that is not connected yet remembers it. */
  shutdown(cpu: Cpu, how: number): number {
    cpu.charge(IpcStep.shutdownBody);
    if (how < Shutdown.RD || how > Shutdown.RDWR) return -Errno.EINVAL;
    const mask = how + 1;
    this.shutdownMask |= mask;
    this.changed(cpu);
    if (this.peer !== null && this.connectionBased) {
      const peerMask = ((mask & SHUTDOWN_SEND) !== 0 ? SHUTDOWN_RECEIVE : 0) | ((mask & SHUTDOWN_RECEIVE) !== 0 ? SHUTDOWN_SEND : 0);
      this.peer.shutdownMask |= peerMask;
      this.peer.changed(cpu);
    }
    return 0;
  }

  /** There is room for a message: a quarter of the buffer at most is taken (Linux: `unix_writable`). */
  get writable(): boolean {
    return this.state !== SocketState.LISTENING && this.sendQueued * 4 <= this.sendBuffer;
  }

  /** The next byte is, or would have been, the urgent one (SIOCATMARK). */
  get atMark(): boolean {
    const { first, urgent } = this;
    if (first === null || first === urgent) return first !== null;
    return first.consumed === first.length && (urgent === null || first.next === urgent);
  }

  /** The message that came last, of those that are there. */
  get last(): Skb | null {
    return this.#last;
  }

  override ioctl(cpu: Cpu, { memory }: Caller, command: number, address: number): number {
    if (command !== SIOCATMARK) return -Errno.ENOTTY;
    return this.type === SocketType.STREAM ? putUser32(cpu, memory, address, Number(this.atMark)) : -Errno.EOPNOTSUPP;
  }

  enqueue(cpu: Cpu, skb: Skb): void {
    if (this.#last === null) this.first = skb;
    else this.#last.next = skb;
    this.#last = skb;
    this.queued++;
    this.handover.put(cpu, skb.length);
  }

  dequeue(): void {
    const skb = this.first as Skb;
    this.first = skb.next;
    if (this.first === null) this.#last = null;
    skb.next = null;
    this.queued--;
  }

  /** Tells that there is something to read (Linux: `sock_def_readable`). */
  dataReady(cpu: Cpu): void {
    cpu.charge(IpcStep.readable);
    this.wait.wakeOneSync(cpu, Poll.IN | Poll.PRI | Poll.RDNORM | Poll.RDBAND);
  }

  /** A message of this socket has been read and freed (Linux: `sock_wfree`, `unix_write_space`). Charge `releaseMessage` before. */
  freed(cpu: Cpu, trueSize: number): void {
    this.sendQueued -= trueSize;
    if (this.writable) this.wait.wakeOneSync(cpu, Poll.OUT | Poll.WRNORM | Poll.WRBAND);
  }

  /** The state has changed (Linux: `sock_def_wakeup`): everybody looks again, whatever he waits for. */
  changed(cpu: Cpu): void {
    this.wait.wakeAll(cpu);
  }

  /** Throws the messages away that nobody has read. */
  protected purge(cpu: Cpu): void {
    this.urgent = null;
    while (this.first !== null) {
      const skb = this.first;
      this.dequeue();
      if (skb.files !== null) this.namespace.inFlight.landed(skb.files, this);
      this.namespace.throwAway(cpu, skb, this.namespace.inFlight.puts);
    }
  }

  /** So many bytes have been peeked at (positive), or read (negative). */
  movePeek(bytes: number): void {
    if (this.peekOffset >= 0) this.peekOffset = Math.max(0, this.peekOffset + bytes);
  }

  /** Attaches the descriptors of a message that is about to be queued here. */
  attach(skb: Skb, files: File[] | null): void {
    skb.files = files;
    if (files === null) return;
    this.namespace.inFlight.sent(files, this);
  }

  /** The descriptors of a message that was taken go to the caller, or nowhere if it has no room for any. */
  landFiles(cpu: Cpu, caller: Caller, skb: Skb): void {
    const { files } = skb;
    skb.files = null;
    if (files === null) return;
    const { inFlight } = this.namespace;
    inFlight.landed(files, this);
    const message = messageOf(caller);
    if (message !== null) {
      message.files = files;
    } else {
      inFlight.puts.dropAll(files);
      inFlight.puts.settle(cpu);
    }
  }

  get queues(): readonly UnixSocket[] {
    return this.state === SocketState.LISTENING ? this.backlog : [this];
  }

  override get unread(): number {
    if (this.state === SocketState.LISTENING) return -Errno.EINVAL;
    let sum = 0;
    for (let skb = this.first; skb !== null; skb = skb.next) sum += skb.length - skb.consumed;
    return sum;
  }

  override get unsent(): number {
    return this.sendQueued;
  }

  override release(cpu: Cpu): void {
    cpu.charge(IpcStep.socketRelease);
    this.disconnect(cpu);
    this.namespace.inFlight.puts.settle(cpu);
  }

  /** unix_release_sock. */
  protected disconnect(cpu: Cpu): void {
    if (this.#key !== null) this.namespace.names.forget(this.#key, this);
    const { peer } = this;
    this.dead = true;
    this.shutdownMask = SHUTDOWN_BOTH;
    this.peerWait.walk(cpu, Wake.ALL);
    if (peer !== null && this.connectionBased) {
      peer.shutdownMask = SHUTDOWN_BOTH;
      if (this.#hasUnread) peer.error = Errno.ECONNRESET;
      peer.changed(cpu);
    }
    if (this.relay.queue !== null) this.relay.queue.unlink(this.relay);
    this.purge(cpu);
    for (const waiting of this.backlog.splice(0)) waiting.#turnedAway(cpu);
    this.namespace.inFlight.released(cpu);
  }

  /** The listener is gone, and nobody has accepted this connection. */
  #turnedAway(cpu: Cpu): void {
    if (this.peer !== null) this.peer.error = Errno.ECONNRESET;
    this.disconnect(cpu);
  }

  get #hasUnread(): boolean {
    const { first } = this;
    if (first === null || this.namespace.rules.closeSkipsEmptyMessage !== true || first.length > first.consumed) return first !== null;
    return first.next !== null;
  }

  /** Passes on that the peer, which has not connected back, has room (Linux: `unix_dgram_peer_wake_relay`). */
  readonly relay: WaitEntry = new WaitEntry((cpu, entry) => {
    entry.queue?.unlink(entry);
    this.wait.wakeOne(cpu, Poll.OUT | Poll.WRNORM | Poll.WRBAND);
    return 0;
  });
}
