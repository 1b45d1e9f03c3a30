import { HardwareError } from '../errors.js';

/** Bits of a TLB entry's flags. Writable, user, executable and dirty sit where `Access` asks for them. @public for who looks into the modelled TLB */
export const TlbFlag = {
  writable: 1 << 1,
  user: 1 << 2,
  executable: 1 << 4,
  dirty: 1 << 6,
  keyShift: 8,
  global: 1 << 12,
} as const;

/** What an invalidation does with global translations. */
export const Globals = { KEEP: false, DROP: true } as const;

export type Globals = (typeof Globals)[keyof typeof Globals];

/** What an entry's `space` says beside the PCID in its low twelve bits and the second-level tag above them. */
const LARGE = 1 << 20;
const GLOBAL = 1 << 21;
const PCID = 0xfff;
const SECOND_LEVEL_SHIFT = 12;
const SECOND_LEVEL = 0xff << SECOND_LEVEL_SHIFT;

/**
 * Whose translations are in use: a PCID, and the tag of the second-level tables that they come through (0 for none), as
 * entries of the TLBs are marked with them.
 */
export function translationSpace(pcid: number, secondLevelTag: number): number {
  return pcid | (secondLevelTag << SECOND_LEVEL_SHIFT);
}

/** One translation. Replacement reuses the object, so code that keeps one must compare `page` and `space`. */
export class TlbEntry {
  /** Address of the page's first byte; no number when the entry is empty. */
  page = Number.NaN;
  /** What else tells translations apart: `translationSpace`, and marks for global and for large pages. */
  space = 0;
  /** Frame number of the page's first frame. */
  frame = 0;
  /** `TlbFlag` bits. */
  flags = 0;
  /** Count of uses when it was entered, which no other entry of the TLB has been at; 0 when the entry is empty. */
  enteredAt = 0;
  /** When it was last used, as the TLB's count of uses: the lowest of a set is replaced. */
  lastUse = 0;
  /** `CoherenceDirectory.epoch` in which the page's frame was seen to belong to this core alone; -1 if it was not. */
  ownedIn = -1;
}

/** How often the entries of a TLB have been used. */
export class TlbUses {
  count = 0;
}

/** Stands for every entry that nothing was ever entered into. Never written to. */
export const EMPTY_ENTRY = new TlbEntry();

/** One set-associative TLB with true least-recently-used replacement. */
export class Tlb {
  readonly ways: number;
  readonly setMask: number;
  /** Bytes. */
  readonly pageSize: number;
  readonly uses: TlbUses;
  /** An entry has been made through this view. Until then, no look-up can hit. */
  filled = false;
  #entries: TlbEntry[];
  /** The array is this TLB's own, not the one that all empty TLBs of its size share. */
  #owned = false;
  /** The TLB of the other page size, if two sizes share entries. */
  #partner: Tlb | null = null;
  /** Multiplying is faster than dividing, and as exact for a power of two. */
  readonly #perPage: number;
  /** Marks the entries made through this view. */
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
    this.#entries = emptyEntries(entries);
    this.uses = shared?.uses ?? new TlbUses();
    if (shared !== undefined) {
      this.#partner = shared;
      shared.#partner = this;
    }
  }

  /** The entry for the page around `address` in `space`, or null. Counts as a use. */
  find(address: number, space: number): TlbEntry | null {
    const entries = this.#entries;
    const number = Math.floor(address * this.#perPage);
    const page = number * this.pageSize;
    const first = (number & this.setMask) * this.ways;
    const own = space | this.#kind;
    const global = (space & SECOND_LEVEL) | this.#kind | GLOBAL;
    for (let i = first; i < first + this.ways; i++) {
      const entry = entries[i] as TlbEntry;
      if (entry.page === page && (entry.space === own || entry.space === global)) {
        entry.lastUse = ++this.uses.count;
        return entry;
      }
    }
    return null;
  }

  /** Enters the translation of the page around `address` in place of the least recently used one of its set. */
  insert(address: number, space: number, frame: number, flags: number): TlbEntry {
    this.filled = true;
    if (!this.#owned) this.#allocate();
    const number = Math.floor(address * this.#perPage);
    const page = number * this.pageSize;
    const first = (number & this.setMask) * this.ways;
    const mark = ((flags & TlbFlag.global) === 0 ? space : (space & SECOND_LEVEL) | GLOBAL) | this.#kind;
    let victim = first;
    for (let i = first; i < first + this.ways; i++) {
      const other = this.#entries[i] as TlbEntry;
      if (Number.isNaN(other.page) || (other.page === page && other.space === mark)) {
        victim = i;
        break;
      }
      if (other.lastUse < (this.#entries[victim] as TlbEntry).lastUse) victim = i;
    }
    let entry = this.#entries[victim] as TlbEntry;
    if (entry === EMPTY_ENTRY) {
      entry = new TlbEntry();
      this.#entries[victim] = entry;
    }
    entry.page = page;
    entry.space = mark;
    entry.frame = frame;
    entry.flags = flags;
    entry.ownedIn = -1;
    entry.enteredAt = ++this.uses.count;
    entry.lastUse = entry.enteredAt;
    return entry;
  }

  /**
   * Drops the translations of the page around `address` under `pcid`, whatever second-level tables they came through.
   */
  dropPage(address: number, pcid: number, globals: Globals): void {
    if (!this.#owned) return;
    const number = Math.floor(address * this.#perPage);
    const page = number * this.pageSize;
    const first = (number & this.setMask) * this.ways;
    for (let i = first; i < first + this.ways; i++) {
      const entry = this.#entries[i] as TlbEntry;
      if (entry.page !== page) continue;
      if ((entry.space & GLOBAL) !== 0 ? globals === Globals.DROP : (entry.space & PCID) === pcid) empty(entry);
    }
  }

  /** Drops all non-global translations of `pcid`. */
  dropContext(pcid: number): void {
    if (!this.#owned) return;
    for (const entry of this.#entries) if ((entry.space & (GLOBAL | PCID)) === pcid) empty(entry);
  }

  /** Drops everything, with or without global translations. */
  dropAll(globals: Globals): void {
    if (!this.#owned) return;
    for (const entry of this.#entries) if (globals === Globals.DROP || (entry.space & GLOBAL) === 0) empty(entry);
  }

  /** Drops what came through the second-level tables with `second` as their tag, or through any if it is undefined. */
  dropSecondLevel(second?: number): void {
    if (!this.#owned) return;
    for (const entry of this.#entries) {
      const of = (entry.space & SECOND_LEVEL) >>> SECOND_LEVEL_SHIFT;
      if (second === undefined ? of > 0 : of === second) empty(entry);
    }
  }

  /** The first entry comes: an array of its own, for this TLB and for the one that shares it. */
  #allocate(): void {
    this.#entries = this.#entries.slice();
    this.#owned = true;
    if (this.#partner === null) return;
    this.#partner.#entries = this.#entries;
    this.#partner.#owned = true;
  }
}

function empty(entry: TlbEntry): void {
  if (entry === EMPTY_ENTRY) return;
  entry.page = Number.NaN;
  entry.flags = 0;
  entry.enteredAt = 0;
  entry.lastUse = 0;
}

const empties = new Map<number, TlbEntry[]>();

/**
 * The contents of a TLB that nothing was ever entered into, never written to. Most processors of a large machine never
 * translate, and need no more than these.
 */
function emptyEntries(entries: number): TlbEntry[] {
  let known = empties.get(entries);
  if (known === undefined) {
    known = Array.from({ length: entries }, () => EMPTY_ENTRY);
    empties.set(entries, known);
  }
  return known;
}
