import type { BareCore } from '@rpal/hw-x86';
import type { Capability, CapabilityType, Refusal } from '../caps/capability.js';
import { Request, refusalOf, typeCode } from '../protocol/requests.js';
import { type Routine, type Words, wordsOf } from '../urpc/words.js';
import type { AddressSpace } from './address-space.js';
import type { CpuDriver } from './cpu-driver.js';
import { KernelStep } from './steps.js';

/** Words of an LRPC: what goes in registers. */
export const LRPC_WORDS = 5;

/** An LRPC that has come. */
export interface Lrpc {
  /** Who sent it: the kernel says so. */
  readonly from: number;
  readonly words: readonly number[];
}

/** What a domain's program does on one core. */
export type DomainProgram = (d: Dispatcher) => Routine;

/** A domain on one core: what a program there can do. All calls that may be refused return null if they were not, or why they were. */
export class Dispatcher {
  readonly id: number;
  readonly name: string;
  readonly space: AddressSpace;
  readonly driver: CpuDriver;
  readonly core: BareCore;
  /** User memory of the domain. A domain that accesses what it has not mapped dies. */
  readonly words: Words;
  /** An LRPC that nobody has looked at. */
  inbox: Lrpc | null = null;
  /** It has nothing to do until something comes. */
  blocked = false;
  /** It has accessed what it may not: the kernel ends it. */
  faulted = false;
  dead = false;
  /** What came while it waited for the monitor. */
  readonly #later: Lrpc[] = [];

  constructor(id: number, name: string, space: AddressSpace, driver: CpuDriver) {
    this.id = id;
    this.name = name;
    this.space = space;
    this.driver = driver;
    this.core = driver.core;
    const own = wordsOf(driver.core);
    const alive = <T>(part: Routine<T>): Routine<T> => this.#alive(part);
    this.words = {
      load: (address) => alive(own.load(address)),
      store: (address, value) => alive(own.store(address, value)),
      storeLine: (address, line) => alive(own.storeLine(address, line)),
      pause: () => own.pause(),
    };
  }

  /**
   * Sends an LRPC to the receiver of an endpoint on this core, which runs at once; this dispatcher goes on when its turn comes. Refused with
   * BUSY if the receiver has not taken the one before.
   */
  *lrpc(slot: number, ...words: readonly number[]): Routine<Refusal | null> {
    yield;
    this.core.cpu.charge(KernelStep.lrpcStub);
    const refused = this.driver.lrpc(this, slot, words.slice(0, LRPC_WORDS));
    if (refused === null) yield;
    return refused;
  }

  /** Waits for an LRPC and takes it. Others run meanwhile. */
  *receive(): Routine<Lrpc> {
    return this.#later.shift() ?? (yield* this.#take());
  }

  *#take(): Routine<Lrpc> {
    while (this.inbox === null) {
      this.blocked = true;
      this.driver.block(this);
      yield;
    }
    const { inbox } = this;
    this.inbox = null;
    return inbox;
  }

  /** Lets others on this core run. */
  *yield(): Routine {
    this.driver.rotate();
    yield;
  }

  /** What is in a slot; null if nothing. */
  *identify(slot: number): Routine<Capability | null> {
    return (yield* this.#inKernel(() => this.driver.capabilities.find(this.id, slot))) ?? null;
  }

  /** Copies a capability into another slot, with fewer rights if `writable` is false. @returns the slot, or why not */
  *copy(slot: number, writable = true): Routine<number | Refusal> {
    return yield* this.#inKernel(() => {
      const { capabilities } = this.driver;
      const found = capabilities.find(this.id, slot);
      if (found === undefined) return 'NO_CAPABILITY';
      this.core.cpu.charge(KernelStep.capabilityWork);
      return capabilities.insert(this.id, { ...found, writable: found.writable && writable });
    });
  }

  /** Gives a copy of a capability to the receiver of an endpoint on this core. @returns its slot there, or why not */
  *grant(endpoint: number, slot: number): Routine<number | Refusal> {
    return yield* this.#inKernel(() => {
      const { capabilities } = this.driver;
      const to = capabilities.find(this.id, endpoint);
      const found = capabilities.find(this.id, slot);
      if (to === undefined || found === undefined) return 'NO_CAPABILITY';
      if (to.type !== 'endpoint') return 'WRONG_TYPE';
      if (this.driver.dispatcher(to.receiver)?.dead !== false) return 'PEER_DIED';
      this.core.cpu.charge(KernelStep.capabilityWork);
      return capabilities.insert(to.receiver, found);
    });
  }

  /** Maps a frame's pages. */
  *map(slot: number, address: number, writable = true): Routine<Refusal | null> {
    return yield* this.#inKernel(() => {
      const found = this.driver.capabilities.find(this.id, slot);
      return found === undefined ? 'NO_CAPABILITY' : this.space.map(found, address, writable);
    });
  }

  /** Takes a page out of the domain, on all its cores. */
  *unmap(address: number): Routine<Refusal | null> {
    return refusalOf((yield* this.#askMonitor(Request.UNMAP, address))[0]);
  }

  /**
   * Makes `pieces` capabilities of `frames` frames each out of RAM that nothing has been made of, on any core.
   * @returns the first one's slot, the others follow; or why not
   */
  *retype(slot: number, to: CapabilityType, pieces: number, frames: number): Routine<number | Refusal> {
    const [refused, first] = yield* this.#askMonitor(Request.RETYPE, slot, typeCode(to), pieces, frames);
    return refusalOf(refused) ?? (first as number);
  }

  /** Takes a capability away from all others, and what was made from it from everybody, on all cores: nothing shows its memory afterwards. */
  *revoke(slot: number): Routine<Refusal | null> {
    return refusalOf((yield* this.#askMonitor(Request.REVOKE, slot))[0]);
  }

  /** Enters the kernel, finds a capability there, and comes back. */
  *#inKernel<T>(work: () => T): Routine<T> {
    yield;
    const { cpu } = this.core;
    this.core.user = false;
    cpu.charge(KernelStep.systemCall);
    cpu.charge(KernelStep.capabilityLookup);
    const result = work();
    cpu.charge(KernelStep.systemReturn);
    this.core.user = true;
    return result;
  }

  /** Has the monitor of this core do something: an LRPC to it and one back. */
  *#askMonitor(...request: readonly number[]): Routine<readonly number[]> {
    while ((yield* this.lrpc(this.driver.monitorSlot(this), ...request)) !== null) yield* this.yield();
    for (;;) {
      const message = yield* this.#take();
      if (message.from === this.driver.monitor.id) return message.words;
      this.#later.push(message);
    }
  }

  /** Goes on with a part of the program, unless an access in it has faulted: then the program stays where it is until the kernel ends it. */
  *#alive<T>(part: Routine<T>): Routine<T> {
    const result = yield* part;
    while (this.faulted) yield;
    return result;
  }
}
