import { type Cpu, HUGE_PAGE_SIZE as GIB_PAGE, LARGE_PAGE_SIZE, PAGE_SIZE, Pte } from '@rpal/hw-x86';
import { splitHuge } from '../fault/huge-pages.js';
import type { MmStruct } from '../space/mm-struct.js';
import type { Vma } from '../space/vma.js';
import { MmStep } from '../steps.js';
import { FOLDED } from '../tables/folded.js';

/** A move of page tables. */
export interface TableMove {
  /** The area that the entries belong to, and the one made for them. */
  readonly source: Vma;
  readonly copy: Vma;
  /** Addresses. */
  readonly from: number;
  readonly to: number;
  /** Bytes. */
  readonly size: number;
}

/**
 * Moves what is mapped in [from, from + size) to `to`, whole tables where both borders allow it; afterwards no CPU may use the
 * old translations (Linux: `move_page_tables`). If memory for tables runs out, Linux moves everything back and fails; here the
 * rest stays behind, to be unmapped with the old area.
 */
export function movePageTables(cpu: Cpu, mm: MmStruct, move: TableMove): void {
  const { from, to, size } = move;
  const { tables } = mm;
  const { memory } = mm.manager;
  const end = from + size;
  const past = realigned(mm, move);
  const distance = to - from;
  mm.guards.move(from, end, distance);
  let extent = 0;
  for (let at = from - past; at < end; at += extent) {
    const target = at + distance;
    extent = extentOf(GIB_PAGE, at, end, target);
    const oldGib = tables.entryAt(at, 3);
    if (oldGib < 0 || memory.read32(oldGib) === 0) continue;
    const newGib = tables.makeEntry(target, 3);
    if (newGib < 0) return;
    if (extent === GIB_PAGE && moveEntry(cpu, mm, oldGib, newGib, 3, at, distance)) continue;

    extent = extentOf(LARGE_PAGE_SIZE, at, end, target);
    const old = tables.entryAt(at, 2);
    if (old < 0 || memory.read32(old) === 0) continue;
    const fresh = tables.makeEntry(target, 2);
    if (fresh < 0) return;
    if (extent === LARGE_PAGE_SIZE && moveEntry(cpu, mm, old, fresh, 2, at, distance)) continue;
    const huge = tables.findHuge(at);
    if (huge >= 0) splitHuge(cpu, mm, at - (at % LARGE_PAGE_SIZE), huge);
    movePages(cpu, mm, at, extent, distance);
  }
}

/** Moves one entry of level 3 or 2 with all that is below it, if its place is free. @returns true if it has been moved */
function moveEntry(cpu: Cpu, mm: MmStruct, from: number, to: number, level: 2 | 3, address: number, distance: number): boolean {
  const { memory } = mm.manager;
  if (memory.read32(to) !== 0) return false;
  const low = memory.read32(from);
  if ((low & (Pte.present | FOLDED)) === FOLDED) {
    if (mm.tables.moveFolded(from, level, address, distance) === 0) return false;
  } else {
    mm.tables.moveEntry(from, to);
  }
  cpu.charge(MmStep.mremapPage);
  mm.manager.tlb.flushRange(cpu, mm, address, address + (level === 3 ? GIB_PAGE : LARGE_PAGE_SIZE));
  return true;
}

/** Linux: `move_ptes`, within one table on either side. */
function movePages(cpu: Cpu, mm: MmStruct, from: number, size: number, distance: number): void {
  const { memory } = mm.manager;
  let moved = false;
  for (let at = from; at < from + size; at += PAGE_SIZE) {
    const entry = mm.tables.find(at);
    // A table for the new place is made even if nothing is in the old one.
    const target = mm.tables.make(at + distance);
    if (target < 0) break;
    const low = memory.read32(entry);
    if ((low & Pte.present) === 0) continue;
    memory.write32(target + 4, memory.read32(entry + 4));
    memory.write32(target, low);
    memory.write32(entry, 0);
    memory.write32(entry + 4, 0);
    cpu.charge(MmStep.mremapPage);
    moved = true;
  }
  if (moved) mm.manager.tlb.flushRange(cpu, mm, from, from + size);
}

/** Bytes up to the next border of either side, or the end (Linux: `get_extent`). */
function extentOf(span: number, at: number, end: number, target: number): number {
  return Math.min(span - (at % span), end - at, span - (target % span));
}

/**
 * Bytes by which the move may begin earlier, so that it begins with a whole table: nothing is mapped there on either side, and
 * the move reaches beyond that table (Linux: `try_realign_addr`).
 */
function realigned(mm: MmStruct, { source, copy, from, to, size }: TableMove): number {
  const past = from % LARGE_PAGE_SIZE;
  if (past === 0 || to % LARGE_PAGE_SIZE !== past || size < LARGE_PAGE_SIZE - past) return 0;
  if (source.start !== from || copy.start !== to) return 0;
  return mm.areas.isFree(from - past, from) && mm.areas.isFree(to - past, to) ? past : 0;
}
