import { entryAddress, entryFrame, entryHigh, entryLow, LEVEL_SPAN, PAGE_SIZE, type PhysicalMemory, Pte } from '@rpal/hw-x86';
import type { PageFrames } from './page-frames.js';

/** Rights of the table entries above level 1: everything is decided at the page. */
const TABLE_FLAGS = Pte.present | Pte.writable | Pte.user | Pte.accessed;

/**
 * The page tables of one process: four levels of real entries in real frames.
 * An entry of the top level that carries one of the `hidden` bits belongs to somebody else: only the hardware follows it,
 * everything here sees an empty place (RFC patch 09).
 */
export class PageTables {
  /** Frame of the top-level table. */
  readonly root: number;
  /** Tables in use, the top-level one included; times 4096 they are what Linux shows as VmPTE plus the top-level page. */
  tables = 1;
  readonly #memory: PhysicalMemory;
  readonly #frames: PageFrames;
  readonly #hidden: number;
  readonly #node: number;
  /** The level-1 table last used and the first address it maps. */
  #recentBase = -1;
  #recentTable = 0;

  /** @throws Error if no frame is left for the top level: the caller checks memory first */
  constructor(memory: PhysicalMemory, frames: PageFrames, hidden: number, node: number) {
    this.#memory = memory;
    this.#frames = frames;
    this.#hidden = hidden;
    this.#node = node;
    const root = frames.allocate(node);
    if (root < 0) throw new Error('no frame left for a top-level page table');
    memory.fill(root * PAGE_SIZE, PAGE_SIZE);
    this.root = root;
  }

  /** Physical address of the level-1 entry for `address`; -1 if the tables above it are missing. */
  find(address: number): number {
    const base = address - (address % LEVEL_SPAN[2]!);
    if (base === this.#recentBase) return entryAddress(this.#recentTable, address, 1);
    let table = this.root;
    for (let level = 4; level > 1; level--) {
      const entry = entryAddress(table, address, level);
      const low = this.#memory.read32(entry);
      if ((low & Pte.present) === 0 || (level === 4 && (low & this.#hidden) !== 0)) return -1;
      table = entryFrame(low, this.#memory.read32(entry + 4));
    }
    this.#recentBase = base;
    this.#recentTable = table;
    return entryAddress(table, address, 1);
  }

  /** As `find`, making the tables that are missing; -1 if memory is exhausted or the top-level place is taken by a hidden entry. */
  make(address: number): number {
    const found = this.find(address);
    if (found >= 0) return found;
    let table = this.root;
    for (let level = 4; level > 1; level--) {
      const entry = entryAddress(table, address, level);
      const low = this.#memory.read32(entry);
      if (level === 4 && (low & this.#hidden) !== 0) return -1;
      if ((low & Pte.present) === 0) {
        const frame = this.#frames.allocate(this.#node);
        if (frame < 0) return -1;
        this.#memory.fill(frame * PAGE_SIZE, PAGE_SIZE);
        this.#memory.write32(entry, entryLow(frame, TABLE_FLAGS));
        this.#memory.write32(entry + 4, entryHigh(frame));
        this.tables++;
        table = frame;
      } else {
        table = entryFrame(low, this.#memory.read32(entry + 4));
      }
    }
    return entryAddress(table, address, 1);
  }

  /** Physical address of the top-level entry for `address`. */
  topEntry(address: number): number {
    return entryAddress(this.root, address, 4);
  }

  /** Calls `visit` with the address and the entry (its physical address) of every present page in [start, end). */
  forEachPage(start: number, end: number, visit: (address: number, entry: number) => void): void {
    let address = start;
    while (address < end) {
      const next = this.#nextPresentTable(address);
      if (next < 0 || next >= end) return;
      address = Math.max(address, next);
      const stop = Math.min(end, address - (address % LEVEL_SPAN[2]!) + LEVEL_SPAN[2]!);
      let entry = this.find(address);
      for (; address < stop; address += PAGE_SIZE, entry += 8) {
        if ((this.#memory.read32(entry) & Pte.present) !== 0) visit(address, entry);
      }
    }
  }

  /**
   * Frees the tables of [start, end) that map nothing outside [floor, ceiling), where nothing is mapped any more; the caller
   * has cleared the pages and flushes (Linux: `free_pgtables`). @returns how many
   */
  freeUnused(start: number, end: number, floor: number, ceiling: number): number {
    this.#recentBase = -1;
    return this.#freeBelow(this.root, 4, 0, start, end, floor, ceiling);
  }

  /** Frees everything, the top-level table too. */
  destroy(): void {
    this.#recentBase = -1;
    this.#freeAll(this.root, 4);
    this.#frames.put(this.root);
    this.tables = 0;
  }

  /** Lowest address at or above `address` whose level-1 table exists; -1 if there is none. */
  #nextPresentTable(from: number): number {
    let address = from;
    outer: while (address < 512 * LEVEL_SPAN[4]!) {
      let table = this.root;
      for (let level = 4; level > 1; level--) {
        const entry = entryAddress(table, address, level);
        const low = this.#memory.read32(entry);
        if ((low & Pte.present) === 0 || (level === 4 && (low & this.#hidden) !== 0)) {
          const span = LEVEL_SPAN[level]!;
          address = address - (address % span) + span;
          continue outer;
        }
        table = entryFrame(low, this.#memory.read32(entry + 4));
      }
      return address;
    }
    return -1;
  }

  #freeBelow(table: number, level: number, base: number, start: number, end: number, floor: number, ceiling: number): number {
    const span = LEVEL_SPAN[level]!;
    const first = Math.max(0, Math.floor((start - base) / span));
    const last = Math.min(511, Math.ceil((end - base) / span) - 1);
    let freed = 0;
    for (let index = first; index <= last; index++) {
      const entry = table * PAGE_SIZE + index * 8;
      const low = this.#memory.read32(entry);
      if ((low & Pte.present) === 0 || (level === 4 && (low & this.#hidden) !== 0)) continue;
      const below = entryFrame(low, this.#memory.read32(entry + 4));
      const from = base + index * span;
      if (level > 2) freed += this.#freeBelow(below, level - 1, from, start, end, floor, ceiling);
      if (from < floor || from + span > ceiling) continue;
      this.#memory.write32(entry, 0);
      this.#memory.write32(entry + 4, 0);
      this.#frames.put(below);
      this.tables--;
      freed++;
    }
    return freed;
  }

  #freeAll(table: number, level: number): void {
    for (let index = 0; index < 512; index++) {
      const entry = table * PAGE_SIZE + index * 8;
      const low = this.#memory.read32(entry);
      if ((low & Pte.present) === 0 || (level === 4 && (low & this.#hidden) !== 0)) continue;
      const below = entryFrame(low, this.#memory.read32(entry + 4));
      if (level > 2) this.#freeAll(below, level - 1);
      this.#frames.put(below);
    }
  }
}
