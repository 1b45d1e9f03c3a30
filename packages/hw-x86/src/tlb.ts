import { HardwareError } from './errors.js';

/** Bits of a TLB entry's flags. Writable, user, executable and dirty sit where `Access` asks for them. */
export const TlbFlag = {
  writable: 1 << 1,
  user: 1 << 2,
  executable: 1 << 4,
  dirty: 1 << 6,
  keyShift: 8,
  global: 1 << 12,
} as const;

const EMPTY = Number.NaN;
/** Fractions of a tag: a global page, a large page in an array that holds both sizes. Those below are second-level tags. */
const GLOBAL = 0.5;
const LARGE = 0.25;

/**
 * One set-associative TLB with true least-recently-used replacement.
 *
 * A tag is the page's address plus the context. The address has twelve zero bits, which hold the PCID (none for a global
 * page); a double has six more bits below the point, which hold what else tells translations apart: the fractions above,
 * and a second-level tag in sixty-fourths (`SecondLevel.tag`).
 * The most recently used way of each set is remembered: finding it there again changes no order, which is what makes
 * the common hit cheap without making it approximate.
 *
 * Methods take any address within a page, as it was accessed: the host puts numbers beyond 31 bits on its heap when one function
 * passes them to another, unless they are there already.
 */
export class Tlb {
  readonly ways: number;
  readonly setMask: number;
  /** Bytes. */
  readonly pageSize: number;
  tags: Float64Array;
  flags: Int32Array;
  /** Frame number of the page's first frame. */
  frames: Int32Array;
  /** Index of the most recently used entry of each set. */
  mru: Int32Array;
  /** An entry was made through this view at some time: until then a look-up is in vain. */
  filled = false;
  #stamps: Float64Array;
  /** The number of uses so far. */
  #clock: Float64Array;
  /** The arrays are this TLB's own, and not those that all empty ones of its size have in common. */
  #owned = false;
  /** The other one of two page sizes that share their entries. */
  #partner: Tlb | null = null;
  /** Multiplying is faster than dividing, and as exact for a power of two. */
  readonly #perPage: number;
  /** Added to the tags of entries made through this view. */
  readonly #kind: number;

  /**
   * @param entries total; entries/ways must be a power of two
   * @param shared the array of smaller pages whose entries this one shares: one TLB for two page sizes
   */
  constructor(entries: number, ways: number, pageSize: number, shared?: Tlb) {
    const sets = entries / ways;
    if (!Number.isInteger(Math.log2(sets))) {
      throw new HardwareError('INVALID_ARGUMENT', `entries: ${entries} in ${ways} ways make ${sets} sets, which is not a power of two`);
    }
    this.ways = ways;
    // An integer to the host as well, which a quotient is not.
    this.setMask = (sets - 1) | 0;
    this.pageSize = pageSize;
    this.#perPage = 1 / pageSize;
    this.#kind = shared === undefined ? 0 : LARGE;
    const empty = emptyArrays(entries, ways);
    this.tags = empty.tags;
    this.flags = empty.zeros;
    this.frames = empty.zeros;
    this.mru = empty.mru;
    this.#stamps = empty.stamps;
    this.#clock = empty.stamps;
    if (shared !== undefined) {
      this.#partner = shared;
      shared.#partner = this;
    }
  }

  /** Index of the entry for the page around `address` under `context`, or -1, if it is neither global nor a large one of two sizes. */
  findOwn(address: number, context: number): number {
    const { tags } = this;
    const number = Math.floor(address * this.#perPage);
    const set = number & this.setMask;
    const tag = number * this.pageSize + context;
    const first = set * this.ways;
    for (let i = first; i < first + this.ways; i++) {
      if (tags[i] === tag) {
        this.#use(i, set);
        return i;
      }
    }
    return -1;
  }

  /** Index of the entry for the page around `address` under `context`, or -1. Counts as a use. */
  find(address: number, context: number): number {
    const number = Math.floor(address * this.#perPage);
    const page = number * this.pageSize;
    const set = number & this.setMask;
    const first = set * this.ways;
    const tag = page + context + this.#kind;
    const globalTag = page + (context - (context | 0)) + this.#kind + GLOBAL;
    for (let i = first; i < first + this.ways; i++) {
      const other = this.tags[i];
      if (other === tag || other === globalTag) {
        this.#use(i, set);
        return i;
      }
    }
    return -1;
  }

  /** Enters the translation of the page around `address` in place of the least recently used one of its set. Returns its index. */
  insert(address: number, context: number, frame: number, flags: number): number {
    this.filled = true;
    if (!this.#owned) this.#allocate();
    const number = Math.floor(address * this.#perPage);
    const set = number & this.setMask;
    const first = set * this.ways;
    const global = (flags & TlbFlag.global) !== 0;
    const tag = number * this.pageSize + this.#kind + (global ? context - (context | 0) + GLOBAL : context);
    let victim = first;
    for (let i = first; i < first + this.ways; i++) {
      const other = this.tags[i] as number;
      if (other === tag || Number.isNaN(other)) {
        victim = i;
        break;
      }
      if ((this.#stamps[i] as number) < (this.#stamps[victim] as number)) victim = i;
    }
    this.tags[victim] = tag;
    this.frames[victim] = frame;
    this.flags[victim] = flags;
    this.#use(victim, set);
    return victim;
  }

  /**
   * Drops the translations of the page around `address` under `pcid`, whatever second-level tables they came through, and global
   * ones if `globalToo`.
   */
  dropPage(address: number, pcid: number, globalToo: boolean): void {
    if (!this.#owned) return;
    const number = Math.floor(address * this.#perPage);
    const page = number * this.pageSize;
    const first = (number & this.setMask) * this.ways;
    for (let i = first; i < first + this.ways; i++) {
      const tag = this.tags[i] as number;
      const whole = Math.floor(tag);
      if (tag - whole >= GLOBAL ? globalToo && whole === page : whole === page + pcid) this.#empty(i);
    }
  }

  /** Drops all non-global translations of `pcid`. */
  dropContext(pcid: number): void {
    if (!this.#owned) return;
    for (let i = 0; i < this.tags.length; i++) {
      const tag = this.tags[i] as number;
      const whole = Math.floor(tag);
      // The low twelve bits of a non-global tag are its PCID.
      if (tag - whole < GLOBAL && (whole & 0xfff) === pcid) this.#empty(i);
    }
  }

  /** Drops everything; global translations stay unless `globalToo`. */
  dropAll(globalToo: boolean): void {
    if (!this.#owned) return;
    for (let i = 0; i < this.tags.length; i++) {
      const tag = this.tags[i] as number;
      if (globalToo || tag - Math.floor(tag) < GLOBAL) this.#empty(i);
    }
  }

  /** Drops what came through the second-level tables with `second` as their tag, or through any if it is undefined. */
  dropSecondLevel(second?: number): void {
    if (!this.#owned) return;
    for (let i = 0; i < this.tags.length; i++) {
      const tag = this.tags[i] as number;
      const of = (tag - Math.floor(tag)) % LARGE;
      if (second === undefined ? of > 0 : of === second) this.#empty(i);
    }
  }

  #use(index: number, set: number): void {
    this.mru[set] = index;
    this.#stamps[index] = this.#clock[0] = (this.#clock[0] as number) + 1;
  }

  #empty(index: number): void {
    this.tags[index] = EMPTY;
    this.flags[index] = 0;
    this.#stamps[index] = 0;
  }

  /** The first entry comes: arrays of its own, for this TLB and for the one that shares them. */
  #allocate(): void {
    const { mru, tags } = this;
    this.#adopt(
      tags.slice(),
      new Int32Array(tags.length),
      new Int32Array(tags.length),
      mru.slice(),
      new Float64Array(tags.length),
      new Float64Array(1),
    );
    if (this.#partner !== null) this.#partner.#adopt(this.tags, this.flags, this.frames, this.mru, this.#stamps, this.#clock);
  }

  #adopt(tags: Float64Array, flags: Int32Array, frames: Int32Array, mru: Int32Array, stamps: Float64Array, clock: Float64Array): void {
    this.tags = tags;
    this.flags = flags;
    this.frames = frames;
    this.mru = mru;
    this.#stamps = stamps;
    this.#clock = clock;
    this.#owned = true;
  }
}

interface EmptyArrays {
  readonly tags: Float64Array;
  readonly zeros: Int32Array;
  readonly mru: Int32Array;
  readonly stamps: Float64Array;
}

const empties = new Map<string, EmptyArrays>();

/**
 * The contents of a TLB that nothing was ever entered into, never written to. Most processors of a large machine never
 * translate, and need no more than these.
 */
function emptyArrays(entries: number, ways: number): EmptyArrays {
  const key = `${entries}/${ways}`;
  const known = empties.get(key);
  if (known !== undefined) return known;
  const made = {
    tags: new Float64Array(entries).fill(EMPTY),
    zeros: new Int32Array(entries),
    mru: Int32Array.from({ length: entries / ways }, (_, set) => set * ways),
    stamps: new Float64Array(entries),
  };
  empties.set(key, made);
  return made;
}
