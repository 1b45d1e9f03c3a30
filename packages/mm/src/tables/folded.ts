import { type Cpu, entryHigh, entryLow, LEVEL_SPAN, PAGE_SIZE, type PhysicalMemory, Pte } from '@rpal/hw-x86';
import type { PageFrames } from './page-frames.js';

/** Marks an entry that is not present in the host's memory though it is in the model's: bit 11, which the hardware ignores. */
export const FOLDED: number = Pte.software3;

/** Rights of the table entries above level 1: everything is decided at the page. */
export const TABLE_FLAGS: number = Pte.present | Pte.writable | Pte.user | Pte.accessed;

/** Where the pages of a folded range come from. */
export interface PageSource {
  /** Frame of page `offset`, made on demand on behalf of `cpu`. */
  frame(offset: number, cpu: Cpu): number;
}

/** What a folded range maps, the same for every page of it. */
export interface FoldedMapping {
  readonly object: PageSource;
  /** Page of the object that would be at address 0. */
  readonly shift: number;
  /** Flags of the low half of a page's entry, and its high half without the frame. */
  readonly low: number;
  readonly high: number;
}

/** Tables below an entry of a level that stands for everything under it. */
export function foldedTables(level: number): number {
  return level === 3 ? 513 : level === 2 ? 1 : 0;
}

/**
 * Page tables in short form. A populated range of a file can be as large as a real machine's memory; its tables, all of
 * the same shape, are kept as single marked entries of level 3 or 2, which stand for 1 GiB or 2 MiB. The hardware or the kernel, when it
 * looks at such an entry, finds it written out, one table at a time. The frames that all of them would take
 * are counted from the start.
 */
export class FoldedEntries {
  readonly #memory: PhysicalMemory;
  readonly #frames: PageFrames;
  readonly #cpu: Cpu;
  readonly #mappings: (FoldedMapping | null)[] = [];
  readonly #free: number[] = [];

  /** @param cpu on whose behalf pages are made; it is charged nothing */
  constructor(memory: PhysicalMemory, frames: PageFrames, cpu: Cpu) {
    this.#memory = memory;
    this.#frames = frames;
    this.#cpu = cpu;
  }

  /** Registers a mapping. @returns the low half of entries that stand for it */
  add(mapping: FoldedMapping): number {
    const id = this.#free.pop() ?? this.#mappings.length;
    this.#mappings[id] = mapping;
    return entryLow(id, FOLDED);
  }

  /** What an entry stands for. @param low the low half of a folded entry */
  mapping(low: number): FoldedMapping {
    return this.#mappings[low >>> 12] as FoldedMapping;
  }

  /** No entry stands for it any more. @param low as returned by `add` */
  remove(low: number): void {
    this.#mappings[low >>> 12] = null;
    this.#free.push(low >>> 12);
  }

  /**
   * Writes out one entry: a page's, or a table full of entries that are folded in turn.
   * @param address any address below the entry
   * @returns false if the entry is not folded
   */
  unfold(entry: number, level: number, address: number): boolean {
    const memory = this.#memory;
    const low = memory.read32(entry);
    if ((low & (Pte.present | FOLDED)) !== FOLDED) return false;
    if (level === 1) {
      const { object, shift, low: flags, high } = this.mapping(low);
      const frame = object.frame(shift + Math.floor(address / PAGE_SIZE), this.#cpu);
      this.#frames.get(frame);
      memory.write32(entry + 4, entryHigh(frame) | high);
      memory.write32(entry, entryLow(frame, flags));
      return true;
    }
    this.#frames.unreserve(1);
    const table = this.#frames.allocate(0);
    for (let each = table * PAGE_SIZE; each < (table + 1) * PAGE_SIZE; each += 8) {
      memory.write32(each, low);
      memory.write32(each + 4, 0);
    }
    memory.write32(entry + 4, entryHigh(table));
    memory.write32(entry, entryLow(table, TABLE_FLAGS));
    return true;
  }
}

/** Pages that an entry of a level stands for. */
export function foldedPages(level: number): number {
  return (LEVEL_SPAN[level] as number) / PAGE_SIZE;
}
