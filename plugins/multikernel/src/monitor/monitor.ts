import type { Topology } from '@rpal/hw-x86';
import { type Capability, type CapabilityType, type Refusal, retypes } from '../caps/capability.js';
import type { Slot } from '../caps/capability-space.js';
import type { AddressSpace } from '../kernel/address-space.js';
import type { Dispatcher, Lrpc } from '../kernel/dispatcher.js';
import { KernelStep } from '../kernel/steps.js';
import { codeOf, Operation, Request, refusalOf, typeCode, typeOf } from '../protocol/requests.js';
import type { UrpcReceiver, UrpcSender } from '../urpc/channel.js';
import type { WatchedLine } from '../urpc/watched-line.js';
import type { Routine } from '../urpc/words.js';
import { type Route, treeOf } from './routes.js';

/** What a message between monitors begins with. */
const Kind = {
  /** Do it, and answer. */
  REQUEST: 1,
  /** The same, and pass it on to the others of the socket. */
  RELAY: 2,
  ANSWER: 3,
} as const;

/** TSC cycles that core 0 waits before it claims again what others claim. */
const BACKOFF = 1000;

/** The core that began an operation is in its number above this bit. */
const NUMBERS = 20;

/** A monitor's ends of the channels with another one. */
export interface Link {
  readonly core: number;
  readonly out: UrpcSender;
  readonly into: UrpcReceiver;
}

/** What a monitor needs of the machine. */
export interface MonitorWorld {
  readonly topology: Topology;
  /** Cores that have monitors. */
  readonly cores: readonly number[];
  /** How an operation goes to all cores. */
  readonly route: Route;
  /** A monitor's ends of its channels with another one, made when first used. */
  connect(from: number, to: number): Link;
  /** The line that a monitor broadcasts through; from the first time on all others watch it. */
  broadcastLine(core: number): WatchedLine;
  /** Address spaces by their numbers. */
  readonly spaces: readonly AddressSpace[];
  /** Cores that have dispatchers in an address space. */
  coresOf(space: AddressSpace): readonly number[];
}

/** An operation under way. */
interface Pending {
  /** Who is answered when all have answered; null on the core that began. */
  readonly parent: number | null;
  missing: number;
  /** The first refusal, as a word. */
  refusal: number;
}

/**
 * The monitor of one core: a program in user mode that its kernel trusts. Monitors keep what all cores must agree upon, by messages alone.
 * An operation goes out along a tree; each monitor does its core's part, and answers when all behind it have answered.
 */
export class Monitor {
  readonly core: number;
  readonly #world: MonitorWorld;
  readonly #self: Dispatcher;
  readonly #links: Link[] = [];
  readonly #watched: { readonly line: WatchedLine; seen: number }[] = [];
  readonly #pending: Map<number, Pending> = new Map();
  #operations = 0;

  constructor(core: number, self: Dispatcher, world: MonitorWorld) {
    this.core = core;
    this.#self = self;
    this.#world = world;
  }

  /** Another monitor may send from now on. */
  listen(link: Link): void {
    this.#links.push(link);
  }

  /** Another monitor may broadcast from now on. */
  watch(line: WatchedLine): void {
    this.#watched.push({ line, seen: 0 });
  }

  /** Operations that have not ended. */
  get pending(): number {
    return this.#pending.size;
  }

  /** What it does for ever. */
  *program(): Routine {
    const self = this.#self;
    for (;;) {
      yield* this.#messages();
      if (self.inbox !== null) yield* this.#serve(yield* self.receive());
      yield* self.words.pause();
      yield* self.yield();
    }
  }

  /** Has `cores`, this one among them, do their parts of an operation. @returns null, or why the first of them refused */
  *operate(operation: number, words: readonly number[], cores: readonly number[], route: Route): Routine<Refusal | null> {
    const number = (this.core << NUMBERS) | this.#operations++;
    const to = treeOf(route, this.core, cores, this.#world.topology).get(this.core) ?? [];
    const pending: Pending = { parent: null, missing: to.length, refusal: 0 };
    this.#pending.set(number, pending);
    const [a = 0, b = 0, c = 0] = words;
    const rest = [number, operation, a, b, c, maskOf(cores)];
    if (route === 'broadcast') yield* this.#world.broadcastLine(this.core).write(this.#self.words, [Kind.REQUEST, ...rest]);
    else for (const core of to) yield* this.#send(core, [route === 'unicast' ? Kind.REQUEST : Kind.RELAY, ...rest]);
    pending.refusal ||= this.#perform(operation, words, this.core);
    while (pending.missing > 0) {
      yield* this.#messages();
      yield* this.#self.words.pause();
    }
    this.#pending.delete(number);
    return refusalOf(pending.refusal);
  }

  /** Looks at every channel once, and does what has come. */
  *#messages(): Routine {
    const { words, core } = this.#self;
    core.cpu.chargeTimes(KernelStep.look, this.#links.length + this.#watched.length);
    for (const link of this.#links) {
      if (yield* link.into.hasMessage()) yield* this.#handle(link.core, yield* link.into.receive());
    }
    for (const watched of this.#watched) {
      const message = yield* watched.line.read(words, watched.seen);
      if (message === null) continue;
      watched.seen++;
      yield* this.#handle(watched.line.writer, message);
    }
  }

  *#handle(from: number, [kind = 0, number = 0, ...rest]: readonly number[]): Routine {
    this.#self.core.cpu.charge(KernelStep.dispatchMessage);
    if (kind === Kind.ANSWER) {
      yield* this.#answered(number, rest[0] as number);
      return;
    }
    const [operation = 0, a = 0, b = 0, c = 0, mask = 0] = rest;
    const root = number >>> NUMBERS;
    const cores = coresIn(mask);
    if (!cores.includes(this.core)) return;
    const to = kind === Kind.RELAY ? (treeOf('multicast', root, cores, this.#world.topology).get(this.core) ?? []) : [];
    const pending: Pending = { parent: from, missing: to.length, refusal: 0 };
    this.#pending.set(number, pending);
    for (const core of to) yield* this.#send(core, [Kind.REQUEST, number, ...rest]);
    pending.refusal ||= this.#perform(operation, [a, b, c], root);
    if (pending.missing === 0) yield* this.#answer(number, pending);
  }

  *#answered(number: number, refusal: number): Routine {
    const pending = this.#pending.get(number) as Pending;
    pending.refusal ||= refusal;
    pending.missing--;
    if (pending.missing === 0 && pending.parent !== null) yield* this.#answer(number, pending);
  }

  *#answer(number: number, { parent, refusal }: Pending): Routine {
    this.#pending.delete(number);
    yield* this.#send(parent as number, [Kind.ANSWER, number, refusal]);
  }

  /** Sends to another monitor. While there is no room, what comes is done: the other one may be waiting for room, too. */
  *#send(core: number, message: readonly number[]): Routine {
    const { out } = this.#links.find((link) => link.core === core) ?? this.#world.connect(this.core, core);
    while (!(yield* out.hasRoom())) yield* this.#messages();
    yield* out.send(...message);
  }

  /** This core's part of an operation. @returns a refusal as a word, or 0 */
  #perform(operation: number, [a = 0, b = 0, c = 0]: readonly number[], root: number): number {
    const { driver, core } = this.#self;
    const { capabilities } = driver;
    if (operation === Operation.INVALIDATE) driver.invalidate([b]);
    if (operation === Operation.CLAIM) {
      core.cpu.charge(KernelStep.capabilityWork);
      return codeOf(capabilities.claim(memoryOf('ram', a, b), root));
    }
    if (operation === Operation.RELEASE) capabilities.release(root);
    if (operation === Operation.REVOKE) {
      core.cpu.charge(KernelStep.capabilityWork);
      const memory = memoryOf(typeOf(a) as CapabilityType, b, c);
      const kept = root === this.core ? this.#kept : null;
      capabilities.remove([...capabilities.copies(memory), ...capabilities.descendants(memory)].filter((slot) => slot !== kept));
      driver.invalidate(this.#world.spaces.flatMap((space) => this.#unmapAll(space, memory)));
    }
    return 0;
  }

  /** The slot that a revocation under way leaves. */
  #kept: Slot | null = null;

  /** Takes all pages of a piece of memory out of an address space, if it has dispatchers here. @returns their addresses */
  #unmapAll(space: AddressSpace, memory: Capability): readonly number[] {
    if (!this.#world.coresOf(space).includes(this.core)) return [];
    const addresses = space.showing(memory);
    for (const address of addresses) space.unmap(address);
    return addresses;
  }

  /** What a domain of this core asks. */
  *#serve({ from, words: [request, a = 0, b = 0, c = 0, d = 0] }: Lrpc): Routine {
    this.#self.core.cpu.charge(KernelStep.dispatchMessage);
    let refused: Refusal | null = 'NO_CAPABILITY';
    let first = 0;
    const { driver } = this.#self;
    const asking = driver.dispatcher(from) as Dispatcher;
    const slot = driver.capabilities.of(from).find(({ number }) => number === a);
    if (request === Request.UNMAP) {
      refused = yield* this.#unmap(asking.space, a);
    } else if (request === Request.RETYPE && slot !== undefined) {
      const type = typeOf(b);
      if (slot.capability.type !== 'ram') refused = 'WRONG_TYPE';
      else if (type === undefined || !retypes(slot.capability, type, c, d)) refused = 'BAD_RETYPE';
      else
        refused = yield* this.#claimed(slot.capability, () => {
          first = this.#make(from, slot.capability, type, c, d);
        });
    } else if (request === Request.REVOKE && slot !== undefined) {
      refused = slot.capability.type === 'endpoint' ? 'WRONG_TYPE' : yield* this.#revoke(slot);
    }
    // Who asked may have died meanwhile.
    while ((yield* this.#self.lrpc(driver.endpointOf(asking), codeOf(refused), first)) === 'BUSY') yield* this.#self.yield();
  }

  /** Takes a page out of an address space, and waits until no core has a translation of it. */
  *#unmap(space: AddressSpace, address: number): Routine<Refusal | null> {
    if (!space.unmap(address)) return 'BAD_ADDRESS';
    const { spaces, route } = this.#world;
    const cores = new Set([this.core, ...this.#world.coresOf(space)]);
    return yield* this.operate(Operation.INVALIDATE, [spaces.indexOf(space), address], [...cores], route);
  }

  /** Changes memory while nobody else can, unless something has been made of it somewhere. Who meets others that want it tries again later. */
  *#claimed({ first, count }: Capability, change: () => void): Routine<Refusal | null> {
    const { cores, route } = this.#world;
    for (let attempt = 1; ; attempt++) {
      const refused = yield* this.operate(Operation.CLAIM, [first, count], cores, route);
      if (refused === null) change();
      yield* this.operate(Operation.RELEASE, [], cores, route);
      if (refused !== 'BUSY') return refused;
      // Each core waits for another time: those that have met do not meet again for ever.
      yield* this.#messagesFor(attempt * (1 + this.core) * BACKOFF);
    }
  }

  *#messagesFor(cycles: number): Routine {
    const { cpu } = this.#self.core;
    for (const end = cpu.clock + cycles; cpu.clock < end; ) {
      yield* this.#messages();
      yield* this.#self.words.pause();
    }
  }

  /** @returns the first slot */
  #make(owner: number, ram: Capability, type: CapabilityType, pieces: number, frames: number): number {
    const { driver, core } = this.#self;
    core.cpu.charge(KernelStep.capabilityWork);
    const slots = Array.from({ length: pieces }, (_, i) =>
      driver.capabilities.insert(owner, { ...ram, type, first: ram.first + i * frames, count: frames }),
    );
    return slots[0] as number;
  }

  *#revoke(slot: Slot): Routine<Refusal | null> {
    const { type, first, count } = slot.capability;
    this.#kept = slot;
    const refused = yield* this.operate(Operation.REVOKE, [typeCode(type), first, count], this.#world.cores, this.#world.route);
    this.#kept = null;
    return refused;
  }
}

function memoryOf(type: CapabilityType, first: number, count: number): Capability {
  return { type, first, count, writable: true, receiver: -1 };
}

/** A set of cores as a word of a message: below 2^53, so of at most 53 cores. */
function maskOf(cores: readonly number[]): number {
  return cores.reduce((mask, core) => mask + 2 ** core, 0);
}

function coresIn(mask: number): number[] {
  const cores: number[] = [];
  for (let core = 0, left = mask; left > 0; core++, left = Math.floor(left / 2)) if (left % 2 === 1) cores.push(core);
  return cores;
}
