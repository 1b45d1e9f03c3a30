import { AccessCall, type Call, ComputeCall, Kind, Span, SpanCall } from './call.js';
import { refuseNumber, requireBytes } from './checks.js';
import { forgotten, Made } from './forgotten-call.js';
import { PRINTED_LENGTH, STAMP_LENGTH } from './libc.js';
import { ProgramBase } from './program-base.js';
import type { ProgramContext } from './program-context.js';

/** What a program does without the kernel: instructions, loads and stores, and routines of its C library. */
export class UserMode extends ProgramBase {
  readonly #compute: ComputeCall;
  readonly #access: AccessCall;
  readonly #span: SpanCall;

  constructor(context: ProgramContext) {
    super(context);
    this.#compute = new ComputeCall(context);
    this.#access = new AccessCall(context);
    this.#span = new SpanCall(context);
  }

  /** The time-stamp counter. */
  rdtsc(): number {
    return this.context.cpu.rdtsc();
  }

  rdpkru(): number {
    return this.context.cpu.rdpkru();
  }

  wrpkru(value: number): void {
    this.context.cpu.wrpkru(value);
  }

  rdfsbase(): number {
    return this.context.cpu.rdfsbase();
  }

  wrfsbase(value: number): void {
    this.context.cpu.wrfsbase(value);
  }

  /** Works for `cycles` TSC cycles in user mode. */
  compute(cycles: number): Call {
    if (!(cycles >= 0)) refuseNumber(this.context, 'what compute was given', cycles, 'a number of TSC cycles, 0 or more');
    this.#make(Made.COMPUTE);
    this.#compute.cycles = cycles;
    return this.#compute;
  }

  /** Loads and stores may be at any address: one that reaches into a second page faults there if that is not accessible. */
  load8(address: number): Call {
    return this.#memory(Kind.LOAD, address, 1);
  }

  /** An unsigned 16-bit word. */
  load16(address: number): Call {
    return this.#memory(Kind.LOAD, address, 2);
  }

  /** An unsigned 32-bit word. */
  load32(address: number): Call {
    return this.#memory(Kind.LOAD, address, 4);
  }

  /** A signed 64-bit word; exact below 2^53. */
  load64(address: number): Call {
    return this.#memory(Kind.LOAD, address, 8);
  }

  store8(address: number, value: number): Call {
    return this.#memory(Kind.STORE, address, 1, value);
  }

  store16(address: number, value: number): Call {
    return this.#memory(Kind.STORE, address, 2, value);
  }

  store32(address: number, value: number): Call {
    return this.#memory(Kind.STORE, address, 4, value);
  }

  store64(address: number, value: number): Call {
    return this.#memory(Kind.STORE, address, 8, value);
  }

  /** Fetches an instruction at `address`, as a jump there would. */
  fetch(address: number): Call {
    return this.#memory(Kind.FETCH, address, 1);
  }

  memset(address: number, value: number, length: number): Call {
    return this.#onSpan(Span.FILL, address, length, value);
  }

  /** Stores host bytes (a literal of the program) in memory. */
  storeBytes(address: number, bytes: Uint8Array): Call {
    this.#span.bytes = requireBytes(this.context, 'storeBytes', bytes);
    return this.#onSpan(Span.STORE, address, bytes.length, 0);
  }

  /** Loads memory into `bytes`, for the program to look at. */
  loadBytes(address: number, bytes: Uint8Array): Call {
    this.#span.bytes = requireBytes(this.context, 'loadBytes', bytes);
    return this.#onSpan(Span.LOAD, address, bytes.length, 0);
  }

  /** memcpy; the ranges do not overlap. */
  memcpy(target: number, source: number, length: number): Call {
    return this.#onSpan(Span.COPY, target, length, source);
  }

  /** memcmp. @returns 0 if the ranges are equal, 1 if not */
  memcmp(a: number, b: number, length: number): Call {
    return this.#onSpan(Span.COMPARE, a, length, b);
  }

  /**
   * sprintf(address, "0x%016lx", value): eighteen characters and a zero.
   * @param bytes 18 for a routine that prints the same without the zero
   */
  sprintfStamp(address: number, value: number, bytes: 18 | 19 = PRINTED_LENGTH): Call {
    return this.#onSpan(Span.PRINT, address, bytes, value);
  }

  /** sscanf(address, "0x%lx"). @returns the value, or -1 if the text is no such number */
  sscanfStamp(address: number): Call {
    return this.#onSpan(Span.SCAN, address, STAMP_LENGTH, 0);
  }

  /** A call is made. @throws MachineError NOT_AWAITED if the last one has not been awaited */
  #make(kind: number): void {
    const { context } = this;
    if (context.made !== Made.NONE) throw forgotten(context, 'the next call');
    context.made = kind;
  }

  #onSpan(kind: number, address: number, length: number, argument: number): Call {
    // Their sum is NaN if one of them is.
    const areNumbers = typeof address === 'number' && typeof length === 'number' && typeof argument === 'number';
    if (!areNumbers || Number.isNaN(address + length + argument)) this.#refuseSpan(address, length, argument);
    this.#make(Made.SPAN);
    const call = this.#span;
    call.kind = kind;
    call.address = address;
    call.length = length;
    call.argument = argument;
    return call;
  }

  #refuseSpan(address: number, length: number, argument: number): never {
    const { context } = this;
    if (typeof address !== 'number' || Number.isNaN(address)) return refuseNumber(context, 'an address', address);
    if (typeof length !== 'number' || Number.isNaN(length)) return refuseNumber(context, 'a length', length, 'a number of bytes');
    return refuseNumber(context, 'a value', argument);
  }

  #memory(kind: number, address: number, size: number, value = 0): Call {
    if (typeof address !== 'number' || Number.isNaN(address)) refuseNumber(this.context, 'an address', address);
    if (typeof value !== 'number' || Number.isNaN(value)) refuseNumber(this.context, 'a value to store', value);
    this.#make(Made.ACCESS);
    const call = this.#access;
    call.kind = kind;
    call.size = size;
    call.address = address;
    call.value = value;
    return call;
  }
}
