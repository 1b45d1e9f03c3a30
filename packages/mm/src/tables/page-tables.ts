import {
  entryAddress,
  entryFrame,
  entryHigh,
  entryLow,
  LARGE_PAGE_SIZE,
  LEVEL_SPAN,
  PAGE_SIZE,
  type PhysicalMemory,
  Pte,
} from '@rpal/hw-x86';
import { MmError } from '../errors.js';
import { FOLDED, type FoldedEntries, type FoldedMapping, foldedPages, foldedTables, TABLE_FLAGS } from './folded.js';
import type { PageFrames } from './page-frames.js';

/** Visits the pages of a range in the order of their addresses. Entries are physical addresses. */
export interface PageVisitor {
  /** Before the pages of a table of level 1: so many of its entries lie within, present or not. */
  table?(entries: number): void;
  /** A present page of 4 KiB. */
  page(address: number, entry: number): void;
  /**
   * An entry of `level` that stands for a whole populated range within. Without this, or if it returns false, the entry is written
   * out and visited page by page.
   */
  folded?(address: number, entry: number, level: number): boolean;
  /**
   * The level-2 entry of a huge page within, which must not reach beyond the range. If it returns false, it has split the page, and
   * its pages are visited one by one.
   */
  huge(address: number, entry: number): boolean;
}

/** Called with each table that is freed. */
export interface TableGather {
  /** @param address first one that the table maps */
  table(address: number): void;
}

/** What `freeUnused` frees. */
interface UnusedRange {
  readonly start: number;
  readonly end: number;
  readonly floor: number;
  readonly ceiling: number;
  readonly gather: TableGather;
}

/**
 * The page tables of one process: four levels of real entries in real frames.
 * An entry of the top level that carries one of the `hidden` bits belongs to another process: only the hardware follows it; for everything
 * here it is empty (RFC patch 09).
 */
export class PageTables {
  /** Frame of the top-level table. */
  readonly root: number;
  /** Tables in use, the top-level one included; times 4096 they are what Linux shows as VmPTE plus the top-level page. */
  tables = 1;
  readonly #memory: PhysicalMemory;
  readonly #frames: PageFrames;
  readonly #folded: FoldedEntries;
  readonly #hidden: number;
  readonly #node: number;
  /** Low halves of the folded entries in use here, by what they stand for. */
  readonly #marks: number[] = [];
  /** Huge pages mapped here. */
  hugePages = 0;
  /** A level-1 table for each of them, ready for the day it is split (Linux: `pgtable_trans_huge_deposit`). */
  readonly #deposited: number[] = [];
  /** The level-1 table last used and the first address it maps. */
  #recentBase = -1;
  #recentTable = 0;

  /** @throws MmError OUT_OF_MEMORY if no frame is left for the top level */
  constructor(memory: PhysicalMemory, frames: PageFrames, folded: FoldedEntries, hidden: number, node: number) {
    this.#memory = memory;
    this.#frames = frames;
    this.#folded = folded;
    this.#hidden = hidden;
    this.#node = node;
    const root = frames.allocate(node);
    if (root < 0)
      throw new MmError(
        'OUT_OF_MEMORY',
        'no frame is left for a top-level page table: give the machine more memory, or start fewer processes',
      );
    memory.fill(root * PAGE_SIZE, PAGE_SIZE);
    this.root = root;
  }

  /** Physical address of the level-1 entry for `address`; -1 if the tables above it are missing, or a huge page is in its place. */
  find(address: number): number {
    const base = address - (address & (LARGE_PAGE_SIZE - 1));
    if (base === this.#recentBase) return this.#written(entryAddress(this.#recentTable, address, 1), address);
    let table = this.root;
    for (let level = 4; level > 1; level--) {
      const entry = entryAddress(table, address, level);
      let low = this.#memory.read32(entry);
      if ((low & Pte.present) === 0) {
        if (low === 0 || !this.#folded.unfold(entry, level, address)) return -1;
        low = this.#memory.read32(entry);
      }
      if (level === 4 && (low & this.#hidden) !== 0) return -1;
      if (level === 2 && (low & Pte.pageSize) !== 0) return -1;
      table = entryFrame(low, this.#memory.read32(entry + 4));
    }
    this.#recentBase = base;
    this.#recentTable = table;
    return this.#written(entryAddress(table, address, 1), address);
  }

  /** A level-1 entry, written out if it is folded. */
  #written(entry: number, address: number): number {
    if ((this.#memory.read32(entry) & (FOLDED | Pte.present)) === FOLDED) this.#folded.unfold(entry, 1, address);
    return entry;
  }

  /** As `find`, making the tables that are missing; -1 if memory is exhausted or the place is taken by a hidden entry or a huge page. */
  make(address: number): number {
    const found = this.find(address);
    if (found >= 0) return found;
    const directory = this.makeEntry(address, 2);
    if (directory < 0) return -1;
    if ((this.#memory.read32(directory) & (Pte.present | Pte.pageSize)) === (Pte.present | Pte.pageSize)) return -1;
    const table = this.#tableBehind(directory);
    return table < 0 ? -1 : entryAddress(table, address, 1);
  }

  /** Frees the empty level-1 table for `address`. */
  giveBack(address: number): void {
    const directory = this.makeEntry(address, 2);
    this.#frames.put(entryFrame(this.#memory.read32(directory), this.#memory.read32(directory + 4)));
    this.#memory.write32(directory, 0);
    this.#memory.write32(directory + 4, 0);
    this.#recentBase = -1;
    this.tables--;
  }

  /** Physical address of the entry of a level for `address`, with the tables above it made; -1 as for `make`. */
  makeEntry(address: number, level: number): number {
    let table = this.root;
    for (let above = 4; above > level; above--) {
      const entry = entryAddress(table, address, above);
      if (above === 4 && (this.#memory.read32(entry) & this.#hidden) !== 0) return -1;
      if ((this.#memory.read32(entry) & (Pte.present | FOLDED)) === FOLDED) this.#folded.unfold(entry, above, address);
      table = this.#tableBehind(entry);
      if (table < 0) return -1;
    }
    return entryAddress(table, address, level);
  }

  /** Physical address of the entry of a level for `address`; -1 if the tables above it are missing. */
  entryAt(address: number, level: number): number {
    let table = this.root;
    for (let above = 4; above > level; above--) {
      const entry = entryAddress(table, address, above);
      const low = this.#memory.read32(entry);
      if (above === 4 && (low & this.#hidden) !== 0) return -1;
      if ((low & Pte.present) === 0 && (low === 0 || !this.#folded.unfold(entry, above, address))) return -1;
      table = entryFrame(this.#memory.read32(entry), this.#memory.read32(entry + 4));
    }
    return entryAddress(table, address, level);
  }

  /** The table that an entry points to, made if there is none; -1 if memory is exhausted. */
  #tableBehind(entry: number): number {
    const low = this.#memory.read32(entry);
    if ((low & Pte.present) !== 0) return entryFrame(low, this.#memory.read32(entry + 4));
    const frame = this.#frames.allocate(this.#node);
    if (frame < 0) return -1;
    this.#memory.fill(frame * PAGE_SIZE, PAGE_SIZE);
    this.#memory.write32(entry, entryLow(frame, TABLE_FLAGS));
    this.#memory.write32(entry + 4, entryHigh(frame));
    this.tables++;
    return frame;
  }

  /** Physical address of the level-2 entry that maps a huge page at `address`; -1 if none does. */
  findHuge(address: number): number {
    if (this.hugePages === 0) return -1;
    let table = this.root;
    for (let level = 4; ; level--) {
      const entry = entryAddress(table, address, level);
      const low = this.#memory.read32(entry);
      if ((low & Pte.present) === 0 || (level === 4 && (low & this.#hidden) !== 0)) return -1;
      if (level === 2) return (low & Pte.pageSize) === 0 ? -1 : entry;
      table = entryFrame(low, this.#memory.read32(entry + 4));
    }
  }

  /**
   * Maps a huge page through an empty level-2 entry, and sets aside the level-1 table that splitting it will take; Linux counts
   * it as in use from now on. @returns false if there is no memory for it
   */
  mapHuge(entry: number, low: number, high: number): boolean {
    const table = this.#frames.allocate(this.#node);
    if (table < 0) return false;
    this.#deposited.push(table);
    this.tables++;
    this.hugePages++;
    this.#memory.write32(entry + 4, high);
    this.#memory.write32(entry, low | Pte.pageSize);
    return true;
  }

  /** A huge page takes the place of the table behind a level-2 entry, which is set aside. What was in the table is the caller's. */
  collapse(entry: number, low: number, high: number): void {
    this.#deposited.push(entryFrame(this.#memory.read32(entry), this.#memory.read32(entry + 4)));
    this.hugePages++;
    this.#recentBase = -1;
    this.#memory.write32(entry + 4, high);
    this.#memory.write32(entry, low | Pte.pageSize);
  }

  /** Clears the level-2 entry of a huge page; the table set aside for it goes too. */
  clearHuge(entry: number): void {
    this.#memory.write32(entry, 0);
    this.#memory.write32(entry + 4, 0);
    this.#frames.put(this.#deposited.pop()!);
    this.tables--;
    this.hugePages--;
  }

  /** Moves an entry with all that is below it to the empty one `to`. */
  moveEntry(from: number, to: number): void {
    this.#recentBase = -1;
    this.#memory.write32(to + 4, this.#memory.read32(from + 4));
    this.#memory.write32(to, this.#memory.read32(from));
    this.#memory.write32(from, 0);
    this.#memory.write32(from + 4, 0);
  }

  /**
   * Replaces a huge page by 512 pages with the same rights. The translation stays what it was.
   * @param step 1: the pages are those of the huge page; 0: each is the page in the entry
   */
  splitHuge(entry: number, step: 0 | 1): void {
    const low = this.#memory.read32(entry);
    const high = this.#memory.read32(entry + 4);
    const frame = entryFrame(low, high);
    const table = this.#deposited.pop()!;
    const flags = low & Pte.flags & ~Pte.pageSize;
    const rights = high & (Pte.keyMask | Pte.noExecute);
    for (let i = 0; i < 512; i++) {
      this.#memory.write32(table * PAGE_SIZE + i * 8, entryLow(frame + i * step, flags));
      this.#memory.write32(table * PAGE_SIZE + i * 8 + 4, entryHigh(frame + i * step) | rights);
    }
    this.#memory.write32(entry + 4, entryHigh(table));
    this.#memory.write32(entry, entryLow(table, TABLE_FLAGS));
    this.hugePages--;
  }

  /** Physical address of the top-level entry for `address`. */
  topEntry(address: number): number {
    return entryAddress(this.root, address, 4);
  }

  /** Shows `visitor` every present page in [start, end). */
  forEachPage(start: number, end: number, visitor: PageVisitor): void {
    this.#visit(this.root, 4, 0, start, Math.min(end, 512 * LEVEL_SPAN[4]!), visitor);
  }

  /** @param base first address that `table` maps */
  #visit(table: number, level: number, base: number, start: number, end: number, visitor: PageVisitor): void {
    const span = LEVEL_SPAN[level]!;
    const first = Math.max(0, Math.floor((start - base) / span));
    const last = Math.min(511, Math.ceil((end - base) / span) - 1);
    if (level === 1) visitor.table?.(last - first + 1);
    for (let index = first; index <= last; index++) {
      const entry = table * PAGE_SIZE + index * 8;
      let low = this.#memory.read32(entry);
      if (low === 0) continue;
      const from = base + index * span;
      if ((low & Pte.present) === 0) {
        if ((low & FOLDED) === 0) continue;
        if (from >= start && from + span <= end && visitor.folded?.(from, entry, level) === true) continue;
        this.#folded.unfold(entry, level, from);
        low = this.#memory.read32(entry);
      }
      if (level === 1) {
        visitor.page(from, entry);
        continue;
      }
      if (level === 4 && (low & this.#hidden) !== 0) continue;
      if (level === 2 && (low & Pte.pageSize) !== 0) {
        if (visitor.huge(from, entry)) continue;
        low = this.#memory.read32(entry);
      }
      this.#visit(entryFrame(low, this.#memory.read32(entry + 4)), level - 1, from, start, end, visitor);
    }
  }

  /**
   * Populates as much of [address, end) as one folded entry can stand for: 1 GiB or 2 MiB, where nothing is mapped yet.
   * @returns bytes populated; 0 if neither fits, -1 if the machine has no memory for the tables
   */
  fold(address: number, end: number, mapping: FoldedMapping): number {
    let table = this.root;
    for (let level = 4; ; level--) {
      const span = LEVEL_SPAN[level]!;
      const entry = entryAddress(table, address, level);
      let low = this.#memory.read32(entry);
      if (level === 4 && (low & this.#hidden) !== 0) return 0;
      if (low === 0 && level < 4 && address % span === 0 && address + span <= end) {
        const tables = foldedTables(level);
        if (!this.#frames.reserve(tables)) return -1;
        this.tables += tables;
        this.#memory.write32(entry, this.#mark(mapping));
        return span;
      }
      if (level === 2) return 0;
      if (low === 0) {
        const frame = this.#frames.allocate(this.#node);
        if (frame < 0) return -1;
        this.#memory.fill(frame * PAGE_SIZE, PAGE_SIZE);
        low = entryLow(frame, TABLE_FLAGS);
        this.#memory.write32(entry, low);
        this.#memory.write32(entry + 4, entryHigh(frame));
        this.tables++;
      } else if ((low & Pte.present) === 0) {
        return 0;
      }
      table = entryFrame(low, this.#memory.read32(entry + 4));
    }
  }

  /** Bytes that the folded entry at `address` stands for from there on; 0 if there is none. */
  foldedFrom(address: number): number {
    let table = this.root;
    for (let level = 4; level > 1; level--) {
      const entry = entryAddress(table, address, level);
      const low = this.#memory.read32(entry);
      if ((low & Pte.present) === 0) return (low & FOLDED) === 0 ? 0 : LEVEL_SPAN[level]! - (address % LEVEL_SPAN[level]!);
      if (level === 4 && (low & this.#hidden) !== 0) return 0;
      table = entryFrame(low, this.#memory.read32(entry + 4));
    }
    return 0;
  }

  /** Moves a folded entry by `distance` bytes. @returns pages it stands for; 0 if it does not fit there and stays */
  moveFolded(entry: number, level: number, address: number, distance: number): number {
    const span = LEVEL_SPAN[level]!;
    if (level === 1 || distance % span !== 0) return 0;
    const { object, shift, low, high } = this.#folded.mapping(this.#memory.read32(entry));
    const to = address + distance;
    if (this.fold(to, to + span, { object, shift: shift - distance / PAGE_SIZE, low, high }) <= 0) return 0;
    return this.clearFolded(entry, level);
  }

  /** Clears a folded entry. @returns pages it stood for */
  clearFolded(entry: number, level: number): number {
    const tables = foldedTables(level);
    this.#memory.write32(entry, 0);
    this.#frames.unreserve(tables);
    this.tables -= tables;
    return foldedPages(level);
  }

  /** Gives a folded entry other flags. @returns pages it stands for */
  changeFolded(entry: number, level: number, low: number, high: number): number {
    const { object, shift } = this.#folded.mapping(this.#memory.read32(entry));
    this.#memory.write32(entry, this.#mark({ object, shift, low, high }));
    return foldedPages(level);
  }

  #mark(mapping: FoldedMapping): number {
    for (const mark of this.#marks) {
      const known = this.#folded.mapping(mark);
      if (known.object === mapping.object && known.shift === mapping.shift && known.low === mapping.low && known.high === mapping.high) {
        return mark;
      }
    }
    const mark = this.#folded.add(mapping);
    this.#marks.push(mark);
    return mark;
  }

  /**
   * Frees the tables of [start, end) that map nothing outside [floor, ceiling), where nothing is mapped any more; the caller
   * has cleared the pages and flushes (Linux: `free_pgtables`). @param gather told of each
   */
  freeUnused(start: number, end: number, floor: number, ceiling: number, gather: TableGather): void {
    this.#recentBase = -1;
    this.#freeBelow(this.root, 4, 0, { start, end, floor, ceiling, gather });
  }

  /** Frees everything, the top-level table too. */
  destroy(): void {
    this.#recentBase = -1;
    this.#freeAll(this.root, 4);
    for (const mark of this.#marks) this.#folded.remove(mark);
    this.#frames.put(this.root);
    this.tables = 0;
  }

  #freeBelow(table: number, level: number, base: number, range: UnusedRange): void {
    const { start, end, floor, ceiling, gather } = range;
    const span = LEVEL_SPAN[level]!;
    const first = Math.max(0, Math.floor((start - base) / span));
    const last = Math.min(511, Math.ceil((end - base) / span) - 1);
    for (let index = first; index <= last; index++) {
      const entry = table * PAGE_SIZE + index * 8;
      const low = this.#memory.read32(entry);
      if ((low & Pte.present) === 0 || (level === 4 && (low & this.#hidden) !== 0)) continue;
      const below = entryFrame(low, this.#memory.read32(entry + 4));
      const from = base + index * span;
      if (level > 2) this.#freeBelow(below, level - 1, from, range);
      if (from < floor || from + span > ceiling) continue;
      this.#memory.write32(entry, 0);
      this.#memory.write32(entry + 4, 0);
      this.#frames.put(below);
      this.tables--;
      gather.table(from);
    }
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
