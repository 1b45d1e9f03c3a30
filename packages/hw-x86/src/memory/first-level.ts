import type { CostModel } from '../costs/cost-model.js';
import type { Figure } from '../costs/profile.js';
import { HwStep } from '../costs/steps.js';
import { grown } from '../grown.js';
import type { CoreClock } from '../time/core-clock.js';
import { CACHE_LINE } from './address.js';

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
  /** Per frame: the core that went through it last, plus one; its count of lines at that time; and which lines it had then, as two words of bits. */
  #users = new Int32Array(0);
  #times = new Float64Array(0);
  #lines = new Int32Array(0);

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
    const longer = (far: Figure, near: Figure): number => Math.max(0, CACHE_LINE / costs.rate(far) - CACHE_LINE / costs.rate(near));
    // A clear writes a line, a copy reads one and writes another.
    const write = longer(fromL2.zero, zero);
    const read = Math.max(0, longer(fromL2.copy, copy) - write);
    return new FirstLevelData(costs, cores, read * costs.tscPerCore, write * costs.tscPerCore);
  }

  /** `cpu` goes through `length` bytes, one at least, in one frame at physical `address`: lines that its cache has no more are charged. */
  run(cpu: CoreClock, address: number, length: number, write: boolean): void {
    const frame = address >>> 12;
    if (frame >= this.#users.length) this.#grow(frame);
    const { core, coreTag } = cpu;
    const first = (address >>> 6) & 63;
    const last = ((address + length - 1) >>> 6) & 63;
    const filled = this.#filled[core] as number;
    const known = this.#users[frame] === coreTag;
    let fetched = last - first + 1;
    if (known) {
      if (filled - (this.#times[frame] as number) >= this.#capacity) this.#set(frame, 0);
      fetched = this.#fetch(frame, first, last);
    } else {
      // A frame that the core comes to has its lines from the core that had them, or is new: whoever takes a frame clears or copies it.
      this.#users[frame] = coreTag;
      this.#set(frame, -1);
    }
    this.#times[frame] = filled + fetched;
    this.#filled[core] = filled + fetched;
    if (known && fetched > 0) cpu.chargeCycles(HwStep.runFromL2, Math.round(fetched * (write ? this.#write : this.#read)));
  }

  /** All lines of a frame are in the cache (-1), or none (0). */
  #set(frame: number, word: number): void {
    this.#lines[2 * frame] = word;
    this.#lines[2 * frame + 1] = word;
  }

  /** Brings in what is missing of the lines `first` to `last`. @returns how many */
  #fetch(frame: number, first: number, last: number): number {
    const lines = this.#lines;
    let fetched = 0;
    for (let line = first; line <= last; line++) {
      const at = 2 * frame + (line >>> 5);
      const had = lines[at] as number;
      lines[at] = had | (1 << line);
      if (lines[at] !== had) fetched++;
    }
    return fetched;
  }

  #grow(frame: number): void {
    const length = Math.max(4096, 2 * frame);
    this.#users = grown(new Int32Array(length), this.#users);
    this.#times = grown(new Float64Array(length), this.#times);
    this.#lines = grown(new Int32Array(2 * length), this.#lines);
  }
}
