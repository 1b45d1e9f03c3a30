import type { BareCore } from '@rpal/hw-x86';
import type { Filter } from '../filters/filter.js';
import type { TableLevel } from './bindings.js';
import type { Capability, Refusal } from './capability.js';
import type { Exokernel } from './exokernel.js';
import { ExoStep } from './steps.js';
import { TransferMode } from './transfer-mode.js';

/** Part of a program: time slices end where it yields. */
export type Routine<T = void> = Generator<void, T>;

export type EnvironmentProgram = (e: Environment) => Routine;

/** Numbers that stay in registers through a transfer. */
export const REGISTERS = 8;

/** A transfer that has come. */
export interface Transfer {
  /** Who sent it: the kernel says so. */
  readonly from: number;
  readonly words: readonly number[];
  /** The time slice came with it, with all its later turns; else only what is left of this turn. */
  readonly synchronous: boolean;
}

/** An exception, as the kernel leaves it in the save area. */
export interface Trap {
  readonly vector: number;
  /** As the processor has it: `FaultCode` bits of a page fault. */
  readonly code: number;
  readonly address: number;
}

/** What becomes of the instruction that has trapped; one that is skipped reads 0. */
export type TrapAnswer = 'retry' | 'skip';

/** A page that was taken by force: a line of the repossession vector. */
export interface Repossessed {
  readonly frame: number;
  /** Where the environment showed it. */
  readonly addresses: readonly number[];
}

/** Where the kernel enters an environment, besides its program. Null: it is not entered there. */
export interface Entries {
  /** A transfer has come. @returns words to answer with, by a synchronous transfer back; or null: the program goes on with the slice */
  transfer: ((transfer: Transfer) => Routine<readonly number[] | null>) | null;
  /** An exception has come. Without a handler the environment ends. */
  exception: ((trap: Trap) => Routine<TrapAnswer>) | null;
  /** A packet has come that one of its filters accepts. */
  packet: ((bytes: Uint8Array) => Routine) | null;
  /** The kernel wants `pages` of its pages back, soon. */
  revoke: ((pages: number) => Routine) | null;
  /** The kernel has taken pages by force. */
  repossess: ((pages: readonly Repossessed[]) => Routine) | null;
}

/** Something that the environment executes; the newest goes on first. */
interface Activation {
  readonly routine: Routine;
  /** It serves a transfer. */
  readonly transfer: boolean;
  /** It waits for something: it does not want the CPU. */
  waiting: boolean;
  /** Whose answer it waits for. */
  awaiting: number | null;
  answer: readonly number[] | null;
}

/** What the kernel knows a program by, and what the program can do. Calls that may be refused return null if they were not, or why they were. */
export class Environment {
  readonly id: number;
  readonly name: string;
  /** Frame of its top-level table. */
  readonly root: number;
  readonly pcid: number;
  readonly entries: Entries = { transfer: null, exception: null, packet: null, revoke: null, repossess: null };
  /** It has trapped where nobody handles it. */
  faulted = false;
  dead = false;
  readonly #kernel: Exokernel;
  readonly #activations: Activation[] = [];
  /** What executes now: not always the newest, which it may have brought about. */
  #running: Activation | null = null;
  #trap: Trap | null = null;
  #traps = 0;

  constructor(
    kernel: Exokernel,
    id: number,
    name: string,
    place: { readonly root: number; readonly pcid: number },
    program: EnvironmentProgram,
  ) {
    this.#kernel = kernel;
    this.id = id;
    this.name = name;
    this.root = place.root;
    this.pcid = place.pcid;
    this.#push(startedLate(this, program));
  }

  get core(): BareCore {
    return this.#kernel.core;
  }

  /** It wants the CPU. */
  get runnable(): boolean {
    return !this.dead && this.#top?.waiting === false;
  }

  /** Its program and all entries have come to their ends. */
  get finished(): boolean {
    return this.#activations.length === 0;
  }

  /** Books work of the program. */
  charge(step: number): void {
    this.core.cpu.charge(step);
  }

  /** Reads a word of 64 bits that holds a whole number up to 2^53. */
  *load(address: number): Routine<number> {
    return yield* this.#access(() => this.core.read64(address));
  }

  *store(address: number, value: number): Routine {
    yield* this.#access(() => this.core.write64(address, value));
  }

  /** Executes an instruction that user mode may not: INVLPG. */
  *invlpg(address: number): Routine {
    yield* this.#access(() => this.core.invlpg(address));
  }

  /** Transfers to another environment with the slice, and waits for its transfer back. @returns the words that come back, or why not */
  *call(to: number, ...words: readonly number[]): Routine<readonly number[] | Refusal> {
    yield;
    const refused = this.#kernel.transfer(this, to, words, TransferMode.SYNCHRONOUS);
    if (refused !== null) return refused;
    const activation = this.#running as Activation;
    activation.awaiting = to;
    activation.answer = null;
    yield* this.wait(() => activation.awaiting === null);
    return activation.answer ?? 'PEER_DIED';
  }

  /** Transfers to another environment with what is left of this turn. */
  *send(to: number, ...words: readonly number[]): Routine<Refusal | null> {
    yield;
    const refused = this.#kernel.transfer(this, to, words, TransferMode.ASYNCHRONOUS);
    if (refused === null) yield;
    return refused;
  }

  /** Waits until something holds that only others can bring about. */
  *wait(until: () => boolean): Routine {
    const activation = this.#running as Activation;
    while (!until()) {
      activation.waiting = true;
      yield;
      activation.waiting = false;
    }
  }

  /** Serves transfers until the environment is ended. */
  *serve(): Routine {
    yield* this.wait(() => false);
  }

  /** Gives the rest of this turn to somebody who wants the CPU; to whoever is next without `to`. */
  *yield(to?: number): Routine<Refusal | null> {
    yield;
    const refused = this.#kernel.yield(this, to);
    yield;
    return refused;
  }

  /** A frame, cleared. */
  *allocate(): Routine<Capability | Refusal> {
    return yield* this.#inKernel(() => this.#kernel.allocate(this));
  }

  /** Gives a frame of its own back. Others' bindings of it are broken. */
  *free(capability: Capability): Routine<Refusal | null> {
    return yield* this.#inKernel(() => this.#kernel.free(this, capability));
  }

  /** The same capability without the right to write. */
  *weaken(capability: Capability): Routine<Capability | Refusal> {
    return yield* this.#inKernel(() => this.#kernel.weaken(capability));
  }

  /** Makes a frame of its own the table that covers `address`. It is cleared, and the kernel alone writes it from now on. */
  *bindTable(capability: Capability, address: number, level: TableLevel): Routine<Refusal | null> {
    return yield* this.#inKernel(() => this.#kernel.bindTable(this, capability, address, level));
  }

  /** Shows a frame at `address`, for reading unless `access` says more. */
  *bind(capability: Capability, address: number, access: 'read' | 'write'): Routine<Refusal | null> {
    return yield* this.#inKernel(() => this.#kernel.bind(this, capability, address, access === 'write'));
  }

  /** Has a page be read only, with its A and D bits cleared. */
  *restrict(address: number): Routine<Refusal | null> {
    return yield* this.#inKernel(() => this.#kernel.restrict(this, address));
  }

  *unbind(address: number): Routine<Refusal | null> {
    return yield* this.#inKernel(() => this.#kernel.unbind(this, address));
  }

  /** Has packets come to its entry for them that a filter accepts, unless an earlier one does. */
  *claim(filter: Filter): Routine {
    yield* this.#inKernel(() => this.#kernel.claim(this, filter));
  }

  /** How many pages of its own it has, without page tables. */
  get pages(): number {
    return this.#kernel.frames.of(this).filter(({ table }) => !table).length;
  }

  /** For the kernel: goes on to the next place where it yields. */
  step(): void {
    const activation = this.#top as Activation;
    this.#running = activation;
    if (activation.routine.next().done !== true) return;
    this.#activations.splice(this.#activations.indexOf(activation), 1);
    // What it has done may be what the one below waits for.
    this.#wake();
  }

  /** For the kernel: whether it takes a transfer from somebody now. */
  ready(from: number): Refusal | null {
    if (this.dead) return 'PEER_DIED';
    if (this.#awaiting(from) !== undefined) return null;
    if (this.entries.transfer === null) return 'NO_ENTRY';
    return this.#activations.some(({ transfer }) => transfer) ? 'BUSY' : null;
  }

  /** For the kernel: enters it at its entry for transfers, or where it waits for this one. */
  enter(transfer: Transfer): void {
    const activation = this.#awaiting(transfer.from);
    if (activation === undefined) {
      this.#push(this.#take(transfer), true);
      return;
    }
    activation.answer = transfer.words;
    activation.awaiting = null;
    this.#wake();
  }

  /** For the kernel: enters it at an entry of which nothing comes back. */
  upcall(routine: Routine): void {
    this.#push(routine);
  }

  /** For the kernel: an exception has come. @returns whether the program handles it */
  trap(trap: Trap): boolean {
    // A handler that traps again and again has no stack left.
    if (this.entries.exception === null || this.#traps === 8) return false;
    this.#trap = trap;
    return true;
  }

  /** For the kernel: somebody is gone whose answer it may wait for. */
  bereave(of: number): void {
    for (const activation of this.#activations) if (activation.awaiting === of) activation.awaiting = null;
    this.#wake();
  }

  *#take(transfer: Transfer): Routine {
    const { entries } = this;
    const words = yield* (entries.transfer as NonNullable<Entries['transfer']>)(transfer);
    if (words === null) return;
    // Whoever has asked may be gone: then nobody is told.
    this.#kernel.transfer(this, transfer.from, words, TransferMode.SYNCHRONOUS);
  }

  *#access<T>(work: () => T): Routine<T> {
    for (;;) {
      yield;
      const result = work();
      while (this.faulted) yield;
      const trap = this.#trap;
      if (trap === null) return result;
      this.#trap = null;
      this.#traps++;
      const answer = yield* (this.entries.exception as NonNullable<Entries['exception']>)(trap);
      this.#traps--;
      this.charge(ExoStep.resume);
      if (answer === 'skip') return result;
    }
  }

  *#inKernel<T>(work: () => T): Routine<T> {
    yield;
    this.core.user = false;
    this.charge(ExoStep.systemCall);
    const result = work();
    this.core.user = true;
    return result;
  }

  #push(routine: Routine, transfer = false): void {
    this.#activations.push({ routine, transfer, waiting: false, awaiting: null, answer: null });
  }

  /** The newest looks again at what it waits for. */
  #wake(): void {
    if (this.#top !== undefined) this.#top.waiting = false;
  }

  /** Who waits for an answer of somebody; the newest. */
  #awaiting(from: number): Activation | undefined {
    return this.#activations.filter(({ awaiting }) => awaiting === from).pop();
  }

  get #top(): Activation | undefined {
    return this.#activations[this.#activations.length - 1];
  }
}

/** A program that begins when it first runs: what it is given is complete by then. */
function* startedLate(environment: Environment, program: EnvironmentProgram): Routine {
  yield* program(environment);
}
