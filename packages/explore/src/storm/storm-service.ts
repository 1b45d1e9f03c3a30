import type { Rng } from '@rpal/hw-x86';
import type { Program } from '@rpal/kernel';
import { EPOLLRPALIN, findReceiver, type LibProcess, type LibRpal, librpal, QUEUE_WORDS, RpalError, type RpalFd } from '@rpal/librpal';
import { RequestArg, RpalIoctl, type RpalService, rpalThread } from '@rpal/rpal-core';
import { Epoll, MessageFlag, Poll, Prot, Signal, SocketType } from '@rpal/uapi';
import { ExploreError } from '../errors.js';
import { type Subprogram, serveConnections } from '../scenarios/roles.js';
import { type QueueMemory, ServiceMemory } from './queue-memory.js';
import { type Books, STORM_SERVICES, senderOf, wordFor } from './storm-books.js';

const PEER_MEMORY = -RpalError.ERR_PEER_MEM;

/** What happens to a victim. */
export const DEATHS = ['kill', 'exit', 'fault'] as const;

/** What all services know of each other without having to ask: the experimenter's view. */
export class World {
  readonly keys: number[] = [];
  requested = 0;
  ready = 0;
  started = false;
  /** The receiver that each sender calls; -1 if none. */
  readonly calling: number[] = Array.from({ length: STORM_SERVICES }, () => -1);
  /** Pairs where one is about to take its request back: an application must not call meanwhile. */
  readonly blocked: Set<number> = new Set();
  readonly pids: number[] = [];
  readonly gone: Set<number> = new Set();
  readonly members: Service[] = [];

  constructor(
    readonly books: Books,
    readonly now: () => number,
    readonly steps: number,
    readonly victims: ReadonlyMap<number, (typeof DEATHS)[number]>,
    readonly services: Set<RpalService>,
  ) {}

  get over(): boolean {
    return this.now() >= this.steps;
  }
}

/** What a sender needs to call one of the others. */
interface Way {
  readonly fd: number;
  readonly id: number;
  readonly far: RpalFd;
}

/** One of the services of a storm: a receiver, and a sender that is a thread of its own. */
export class Service {
  readonly #world: World;
  readonly #me: number;
  readonly #rng: Rng;
  readonly #buried: Set<number> = new Set();
  #senderDone = false;
  #sent = 0;
  #depth = 0;
  #library: LibProcess | null = null;
  #memory: ServiceMemory | null = null;
  /** Descriptors of the connections that others have made. */
  readonly #connected: number[] = [];
  /** Where words are read to, from which queue, and how many had come from it before. */
  #buffer = 0;
  #reading = -1;
  #readBefore = 0;

  constructor(world: World, me: number, rng: Rng) {
    this.#world = world;
    this.#me = me;
    this.#rng = rng;
  }

  /** The receiver. */
  *main(p: Program): Subprogram {
    const world = this.#world;
    const lib = librpal(p);
    yield* lib.init(1);
    this.#library = lib.process;
    world.keys[this.#me] = lib.process.key;
    world.members[this.#me] = this;
    world.pids[this.#me] = yield* p.getpid();
    const { service } = rpalThread(p.context.thread);
    if (service !== null) {
      world.services.add(service);
      this.#memory = new ServiceMemory(service);
    }
    yield* p.sigaction(Signal.USR1, function* (q) {
      yield* q.getpid();
    });
    const listener = yield* p.socket(SocketType.STREAM);
    yield* p.bind(listener, path(this.#me));
    yield* p.listen(listener, STORM_SERVICES);
    while (world.keys.filter((key) => key !== undefined).length < STORM_SERVICES) yield* p.sleep(1e5);
    for (const [other, key] of world.keys.entries()) if (other !== this.#me) yield* lib.requestService(key);
    world.requested++;
    while (world.requested < STORM_SERVICES) yield* p.sleep(1e5);
    yield* lib.receiverInit();
    const sender = this.#sender.bind(this);
    yield* p.clone((q) => sender(q));
    const epfd = yield* p.epollCreate();
    const memory = yield* p.allocate(8192);
    this.#buffer = memory + 4096;
    for (let i = 1; i < STORM_SERVICES; i++) {
      const fd = yield* p.accept(listener);
      yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN | Poll.IN | Poll.RDHUP | Epoll.ET);
      this.#connected.push(fd);
    }
    yield* p.epollCtl(epfd, Epoll.CTL_ADD, lib.process.rpalFd, Poll.IN);
    if (this.#rng.below(2) === 0) yield* p.setAffinity([0, 1, 2, 3]);
    yield* this.#serve(p, lib, epfd, memory);
    while (!this.#senderDone) yield* p.sleep(1e5);
  }

  *#serve(p: Program, lib: LibRpal, epfd: number, memory: number): Subprogram {
    const rng = this.#rng;
    const close = this.#close.bind(this);
    yield* serveConnections(p, lib, this.#connected, memory, this.#buffer, {
      *wait() {
        // Finite waits let fast epoll wait start its timer; a wait of no time is a look.
        const timeout = [-1, -1, 1, 0][rng.below(4)] as number;
        return yield* lib.epollWait(epfd, memory, 4, timeout);
      },
      take: (fd) => this.#take(p, lib, fd),
      *leave(fd) {
        close(fd);
        yield* lib.epollCtl(epfd, Epoll.CTL_DEL, fd, 0);
      },
      bury: (dead) => this.#bury(p, lib, dead),
    });
  }

  /** The library leaves it to the application to keep its own calls apart from the release of the dead. */
  *#bury(p: Program, lib: LibRpal, dead: readonly number[]): Subprogram {
    const { keys, calling } = this.#world;
    for (const key of dead) {
      const other = keys.indexOf(key);
      this.#buried.add(other);
      while (calling[this.#me] === other) yield* p.sleep(20_000);
    }
    // This frees the queues that the dead have used.
    for (const fd of this.#connected) if (dead.includes(this.queueOf(fd)?.peerKey ?? 0)) this.#close(fd);
    yield* lib.cleanServiceEnd(dead);
  }

  *#take(p: Program, lib: LibRpal, fd: number): Subprogram {
    const buffer = this.#buffer;
    for (;;) {
      this.#reading = fd;
      this.#readBefore = this.#receivedFrom(this.queueOf(fd));
      const n = yield* lib.readPtrs(fd, buffer, 32);
      for (let w = 0; w < n; w++) this.#world.books.receive(this.#me, yield* p.load64(buffer + 8 * w));
      if (n <= 0) return;
      yield* this.#something(p);
    }
  }

  /** A queue as it is in memory; null if it has been freed. */
  queueOf(fd: number): QueueMemory | null {
    return this.#memory?.queue(this.#library as LibProcess, fd) ?? null;
  }

  /** The descriptors that have queues. */
  get connections(): readonly number[] {
    return this.#connected;
  }

  /** The memory of the service is about to go: what is in its queues goes with it. */
  die(): void {
    for (const fd of this.#connected) this.#close(fd);
  }

  #receivedFrom(queue: QueueMemory | null): number {
    const from = senderOf(queue?.last ?? 0);
    return from < 0 ? 0 : this.#world.books.receivedFrom(from, this.#me);
  }

  /** Nobody can use a queue any more: what it has left goes into the books. */
  #close(fd: number): void {
    const queue = this.queueOf(fd);
    if (queue === null) return;
    const { books } = this.#world;
    const { taken, put, last, waiting } = queue;
    if (put === 0) return;
    const from = senderOf(last);
    if (from < 0 || from >= STORM_SERVICES) {
      books.wrong ??= `${last} is in a queue of service ${this.#me}, and nobody has a word like that`;
      return;
    }
    const received = books.receivedFrom(from, this.#me);
    if (received > taken) books.wrong ??= `service ${this.#me} received ${received} words from ${from}, and took ${taken}`;
    const inHand: number[] = [];
    for (let i = received; i < taken; i++) {
      const at = i - this.#readBefore;
      const inBuffer = fd === this.#reading && at >= 0 && at < QUEUE_WORDS;
      inHand.push(inBuffer ? (this.#memory as ServiceMemory).read64(this.#buffer + 8 * at) : 0);
    }
    books.close(from, this.#me, { inHand, waiting });
  }

  /** One of the things that programs do, within a call or outside. */
  *#something(p: Program): Subprogram {
    const rng = this.#rng;
    switch (rng.below(12)) {
      case 0:
        yield* p.getpid();
        break;
      case 1:
        yield* p.compute(1 + rng.below(20_000));
        break;
      case 2:
        yield* p.schedYield();
        break;
      case 3:
        yield* p.sleep(rng.below(50_000));
        break;
      case 4:
        yield* this.#map(p);
        break;
      case 5:
        if (this.#depth === 0 && rng.below(4) === 0) yield* this.#fork(p);
        break;
      case 6:
        yield* p.kill(yield* p.getpid(), Signal.USR1);
        break;
      default:
        break;
    }
  }

  *#map(p: Program): Subprogram {
    const pages = 1 + this.#rng.below(3);
    const at = yield* p.allocate(pages * 4096);
    for (let i = 0; i < pages; i++) yield* p.store64(at + i * 4096, i);
    if (this.#rng.below(2) === 0) yield* p.mprotect(at, 4096, Prot.READ);
    yield* p.munmap(at, pages * 4096);
  }

  /** A child of a service is none; it touches memory, which it may not be allowed to, and ends. */
  *#fork(p: Program): Subprogram {
    this.#depth++;
    const child = yield* p.fork(function* (q) {
      const at = yield* q.allocate(4096);
      yield* q.store64(at, 1);
    });
    if (child > 0) yield* p.wait(child);
    this.#depth--;
  }

  /** The sender, a thread of its own. */
  *#sender(q: Program): Subprogram {
    const world = this.#world;
    const lib = librpal(q);
    yield* lib.senderInit();
    const words = yield* q.allocate(4096);
    yield* q.memset(words, 0, 4096);
    const ways: (Way | null)[] = [];
    for (let other = 0; other < STORM_SERVICES; other++) {
      if (other === this.#me) {
        ways.push(null);
        continue;
      }
      const fd = yield* q.socket(SocketType.STREAM);
      while ((yield* q.connect(fd, path(other))) < 0) yield* q.sleep(1e5);
      ways.push({ fd, id: lib.requestedServiceId(world.keys[other] as number), far: { receiver: 0, fd: -1, timestamp: 0 } });
    }
    for (const [other, way] of ways.entries()) {
      if (way === null) continue;
      const far = yield* findReceiver(q, lib, way.id, way.fd);
      if (far === null) throw new ExploreError('INVALID_SCENARIO', `service ${this.#me} does not find the receiver of ${other}`);
      ways[other] = { ...way, far };
    }
    if (this.#rng.below(2) === 0) yield* q.setAffinity([0, 1, 2, 3]);
    const end = world.victims.get(this.#me);
    const at = (world.steps * (1 + this.#rng.below(8))) / 10;
    world.ready++;
    while (!world.started) yield* q.sleep(1e5);
    while (!world.over) {
      if (end !== undefined && world.now() >= at) yield* this.#die(q, end);
      yield* this.#act(q, lib, ways, words);
    }
    for (const way of ways) if (way !== null) yield* q.close(way.fd);
    this.#senderDone = true;
  }

  *#die(q: Program, end: (typeof DEATHS)[number]): Subprogram {
    this.#world.gone.add(this.#me);
    if (end === 'kill') yield* q.kill(yield* q.getpid(), Signal.KILL);
    else if (end === 'exit') yield* q.exit(0);
    else yield* q.store64(16, 1);
  }

  *#act(q: Program, lib: LibRpal, ways: readonly (Way | null)[], words: number): Subprogram {
    const rng = this.#rng;
    const other = rng.below(STORM_SERVICES);
    const way = ways[other] ?? null;
    if (way === null) return;
    const luck = rng.below(100);
    if (luck < 70) yield* this.#call(q, lib, other, way, words);
    else if (luck < 72) yield* this.#rerequest(q, lib, other);
    else if (luck < 74) {
      if (!this.#world.gone.has(other)) yield* q.kill(this.#world.pids[other] as number, Signal.USR1);
    } else if (luck < 76) yield* q.send(way.fd, words, 1, MessageFlag.DONTWAIT | MessageFlag.NOSIGNAL);
    else yield* this.#something(q);
  }

  *#call(q: Program, lib: LibRpal, other: number, way: Way, words: number): Subprogram {
    const world = this.#world;
    if (world.blocked.has(pairOf(this.#me, other))) return;
    const count = 1 + this.#rng.below(3);
    const sent: number[] = [];
    for (let i = 0; i < count; i++) {
      const word = wordFor(this.#me, other, this.#sent++);
      sent.push(word);
      yield* q.store64(words + 8 * i, word);
    }
    // Somebody may have begun to take a request back meanwhile.
    if (world.blocked.has(pairOf(this.#me, other)) || this.#buried.has(other)) return;
    world.books.send(sent);
    world.calling[this.#me] = other;
    const result = yield* lib.writePtrs(way.id, way.far, words, count);
    world.calling[this.#me] = -1;
    const fate = result === count ? 'accepted' : result === PEER_MEMORY ? 'uncertain' : 'refused';
    world.books.settle(sent, fate);
  }

  /** Takes a request back and makes it again, while neither side is in a call to the other. */
  *#rerequest(q: Program, lib: LibRpal, other: number): Subprogram {
    const world = this.#world;
    const pair = pairOf(this.#me, other);
    if (world.gone.has(other) || world.victims.has(other) || world.victims.has(this.#me) || world.blocked.has(pair)) return;
    world.blocked.add(pair);
    while (world.calling[other] === this.#me) yield* q.sleep(20_000);
    const key = world.keys[other] as number;
    const note = yield* q.allocate(4096);
    yield* q.store64(note + RequestArg.key, key);
    for (const at of [RequestArg.userMetap, RequestArg.id, RequestArg.pkey]) yield* q.store64(note + at, note + 256);
    const { rpalFd } = lib.process;
    const released = yield* q.ioctl(rpalFd, RpalIoctl.RELEASE_SERVICE, key);
    yield* this.#something(q);
    const requested = yield* q.ioctl(rpalFd, RpalIoctl.REQUEST_SERVICE, note);
    if (released !== 0 || requested !== 0)
      world.books.wrong ??= `release and request of ${other} by ${this.#me}: ${released}, ${requested}`;
    yield* q.munmap(note, 4096);
    world.blocked.delete(pair);
  }
}

function path(service: number): string {
  return `/tmp/storm-${service}`;
}

/** The same number for either order. */
function pairOf(a: number, b: number): number {
  return Math.min(a, b) * STORM_SERVICES + Math.max(a, b);
}
