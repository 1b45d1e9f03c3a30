import { Access, CACHE_LINE, type Cpu, PAGE_MASK, PAGE_SIZE, Touch, taggedNumber } from '@rpal/hw-x86';
import { KernelStep } from '../steps.js';
import { Made } from './forgotten-call.js';
import { formatStamp, parseStamp } from './libc.js';
import type { ProgramContext } from './program-context.js';

/**
 * What `yield*` takes: an iterator that suspends the program when the call cannot be completed at once, and ends with its
 * result. A program re-uses one object for all its calls of a kind, so a call that completes allocates nothing.
 */
export interface Call<T = number> extends Iterator<void, T, void> {
  [Symbol.iterator](): Call<T>;
}

/*
 * There are four classes of calls, and no fifth: V8 keeps `next` of up to four shapes in line where a program awaits them. One class with
 * a switch would ask of each system call what it is, and what a load needs would lie in every call.
 */

const SUSPENDED: IteratorResult<void, number> = { done: false, value: undefined };

/** The end of a call, made once. */
interface Result {
  readonly done: true;
  value: number;
}

/** A system call; its number and arguments are in the context's registers. */
export class SyscallCall implements Call {
  readonly #context: ProgramContext;
  readonly #result: Result = { done: true, value: 0 };

  constructor(context: ProgramContext) {
    this.#context = context;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<void, number> {
    const context = this.#context;
    if (!context.systemCall()) return SUSPENDED;
    context.made = Made.NONE;
    this.#result.value = context.rax;
    return this.#result;
  }
}

/** Time passes in user mode; interrupts come where they are due. */
export class ComputeCall implements Call {
  cycles = 0;
  readonly #context: ProgramContext;
  readonly #result: Result = { done: true, value: 0 };

  constructor(context: ProgramContext) {
    this.#context = context;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<void, number> {
    const context = this.#context;
    while (this.cycles > 0) {
      if (context.mustYield()) return SUSPENDED;
      const { cpu } = context;
      if (this.cycles > cpu.timeLeft) {
        cpu.work(KernelStep.userWork, this);
        return SUSPENDED;
      }
      cpu.chargeCycles(KernelStep.userWork, this.cycles);
      this.cycles = 0;
    }
    context.made = Made.NONE;
    return this.#result;
  }
}

/** What a single access does. */
export const Kind = { LOAD: 0, STORE: 1, FETCH: 2 } as const;

/** One load, store or instruction fetch. */
export class AccessCall implements Call {
  kind: number = Kind.LOAD;
  /** Bytes: 1, 2, 4 or 8. */
  size = 0;
  address: number = taggedNumber();
  value = 0;
  readonly #context: ProgramContext;
  readonly #result: Result = { done: true, value: 0 };

  constructor(context: ProgramContext) {
    this.#context = context;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<void, number> {
    const context = this.#context;
    if (context.cpu.lsu.spinning && context.mustYield()) return SUSPENDED;
    while (!this.#attempt()) if (!context.pageFault()) return SUSPENDED;
    context.made = Made.NONE;
    return this.#result;
  }

  #attempt(): boolean {
    const { cpu } = this.#context;
    const { lsu } = cpu;
    const { address, size } = this;
    if (this.kind === Kind.LOAD) {
      if (!lsu.load(address, size, Access.user)) return false;
      this.#result.value = lsu.value;
      return true;
    }
    this.#result.value = this.value;
    if (this.kind === Kind.FETCH) return cpu.data(address, Access.user | Access.fetch) >= 0;
    lsu.value = this.value;
    return lsu.store(address, size, Access.user);
  }
}

/** What a library routine does with a range of memory. */
export const Span = {
  /** memset. */
  FILL: 0,
  /** Stores bytes of the host, a literal of the program, in memory. */
  STORE: 1,
  /** Loads memory into bytes of the host. */
  LOAD: 2,
  /** memcmp with another range: 0 if they are equal, 1 if not. */
  COMPARE: 3,
  /** sprintf of a stamp, "0x%016lx". */
  PRINT: 4,
  /** sscanf of a stamp, "0x%lx": the value, or -1 if the text is no such number. */
  SCAN: 5,
  /** memcpy from another range. */
  COPY: 6,
} as const;

/**
 * The first value of a field that is to hold large numbers: V8 keeps the field as a double from the start, and its class keeps its shape.
 */
const FRACTION = 0.5;

const NO_BYTES = new Uint8Array(0);

/** The end of a routine: its value may be a stamp, and passes unboxed, as no other result has this shape. */
class SpanResult implements Result {
  readonly done = true;
  value = FRACTION;
}

/** A library routine on a range of memory, one page at a time. One class for all of them keeps calls within four shapes. */
export class SpanCall implements Call {
  kind: number = Span.FILL;
  address = 0;
  length = 0;
  /** The byte of memset, the stamp of sprintf, the other range of memcmp and memcpy. */
  argument = FRACTION;
  bytes: Uint8Array = NO_BYTES;
  readonly #context: ProgramContext;
  readonly #result = new SpanResult();
  /** Bytes that are done. */
  #done = 0;
  /** The price of the whole call has been charged. */
  #begun = false;

  constructor(context: ProgramContext) {
    this.#context = context;
  }

  [Symbol.iterator](): this {
    this.#done = 0;
    this.#begun = false;
    this.#result.value = 0;
    return this;
  }

  next(): IteratorResult<void, number> {
    const context = this.#context;
    const { length, kind } = this;
    if (length === 0) context.cpu.charge(stepOf(kind));
    while (this.#done < length) {
      const done = this.#done;
      const write = kind <= Span.STORE || kind === Span.PRINT || kind === Span.COPY;
      const at = context.reach(this.address + done, write ? Access.user | Access.write : Access.user);
      if (at < 0) return SUSPENDED;
      const { cpu } = context;
      if (!this.#begun) cpu.chargeBytes(stepOf(kind), length);
      this.#begun = true;
      let part = Math.min(length - done, PAGE_SIZE - (at & PAGE_MASK));
      touchBehind(cpu, at, part, write);
      let other = 0;
      if (kind === Span.COMPARE || kind === Span.COPY) {
        other = context.reach(this.argument + done, Access.user);
        if (other < 0) return SUSPENDED;
        part = Math.min(part, PAGE_SIZE - (other & PAGE_MASK));
        touchBehind(context.cpu, other, part, Touch.LOAD);
      }
      const goOn = this.#work(context.cpu, at, part, done, other);
      this.#done = done + part;
      if (!goOn) break;
    }
    context.made = Made.NONE;
    return this.#result;
  }

  /**
   * Works on `length` bytes at physical address `at`, `done` bytes into the range.
   * @param other physical address of as many bytes of the other range @returns false to stop early
   */
  #work(cpu: Cpu, at: number, length: number, done: number, other: number): boolean {
    const { memory } = cpu;
    const result = this.#result;
    switch (this.kind) {
      case Span.FILL:
        memory.fill(at, length, this.argument & 0xff);
        return true;
      case Span.STORE:
        memory.store(at, this.bytes, done, length);
        return true;
      case Span.LOAD:
        memory.load(at, this.bytes, done, length);
        return true;
      case Span.COMPARE:
        if (memory.equal(at, other, length)) return true;
        result.value = 1;
        return false;
      case Span.COPY:
        memory.copy(at, other, length);
        return true;
      case Span.PRINT:
        formatStamp(memory, at, length, done, this.argument);
        return true;
      default:
        result.value = parseStamp(memory, at, length, done, result.value);
        return result.value >= 0;
    }
  }
}

/** The lines of a range behind its first one, which has been moved here already. */
function touchBehind(cpu: Cpu, at: number, length: number, write: boolean): void {
  const next = CACHE_LINE - (at & (CACHE_LINE - 1));
  cpu.coherence.touchRange(cpu, at + next, length - next, write);
}

function stepOf(kind: number): number {
  switch (kind) {
    case Span.FILL:
      return KernelStep.memset;
    case Span.COMPARE:
      return KernelStep.memcmp;
    case Span.PRINT:
      return KernelStep.sprintf;
    case Span.SCAN:
      return KernelStep.sscanf;
    default:
      return KernelStep.memcpy;
  }
}
