import { Access, CACHE_LINE, type Cpu, PAGE_MASK, PAGE_SIZE } from '@rpal/hw-x86';
import { formatStamp, parseStamp } from './libc.js';
import type { ProgramContext } from './program-context.js';
import { KernelStep } from './steps.js';
import { CallOutcome } from './user-context.js';

/**
 * What `yield*` takes: an iterator that suspends the program when the call cannot be completed at once, and ends with its
 * result. A program re-uses one object for all its calls of a kind, so a call that completes allocates nothing.
 */
export interface Call<T = number> extends Iterator<void, T, void> {
  [Symbol.iterator](): Call<T>;
}

const SUSPENDED: IteratorResult<void, number> = { done: false, value: undefined };

/** The end of a call. One per kind, so that each holds values of one representation. */
interface Result {
  readonly done: true;
  value: number;
}

/** A system call; its number and arguments are in the context's registers. */
export class SyscallCall implements Call {
  readonly #context: ProgramContext;
  readonly #result: Result = { done: true, value: 0 };
  #waiting = false;

  constructor(context: ProgramContext) {
    this.#context = context;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<void, number> {
    const context = this.#context;
    if (!this.#waiting) {
      const outcome = context.kernel.syscall(context.cpu, context);
      if (outcome !== CallOutcome.DONE) {
        this.#waiting = outcome === CallOutcome.PENDING;
        return SUSPENDED;
      }
    }
    this.#waiting = false;
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
    return this.#result;
  }
}

/** Physical address for an access, or -1 if the program must wait, because a fault is being handled. */
function reach(context: ProgramContext, address: number, access: number): number {
  for (;;) {
    const physical = context.cpu.data(address, access);
    if (physical >= 0) return physical;
    if (context.kernel.pageFault(context.cpu, context) !== CallOutcome.DONE) return -1;
  }
}

/** What a single access does. */
export const Kind = { LOAD8: 0, LOAD32: 1, LOAD64: 2, FETCH: 3, STORE8: 4, STORE32: 5, STORE64: 6 } as const;

/** One load, store or instruction fetch. */
export class AccessCall implements Call {
  kind: number = Kind.LOAD8;
  address = 0;
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
    const { kind } = this;
    const how = kind >= Kind.STORE8 ? Access.user | Access.write : kind === Kind.FETCH ? Access.user | Access.fetch : Access.user;
    const physical = reach(this.#context, this.address, how);
    if (physical < 0) return SUSPENDED;
    this.#result.value = this.#perform(physical);
    return this.#result;
  }

  #perform(physical: number): number {
    const { memory } = this.#context.cpu;
    const { value } = this;
    switch (this.kind) {
      case Kind.LOAD8:
        return memory.read8(physical);
      case Kind.LOAD32:
        return memory.read32(physical) >>> 0;
      case Kind.LOAD64:
        return memory.read64(physical);
      case Kind.STORE8:
        memory.write8(physical, value);
        return value;
      case Kind.STORE32:
        memory.write32(physical, value);
        return value;
      case Kind.STORE64:
        memory.write64(physical, value);
        return value;
      default:
        return 0;
    }
  }
}

/** A library routine on a range of memory, one page at a time. */
abstract class SpanCall implements Call {
  address = 0;
  length = 0;
  protected readonly context: ProgramContext;
  protected readonly result: Result = { done: true, value: 0 };
  readonly #step: number;
  readonly #write: boolean;
  readonly #access: number;
  #done = 0;

  constructor(context: ProgramContext, step: number, write: boolean) {
    this.context = context;
    this.#step = step;
    this.#write = write;
    this.#access = write ? Access.user | Access.write : Access.user;
  }

  /** Works on `length` bytes at physical address `at`, `done` bytes into the range. @returns false to stop early */
  protected abstract work(cpu: Cpu, at: number, length: number, done: number): boolean;

  [Symbol.iterator](): this {
    this.#done = 0;
    return this;
  }

  next(): IteratorResult<void, number> {
    const { context, length } = this;
    if (length === 0) context.cpu.charge(this.#step);
    while (this.#done < length) {
      const at = reach(context, this.address + this.#done, this.#access);
      if (at < 0) return SUSPENDED;
      const { cpu } = context;
      if (this.#done === 0) cpu.chargeBytes(this.#step, length);
      const part = Math.min(length - this.#done, PAGE_SIZE - (at & PAGE_MASK));
      if (cpu.coherence.frameOwner(at) !== cpu.coreTag) {
        for (let line = CACHE_LINE - (at & (CACHE_LINE - 1)); line < part; line += CACHE_LINE)
          cpu.coherence.touch(cpu, at + line, this.#write);
      }
      const goOn = this.work(cpu, at, part, this.#done);
      this.#done += part;
      if (!goOn) break;
    }
    return this.result;
  }
}

/** memset. */
export class FillCall extends SpanCall {
  byte = 0;

  constructor(context: ProgramContext) {
    super(context, KernelStep.memset, true);
  }

  protected override work(cpu: Cpu, at: number, length: number): boolean {
    cpu.memory.fill(at, length, this.byte);
    return true;
  }
}

const NO_BYTES = new Uint8Array(0);

/** Stores bytes of the host, a literal of the program, in memory. */
export class StoreBytesCall extends SpanCall {
  bytes: Uint8Array = NO_BYTES;

  constructor(context: ProgramContext) {
    super(context, KernelStep.memcpy, true);
  }

  protected override work(cpu: Cpu, at: number, length: number, done: number): boolean {
    const { u8 } = cpu.memory;
    for (let i = 0; i < length; i++) u8[at + i] = this.bytes[done + i] as number;
    return true;
  }
}

/** Loads memory into bytes of the host. */
export class LoadBytesCall extends SpanCall {
  bytes: Uint8Array = NO_BYTES;

  constructor(context: ProgramContext) {
    super(context, KernelStep.memcpy, false);
  }

  protected override work(cpu: Cpu, at: number, length: number, done: number): boolean {
    const { u8 } = cpu.memory;
    for (let i = 0; i < length; i++) this.bytes[done + i] = u8[at + i] as number;
    return true;
  }
}

/** memcmp of two ranges of memory: 0 if they are equal, 1 if not. */
export class CompareCall extends SpanCall {
  other = 0;

  constructor(context: ProgramContext) {
    super(context, KernelStep.memcmp, false);
  }

  protected override work(cpu: Cpu, at: number, length: number, done: number): boolean {
    const { memory } = cpu;
    if (done === 0) this.result.value = 0;
    for (let i = 0; i < length; ) {
      const to = reach(this.context, this.other + done + i, Access.user);
      // A fault on the other range that cannot be resolved at once ends the program: the comparison is not resumed.
      if (to < 0) return false;
      const part = Math.min(length - i, PAGE_SIZE - (to & PAGE_MASK));
      if (!memory.equal(at + i, to, part)) {
        this.result.value = 1;
        return false;
      }
      i += part;
    }
    return true;
  }
}

/** sprintf of a stamp, "0x%016lx". */
export class PrintStampCall extends SpanCall {
  value = 0.5;

  constructor(context: ProgramContext) {
    super(context, KernelStep.sprintf, true);
  }

  protected override work(cpu: Cpu, at: number, length: number, done: number): boolean {
    formatStamp(cpu.memory, at, length, done, this.value);
    return true;
  }
}

/** sscanf of a stamp, "0x%lx": the value, or -1 if the text is no such number. */
export class ScanStampCall extends SpanCall {
  constructor(context: ProgramContext) {
    super(context, KernelStep.sscanf, false);
  }

  protected override work(cpu: Cpu, at: number, length: number, done: number): boolean {
    this.result.value = parseStamp(cpu.memory, at, length, done, done === 0 ? 0 : this.result.value);
    return this.result.value >= 0;
  }
}
