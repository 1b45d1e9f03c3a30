import { Access, type Cpu, Exception, FaultCode, ModelBug } from '@rpal/hw-x86';
import type { CallArguments } from './call-arguments.js';
import type { Thread } from './thread.js';
import { UserContext } from './user-context.js';

/** First of the addresses that stand for continuations. */
const TEXT = 0x7fff_0000_0000;
/** Addresses of a context. */
const SPACING = 16;
/** Places in the table. A place that is used again has other addresses: so many times, before its first ones come again. */
const PLACES = 1 << 20;
const TURNS = 256;

/** An engine whose code lies in memory: there a saved instruction pointer is an address of machine code. */
export interface CodeEngine {
  /** The context that goes on at `address`, in whatever address space the CPU has; null: this engine has no code there. */
  contextAt(cpu: Cpu, address: number): UserContext | null;
}

/**
 * The user contexts of a machine that saved instruction pointers may lead to, by address (in a computer: the code that lies there). A
 * context is in the table from its making to the end of its thread; then its place is free for another.
 */
export class ContextTable {
  /** The first place stays empty: nothing leads to where the addresses begin. */
  readonly #places: (UserContext | null)[] = [null];
  /** How often each place has been used before. */
  readonly #turns: number[] = [0];
  readonly #free: number[] = [];
  readonly #engines: CodeEngine[] = [];

  /** Contexts in the table. */
  get size(): number {
    return this.#places.length - 1 - this.#free.length;
  }

  /** Gives a context of `thread` a place. @returns its address */
  add(context: UserContext, thread: Thread): number {
    let place = this.#free.pop();
    if (place === undefined) {
      place = this.#places.push(context) - 1;
      this.#turns.push(0);
    }
    this.#places[place] = context;
    thread.contexts.push(context);
    return TEXT + ((this.#turns[place] as number) * PLACES + place) * SPACING;
  }

  /** The context that a saved instruction pointer leads to. Where there is none, the next fetch of an instruction faults. */
  at(cpu: Cpu, address: number): UserContext {
    const number = Math.floor((address - TEXT) / SPACING);
    const context = this.#places[number & (PLACES - 1)] ?? null;
    return context !== null && context.resumeAddress === TEXT + number * SPACING ? context : this.#inMemory(cpu, address);
  }

  /** Asks `engine` for what the table does not know. */
  use(engine: CodeEngine): void {
    this.#engines.push(engine);
  }

  #inMemory(cpu: Cpu, address: number): UserContext {
    for (const engine of this.#engines) {
      const context = engine.contextAt(cpu, address);
      if (context !== null) return context;
    }
    return new NoCode(this, cpu, address);
  }

  /** Takes all contexts of a thread out: it has ended, or executes another image. */
  release({ contexts }: Thread): void {
    for (const { resumeAddress } of contexts.splice(0)) {
      const place = ((resumeAddress - TEXT) / SPACING) & (PLACES - 1);
      this.#places[place] = null;
      this.#turns[place] = ((this.#turns[place] as number) + 1) % TURNS;
      this.#free.push(place);
    }
  }
}

/**
 * What executes at an address where there is no code: the fetch of the next instruction faults. If there is memory to fetch from, what is
 * fetched is not an instruction.
 */
export class NoCode extends UserContext {
  constructor(contexts: ContextTable, cpu: Cpu, rip: number) {
    super(contexts, cpu, null);
    this.rip = rip;
  }

  /** Without an instruction there is no system call whose arguments anybody could ask for. */
  get args(): CallArguments {
    throw new ModelBug('a system call was made where there is no code');
  }

  override resume(cpu: Cpu): void {
    this.cpu = cpu;
    this.fresh = true;
    cpu.mmu.faultAddress = this.rip;
    cpu.mmu.faultCode = FaultCode.user | FaultCode.fetch;
    if (this.pageFault() && this.reach(this.rip, Access.user | Access.fetch) >= 0) cpu.trap.exception(cpu, Exception.invalidOpcode, 0);
  }
}
