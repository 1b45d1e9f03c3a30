import { Rng } from '@rpal/hw-x86';
import { executable, type Program } from '@rpal/kernel';
import { EPOLLRPALIN, findReceiver, type LibRpal, LibStep, librpal, RpalError, type RpalFd } from '@rpal/librpal';
import { RequestArg, RpalIoctl, type RpalOptions, type RpalService } from '@rpal/rpal-core';
import { EPOLL_EVENT_SIZE, Epoll, Errno, Poll, Prot, Signal, SocketType } from '@rpal/uapi';
import { Run, type Strategy } from './run.js';
import type { Scenario, Stage } from './scenario.js';

type Routine<T = void> = Generator<void, T>;

export const STORM_SERVICES = 8;
export const STORM_CPUS = 4;

/** Longer than the quarantine of service ids. */
const WITNESS = 40e9;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const PEER_MEMORY = -RpalError.ERR_PEER_MEM;
/** Words that one sender may number. */
const WORDS = 2 ** 24;

export interface StormOptions {
  /** The same seed, the same run. */
  readonly seed: number;
  /** Steps after which nobody begins anything new; the run then goes on until everybody has ended. */
  readonly steps: number;
  /** How many of the services die on the way, each in another way: 0 .. 3. 3 by default. */
  readonly deaths?: number;
  readonly rpal?: RpalOptions;
}

/** What a storm came to. */
export interface StormResult {
  /** What went wrong, or null. */
  readonly failure: string | null;
  readonly steps: number;
  readonly calls: number;
  /** Words that callers were told had been taken over; those that arrived; those that were lost with a receiver that died. */
  readonly accepted: number;
  readonly received: number;
  readonly lost: number;
  /** Words of calls that ended by a fault on the peer's memory, or with the caller's death: they may have arrived or not. */
  readonly uncertain: number;
  readonly lazySwitches: number;
  readonly kernelReturns: number;
  readonly refusedWakeUps: number;
  /** What there is after the end of everything and the quarantine. */
  readonly rest: { readonly ids: number; readonly references: number; readonly frames: number };
}

/** What happens to a victim. */
const DEATHS = ['kill', 'exit', 'fault'] as const;

/** A storm that is ready to begin: tools may look on. */
export interface Storm {
  readonly run: Run;
  readonly strategy: Strategy;
  readonly books: Books;
  readonly services: ReadonlySet<RpalService>;
  readonly victims: ReadonlySet<number>;
}

/**
 * Eight services with a receiver and a sender each, all mapped with each other, on four CPUs: they call each other at
 * random, make system calls and faults within calls and outside, fork, map, signal, take requests back and make them again;
 * ticks, NMIs and other CPUs come at random moments; some die. Every word is counted out and in.
 */
export function stormRun({ seed, steps, deaths = DEATHS.length, rpal = { repair: 'all' } }: StormOptions): Storm {
  const books = new Books();
  const services = new Set<RpalService>();
  const rng = new Rng(seed);
  const victims = new Map<number, (typeof DEATHS)[number]>();
  while (victims.size < deaths) {
    const victim = rng.below(STORM_SERVICES);
    if (!victims.has(victim)) victims.set(victim, DEATHS[victims.size] as (typeof DEATHS)[number]);
  }
  const scenario: Scenario = {
    name: 'storm',
    about: 'eight services do everything to each other',
    cpus: STORM_CPUS,
    ticks: Number.POSITIVE_INFINITY,
    nmis: Number.POSITIVE_INFINITY,
    setUp(stage) {
      stage.expect(1);
      const world = new World(stage, books, () => execution.schedule.length, steps, victims, services);
      for (let i = 0; i < STORM_SERVICES; i++) {
        if (victims.has(i)) stage.mayDie.add(`service-${i}`);
        stage.spawn(`service-${i}`, i % STORM_CPUS, (p) => new Service(world, i, new Rng(seed * 31 + i)).main(p));
      }
      // From here on the order is random: everybody is ready, and nobody has begun.
      stage.spawn('starter', 0, function* (p) {
        while (world.ready < STORM_SERVICES) yield* p.sleep(1e5);
        yield* stage.meet(p);
        world.started = true;
      });
      const witness = executable('witness', function* (p) {
        yield* p.sleep(WITNESS);
      });
      stage.processes.push(stage.machine.spawn(witness, STORM_CPUS - 1));
    },
  };
  const execution: Run = new Run(scenario, rpal, { steps: 4 * steps + 200_000 });
  return { run: execution, strategy: new Weather(seed), books, services, victims: new Set(victims.keys()) };
}

/** Runs a storm to its end. */
export function storm(options: StormOptions): StormResult {
  const { run: execution, strategy, books, services, victims } = stormRun(options);
  const { failure } = execution.execute(strategy);
  const { stage } = execution;
  const rest = {
    ids: stage.rpal.idsInUse,
    references: [...services].reduce((sum, { references }) => sum + references, 0),
    frames: stage.machine.kernel.memory.frames.inUse,
  };
  const balance = books.balance(victims);
  const left = rest.ids + rest.references > 0 ? `left over: ${rest.ids} ids, ${rest.references} references` : null;
  const { lazySwitches, kernelReturns, refusedWakeUps } = stage.rpal;
  return {
    failure: failure ?? books.wrong ?? balance.wrong ?? left,
    steps: execution.schedule.length,
    calls: books.calls,
    ...balance.sums,
    lazySwitches,
    kernelReturns,
    refusedWakeUps,
    rest,
  };
}

/** Mostly the usual order; every third choice or so another CPU goes on, sometimes a tick or an NMI comes. */
export class Weather implements Strategy {
  readonly #rng: Rng;
  readonly #spins: number[] = Array.from({ length: STORM_CPUS }, () => 0);

  constructor(seed: number) {
    this.#rng = new Rng(seed * 7919 + 1);
  }

  /** Who waits for a lock whose holder has lost its CPU waits for a whole slice: in one step what would be many alike. */
  #hurry({ stage }: Run): void {
    for (const cpu of stage.machine.platform.cpus) {
      const spun = cpu.ledger.cells[2 * LibStep.queueSpin + 1] as number;
      if (spun < (this.#spins[cpu.id] as number) + 20) continue;
      cpu.chargeTimes(LibStep.queueSpin, 2000);
      this.#spins[cpu.id] = cpu.ledger.cells[2 * LibStep.queueSpin + 1] as number;
    }
  }

  choose(enabled: readonly number[], usual: number, run: Run): number {
    this.#hurry(run);
    const luck = this.#rng.below(1000);
    if (luck < 700) return usual;
    const wanted = luck < 992 ? [0, STORM_CPUS] : luck < 996 ? [STORM_CPUS + 1, 2 * STORM_CPUS] : [2 * STORM_CPUS + 1, 3 * STORM_CPUS];
    const fitting = enabled.filter((choice) => choice >= (wanted[0] as number) && choice <= (wanted[1] as number));
    return fitting.length === 0 ? usual : (fitting[this.#rng.below(fitting.length)] as number);
  }
}

/** What became of a word, as its sender knows. */
type Fate = 'sent' | 'accepted' | 'refused' | 'uncertain';

/** Words, counted out and in. */
export class Books {
  calls = 0;
  wrong: string | null = null;
  readonly #fates: Map<number, Fate> = new Map();
  readonly #arrived: Set<number> = new Set();

  send(word: number): void {
    this.#fates.set(word, 'sent');
  }

  settle(word: number, fate: Fate): void {
    this.#fates.set(word, fate);
  }

  receive(by: number, word: number): void {
    const fate = this.#fates.get(word);
    if (fate === undefined || fate === 'refused') this.wrong ??= `service ${by} received ${word}, which ${fate ?? 'nobody has sent'}`;
    if (receiverOf(word) !== by) this.wrong ??= `service ${by} received ${word}, which was for ${receiverOf(word)}`;
    if (this.#arrived.has(word)) this.wrong ??= `service ${by} received ${word} twice`;
    this.#arrived.add(word);
  }

  /** @param dead services that have died: what was in their queues is gone with them */
  balance(dead: ReadonlySet<number>): {
    readonly wrong: string | null;
    readonly sums: Pick<StormResult, 'accepted' | 'received' | 'lost' | 'uncertain'>;
  } {
    let wrong: string | null = null;
    const sums = { accepted: 0, received: this.#arrived.size, lost: 0, uncertain: 0 };
    for (const [word, fate] of this.#fates) {
      if (fate === 'accepted') sums.accepted++;
      if (fate === 'uncertain' || fate === 'sent') sums.uncertain++;
      if (fate === 'sent' && !dead.has(senderOf(word)))
        wrong ??= `service ${senderOf(word)} lives and never came back from sending ${word}`;
      if (fate === 'uncertain' && !dead.has(receiverOf(word))) wrong ??= `${word} failed although its receiver ${receiverOf(word)} lives`;
      if (fate !== 'accepted' || this.#arrived.has(word)) continue;
      if (dead.has(receiverOf(word))) sums.lost++;
      else wrong ??= `${word} was accepted by service ${receiverOf(word)}, which lives, and never arrived`;
    }
    return { wrong, sums };
  }
}

function wordFor(from: number, to: number, number: number): number {
  return ((from + 1) * STORM_SERVICES + to) * WORDS + number;
}

function receiverOf(word: number): number {
  return Math.floor(word / WORDS) % STORM_SERVICES;
}

function senderOf(word: number): number {
  return Math.floor(word / WORDS / STORM_SERVICES) - 1;
}

/** What all services know of each other without having to ask: the experimenter's view. */
class World {
  readonly keys: number[] = [];
  requested = 0;
  ready = 0;
  started = false;
  /** Who is being called by each sender, -1 if nobody is. */
  readonly calling: number[] = Array.from({ length: STORM_SERVICES }, () => -1);
  /** Pairs of which one is about to take its request back: an application must keep its calls apart from that. */
  readonly blocked: Set<number> = new Set();
  readonly pids: number[] = [];
  readonly gone: Set<number> = new Set();

  constructor(
    readonly stage: Stage,
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

class Service {
  readonly #world: World;
  readonly #me: number;
  readonly #rng: Rng;
  readonly #buried: Set<number> = new Set();
  #senderDone = false;
  #sent = 0;
  #depth = 0;

  constructor(world: World, me: number, rng: Rng) {
    this.#world = world;
    this.#me = me;
    this.#rng = rng;
  }

  /** The receiver. */
  *main(p: Program): Routine {
    const world = this.#world;
    const lib = librpal(p);
    yield* lib.init(1);
    world.keys[this.#me] = lib.process.key;
    world.pids[this.#me] = yield* p.getpid();
    const { service } = p.context.thread.rpal;
    if (service !== null) world.services.add(service);
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
    const connected: number[] = [];
    for (let i = 1; i < STORM_SERVICES; i++) {
      const fd = yield* p.accept(listener);
      yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN | Poll.IN | Poll.RDHUP | Epoll.ET);
      connected.push(fd);
    }
    yield* p.epollCtl(epfd, Epoll.CTL_ADD, lib.process.rpalFd, Poll.IN);
    if (this.#rng.below(2) === 0) yield* p.setAffinity([0, 1, 2, 3]);
    yield* this.#serve(p, lib, epfd, memory, connected);
    while (!this.#senderDone) yield* p.sleep(1e5);
  }

  *#serve(p: Program, lib: LibRpal, epfd: number, memory: number, connected: readonly number[]): Routine {
    const words = memory + 4096;
    let open = connected.length;
    while (open > 0) {
      // Finite waits let fast epoll wait start its timer; a wait of no time is a look.
      const timeout = [-1, -1, 1, 0][this.#rng.below(4)] as number;
      const count = yield* lib.epollWait(epfd, memory, 4, timeout);
      for (let i = 0; i < count; i++) {
        const bits = yield* p.load32(memory + i * EPOLL_EVENT_SIZE);
        const fd = yield* p.load32(memory + i * EPOLL_EVENT_SIZE + 4);
        if (fd === lib.process.rpalFd) {
          const dead = yield* lib.cleanServiceStart();
          for (const each of connected) yield* this.#take(p, lib, each, words);
          if (dead !== null) yield* this.#bury(p, lib, dead);
          continue;
        }
        if ((bits & EPOLLRPALIN) !== 0) yield* this.#take(p, lib, fd, words);
        if ((bits & (Poll.IN | Poll.RDHUP | Poll.HUP)) !== 0) {
          let n = yield* p.recv(fd, words, 64, MSG_DONTWAIT);
          while (n > 0) n = yield* p.recv(fd, words, 64, MSG_DONTWAIT);
          if (n !== 0 && n !== -Errno.ECONNRESET) continue;
          yield* this.#take(p, lib, fd, words);
          yield* lib.epollCtl(epfd, Epoll.CTL_DEL, fd, 0);
          open--;
        }
      }
    }
  }

  /** The library leaves it to the application to keep its own calls apart from the release of the dead. */
  *#bury(p: Program, lib: LibRpal, dead: readonly number[]): Routine {
    const { keys, calling } = this.#world;
    for (const key of dead) {
      const other = keys.indexOf(key);
      this.#buried.add(other);
      while (calling[this.#me] === other) yield* p.sleep(20_000);
    }
    yield* lib.cleanServiceEnd(dead);
  }

  *#take(p: Program, lib: LibRpal, fd: number, words: number): Routine {
    for (let n = yield* lib.readPtrs(fd, words, 32); n > 0; n = yield* lib.readPtrs(fd, words, 32)) {
      for (let w = 0; w < n; w++) this.#world.books.receive(this.#me, yield* p.load64(words + 8 * w));
      yield* this.#something(p);
    }
  }

  /** One of the things that programs do, within a call or outside. */
  *#something(p: Program): Routine {
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

  *#map(p: Program): Routine {
    const pages = 1 + this.#rng.below(3);
    const at = yield* p.allocate(pages * 4096);
    for (let i = 0; i < pages; i++) yield* p.store64(at + i * 4096, i);
    if (this.#rng.below(2) === 0) yield* p.mprotect(at, 4096, Prot.READ);
    yield* p.munmap(at, pages * 4096);
  }

  /** A child of a service is none; it touches memory, which it may not be allowed to, and ends. */
  *#fork(p: Program): Routine {
    this.#depth++;
    const child = yield* p.fork(function* (q) {
      const at = yield* q.allocate(4096);
      yield* q.store64(at, 1);
    });
    while (child > 0 && (yield* p.wait(child)) === -Errno.ERESTARTSYS);
    this.#depth--;
  }

  /** The sender, a thread of its own. */
  *#sender(q: Program): Routine {
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
      if (far === null) throw new Error(`service ${this.#me} does not find the receiver of ${other}`);
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

  *#die(q: Program, end: (typeof DEATHS)[number]): Routine {
    this.#world.gone.add(this.#me);
    if (end === 'kill') yield* q.kill(yield* q.getpid(), Signal.KILL);
    else if (end === 'exit') yield* q.exit(0);
    else yield* q.store64(16, 1);
  }

  *#act(q: Program, lib: LibRpal, ways: readonly (Way | null)[], words: number): Routine {
    const rng = this.#rng;
    const other = rng.below(STORM_SERVICES);
    const way = ways[other] ?? null;
    if (way === null) return;
    const luck = rng.below(100);
    if (luck < 70) yield* this.#call(q, lib, other, way, words);
    else if (luck < 72) yield* this.#rerequest(q, lib, other);
    else if (luck < 74) {
      if (!this.#world.gone.has(other)) yield* q.kill(this.#world.pids[other] as number, Signal.USR1);
    } else if (luck < 76) yield* q.send(way.fd, words, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    else yield* this.#something(q);
  }

  *#call(q: Program, lib: LibRpal, other: number, way: Way, words: number): Routine {
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
    world.books.calls++;
    for (const word of sent) world.books.send(word);
    world.calling[this.#me] = other;
    const result = yield* lib.writePtrs(way.id, way.far, words, count);
    world.calling[this.#me] = -1;
    const fate = result === count ? 'accepted' : result === PEER_MEMORY ? 'uncertain' : 'refused';
    for (const word of sent) world.books.settle(word, fate);
  }

  /** Takes a request back and makes it again, while neither side is in a call to the other. */
  *#rerequest(q: Program, lib: LibRpal, other: number): Routine {
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
