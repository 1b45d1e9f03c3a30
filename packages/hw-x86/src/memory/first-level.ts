import type { CostModel } from '../costs/cost-model.js';
import type { Figure } from '../costs/profile.js';
import { HwStep } from '../costs/steps.js';
import type { CoreClock } from '../time/core-clock.js';
import { CACHE_LINE } from './address.js';

const ALL = -1;

/**
 * What of the data that copies and clears go through is still in a core's first-level cache. A line is there until the core's runs
 * have brought in as many others as the cache has room for; then the next run fetches it from the second level. Single loads and stores,
 * and what the kernel's own instructions touch, are part of the cycles per instruction and push nothing out here.
 *
 * Frames are remembered for the last core that went through them: to another one the lines come from that core, which the coherence
 * directory charges.
 */
export class FirstLevelData {
  /** Lines that the cache holds. */
  readonly #capacity: number;
  /** TSC cycles that a line from the second level takes longer, in a run that reads or writes. */
  readonly #read: number;
  readonly #write: number;
  /** Lines that runs have brought into each core's cache. */
  readonly #filled: Float64Array;
  /** Per frame: the core that went through it last, plus one; its count of lines at that time; and which lines it had then, as bits. */
  #users = new Int32Array(0);
  #times = new Float64Array(0);
  #lowLines = new Int32Array(0);
  #highLines = new Int32Array(0);

  private constructor(costs: CostModel, cores: number, read: number, write: number) {
    this.#capacity = Math.floor(costs.profile.cache.l1d.bytes / CACHE_LINE);
    this.#read = read;
    this.#write = write;
    this.#filled = new Float64Array(cores);
  }

  /** Null for a profile that does not say what comes from the second level. */
  static of(costs: CostModel, cores: number): FirstLevelData | null {
    const { copy, zero, fromL2 } = costs.profile.bytesPerCycle;
    if (fromL2 === undefined) return null;
    // Fewer bytes per cycle cost more, so the ends of the ranges swap.
    const end = ({ low: 'high', central: 'central', high: 'low' } as const)[costs.level];
    const longer = (far: Figure, near: Figure): number => Math.max(0, CACHE_LINE / far[end] - CACHE_LINE / near[end]);
    // A clear writes a line, a copy reads one and writes another.
    const write = longer(fromL2.zero, zero);
    const read = Math.max(0, longer(fromL2.copy, copy) - write);
    return new FirstLevelData(costs, cores, read * costs.tscPerCore, write * costs.tscPerCore);
  }

  /** `cpu` goes through `length` bytes, one at least, in one frame at physical `address`: lines that its cache has no more are charged. */
  run(cpu: CoreClock, address: number, length: number, write: boolean): void {
    const frame = address >>> 12;
    if (frame >= this.#users.length) this.#grow(frame);
    const filled = this.#filled[cpu.core] as number;
    const first = (address >>> 6) & 63;
    const last = ((address + length - 1) >>> 6) & 63;
    const low = bits(first, last);
    const high = bits(first - 32, last - 32);
    if (this.#users[frame] !== cpu.coreTag) {
      // They come from the core that had them, or are new: whoever takes a frame clears or copies it.
      this.#users[frame] = cpu.coreTag;
      this.#lowLines[frame] = ALL;
      this.#highLines[frame] = ALL;
      this.#came(cpu, frame, filled + last - first + 1);
      return;
    }
    const here = filled - (this.#times[frame] as number) < this.#capacity;
    const lowHere = here ? (this.#lowLines[frame] as number) : 0;
    const highHere = here ? (this.#highLines[frame] as number) : 0;
    const missing = count(low & ~lowHere) + count(high & ~highHere);
    this.#lowLines[frame] = lowHere | low;
    this.#highLines[frame] = highHere | high;
    this.#came(cpu, frame, filled + missing);
    if (missing > 0) cpu.chargeCycles(HwStep.runFromL2, Math.round(missing * (write ? this.#write : this.#read)));
  }

  #came(cpu: CoreClock, frame: number, filled: number): void {
    this.#filled[cpu.core] = filled;
    this.#times[frame] = filled;
  }

  #grow(frame: number): void {
    const length = Math.max(4096, 2 * this.#users.length, frame + 1);
    this.#users = grown(new Int32Array(length), this.#users);
    this.#times = grown(new Float64Array(length), this.#times);
    this.#lowLines = grown(new Int32Array(length), this.#lowLines);
    this.#highLines = grown(new Int32Array(length), this.#highLines);
  }
}

function grown<A extends Int32Array | Float64Array>(bigger: A, old: A): A {
  bigger.set(old);
  return bigger;
}

/** Ones from bit `first` to bit `last` of a word, as far as it has them. */
function bits(first: number, last: number): number {
  const from = Math.max(first, 0);
  const to = Math.min(last, 31);
  return from > to ? 0 : (ALL >>> (31 - to + from)) << from;
}

/** How many bits are set. */
function count(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
