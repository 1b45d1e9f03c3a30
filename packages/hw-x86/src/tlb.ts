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
/** What is added to the page address of a global page's tag, whatever the PCID. PCIDs are whole numbers. */
const GLOBAL_TAG = 0.5;

/**
 * One set-associative TLB, tagged with the PCID, with true least-recently-used replacement.
 * A tag is the page's address plus the PCID (the address has twelve zero bits), or plus one half for a global page.
 * The most recently used way of each set is remembered: finding it there again changes no order, which is what makes
 * the common hit cheap without making it approximate.
 */
export class Tlb {
  readonly ways: number;
  readonly setMask: number;
  /** Shift from an address to the number of its page. */
  readonly pageSize: number;
  readonly tags: Float64Array;
  readonly flags: Int32Array;
  /** Frame number of the page's first frame. */
  readonly frames: Int32Array;
  /** Index of the most recently used entry of each set. */
  readonly mru: Int32Array;
  readonly #stamps: Float64Array;
  #clock = 0;

  /** @param entries total; entries/ways must be a power of two */
  constructor(entries: number, ways: number, pageSize: number) {
    const sets = entries / ways;
    this.ways = ways;
    this.setMask = sets - 1;
    this.pageSize = pageSize;
    this.tags = new Float64Array(entries).fill(EMPTY);
    this.flags = new Int32Array(entries);
    this.frames = new Int32Array(entries);
    this.mru = Int32Array.from({ length: sets }, (_, set) => set * ways);
    this.#stamps = new Float64Array(entries);
  }

  /** Index of the entry for the page at `page` under `pcid`, or -1. Counts as a use. */
  find(page: number, pcid: number): number {
    const set = (page / this.pageSize) & this.setMask;
    const first = set * this.ways;
    const tag = page + pcid;
    const globalTag = page + GLOBAL_TAG;
    for (let i = first; i < first + this.ways; i++) {
      const other = this.tags[i];
      if (other === tag || other === globalTag) {
        this.#use(i, set);
        return i;
      }
    }
    return -1;
  }

  /** Enters a translation in place of the least recently used one of its set. Returns its index. */
  insert(page: number, pcid: number, frame: number, flags: number): number {
    const set = (page / this.pageSize) & this.setMask;
    const first = set * this.ways;
    const tag = page + ((flags & TlbFlag.global) !== 0 ? GLOBAL_TAG : pcid);
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

  /** Drops the translation of one page under `pcid`, and its global one if `globalToo`. */
  dropPage(page: number, pcid: number, globalToo: boolean): void {
    const first = ((page / this.pageSize) & this.setMask) * this.ways;
    for (let i = first; i < first + this.ways; i++) {
      const tag = this.tags[i];
      if (tag === page + pcid || (globalToo && tag === page + GLOBAL_TAG)) this.#empty(i);
    }
  }

  /** Drops all non-global translations of `pcid`. */
  dropContext(pcid: number): void {
    for (let i = 0; i < this.tags.length; i++) {
      const tag = this.tags[i] as number;
      // The low twelve bits of a non-global tag are its PCID; a global tag is not whole.
      if (Number.isInteger(tag) && (tag & 0xfff) === pcid) this.#empty(i);
    }
  }

  /** Drops everything; global translations stay unless `globalToo`. */
  dropAll(globalToo: boolean): void {
    for (let i = 0; i < this.tags.length; i++) {
      if (globalToo || Number.isInteger(this.tags[i] as number)) this.#empty(i);
    }
  }

  #use(index: number, set: number): void {
    this.mru[set] = index;
    this.#stamps[index] = ++this.#clock;
  }

  #empty(index: number): void {
    this.tags[index] = EMPTY;
    this.flags[index] = 0;
    this.#stamps[index] = 0;
  }
}
