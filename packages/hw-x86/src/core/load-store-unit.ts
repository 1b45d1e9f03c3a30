import { HwStep } from '../costs/steps.js';
import { CACHE_LINE } from '../memory/address.js';
import { Access } from '../mmu/mmu.js';
import type { Cpu } from './cpu.js';

/**
 * An access whose line is in the L1 cache costs nothing by itself: an out-of-order core hides it behind the work around it, and that work
 * has its own price. A loop that does nothing but accesses has nothing to hide behind. About so many are under way at a time (the
 * load buffer has 72 entries from Skylake on, 128 on Ice Lake: Intel's Optimization Reference Manual); each that follows these
 * costs the latency of the L1 cache. So a program that spins on a word takes time, and others get theirs.
 */
const HIDDEN = 72;

const LINE_MASK = CACHE_LINE - 1;
const WORD = 0x1_0000_0000;

/**
 * Loads and stores of one core, of 1, 2, 4, 8 or 16 bytes at any linear address. One that reaches into a second cache line uses both
 * lines, and one that reaches into a second page both translations: if either faults nothing is written, and the address of the
 * fault is that of the first byte in the page that faults.
 */
export class LoadStoreUnit {
  /** What was loaded last, or is to be stored: little-endian words, and the same as bytes. */
  readonly words: Int32Array = new Int32Array(4);
  readonly bytes: Uint8Array = new Uint8Array(this.words.buffer);
  /** Physical addresses of the first and the last byte of the last access that did not fault. */
  first = 0;
  last = 0;
  readonly #cpu: Cpu;
  /** Accesses since time last passed, and the core's clock after the last one. A fraction: V8 keeps the field unboxed, and storing allocates nothing. */
  #inRow = 0;
  #clock = -0.5;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }

  /** The next access takes time of its own. */
  get spinning(): boolean {
    return this.#inRow >= HIDDEN && this.#cpu.clock === this.#clock;
  }

  /** The low 64 bits of the data as a signed number; exact while its magnitude stays below 2^53. */
  get value(): number {
    const { words } = this;
    return (words[1] as number) * WORD + ((words[0] as number) >>> 0);
  }

  set value(value: number) {
    const { words } = this;
    words[0] = value;
    words[1] = Math.floor(value * (1 / WORD));
  }

  /**
   * Loads `size` bytes into the data, zero-extended to 64 bits.
   * @param mode `Access.user` in user mode, `Access.ac` with EFLAGS.AC set, else 0
   * @returns false on a fault, which is in the MMU
   */
  load(address: number, size: number, mode: number): boolean {
    const cpu = this.#cpu;
    const at = cpu.data(address, mode);
    if (at < 0) return false;
    if (cpu.clock !== this.#clock) this.#begin();
    else if (++this.#inRow > HIDDEN) this.#wait();
    const inLine = CACHE_LINE - (at & LINE_MASK);
    if (size > inLine) return this.#split(address, at, inLine, size, mode);
    const { memory } = cpu;
    const { words } = this;
    this.first = at;
    this.last = at + size - 1;
    if (size <= 4) {
      words[0] = size === 4 ? memory.read32(at) : size === 1 ? memory.read8(at) : memory.read16(at);
      words[1] = 0;
      return true;
    }
    words[0] = memory.read32(at);
    words[1] = memory.read32(at + 4);
    if (size === 16) {
      words[2] = memory.read32(at + 8);
      words[3] = memory.read32(at + 12);
    }
    return true;
  }

  /** Stores the low `size` bytes of the data; otherwise as `load`. */
  store(address: number, size: number, mode: number): boolean {
    const cpu = this.#cpu;
    const access = mode | Access.write;
    const at = cpu.data(address, access);
    if (at < 0) return false;
    if (cpu.clock !== this.#clock) this.#begin();
    else if (++this.#inRow > HIDDEN) this.#wait();
    const inLine = CACHE_LINE - (at & LINE_MASK);
    if (size > inLine) return this.#split(address, at, inLine, size, access);
    const { memory } = cpu;
    const { words } = this;
    const low = words[0] as number;
    this.first = at;
    this.last = at + size - 1;
    if (size >= 4) memory.write32(at, low);
    else if (size === 1) memory.write8(at, low);
    else memory.write16(at, low);
    if (size >= 8) memory.write32(at + 4, words[1] as number);
    if (size === 16) {
      memory.write32(at + 8, words[2] as number);
      memory.write32(at + 12, words[3] as number);
    }
    return true;
  }

  /** Time has passed since the last access. */
  #begin(): void {
    this.#inRow = 1;
    this.#clock = this.#cpu.clock;
  }

  #wait(): void {
    const cpu = this.#cpu;
    cpu.chargeCycles(HwStep.cacheL1, cpu.costs.cycles(cpu.costs.profile.cache.l1d.latency));
    this.#clock = cpu.clock;
  }

  /** The first `head` bytes are at physical `at`, the others in the next line, which may be of another page. */
  #split(address: number, at: number, head: number, size: number, access: number): boolean {
    const { memory } = this.#cpu;
    const next = this.#cpu.data(address + head, access);
    if (next < 0) return false;
    this.first = at;
    this.last = next + size - head - 1;
    if ((access & Access.write) !== 0) {
      memory.store(at, this.bytes, 0, head);
      memory.store(next, this.bytes, head, size - head);
    } else {
      this.value = 0;
      memory.load(at, this.bytes, 0, head);
      memory.load(next, this.bytes, head, size - head);
    }
    return true;
  }
}
