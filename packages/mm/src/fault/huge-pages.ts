import { type Cpu, entryFrame, entryHigh, entryLow, LARGE_PAGE_SIZE, PAGE_SIZE, Pte, pageFloor } from '@rpal/hw-x86';
import { prepareAnonVma } from '../space/anon-vma.js';
import type { MmStruct } from '../space/mm-struct.js';
import { type Vma, VmFlag } from '../space/vma.js';
import { MmStep } from '../steps.js';
import { USER_PAGE, WRITTEN_PAGE } from '../tables/entries.js';

/** Pages of 4 KiB in a huge page. */
export const HUGE_PAGE_PAGES: number = LARGE_PAGE_SIZE / PAGE_SIZE;

/** May the 2 MiB at `start` be one page of `area` (Linux: `thp_vma_allowable_order`)? @public for packages that show areas */
export function mayBeHuge(mm: MmStruct, area: Vma, start: number): boolean {
  if (area.object !== null || (area.flags & (VmFlag.NOHUGEPAGE | VmFlag.SPECIAL)) !== 0) return false;
  const { hugePages } = mm.manager;
  if (hugePages === 'never' || (hugePages === 'madvise' && (area.flags & VmFlag.HUGEPAGE) === 0)) return false;
  return start >= area.start && start + LARGE_PAGE_SIZE <= area.end;
}

/**
 * A fault where there is a huge page or could be one.
 * @returns true if it is resolved; false if it is a matter of the 4 KiB page, with the huge page split if there was one
 */
export function resolveHuge(cpu: Cpu, mm: MmStruct, area: Vma, address: number, write: boolean): boolean {
  const start = address - (address & (LARGE_PAGE_SIZE - 1));
  const entry = mm.tables.findHuge(address);
  if (entry < 0 && mm.guards.meets(start, start + LARGE_PAGE_SIZE)) return false;
  if (entry < 0) return mayBeHuge(mm, area, start) && firstAccess(cpu, mm, area, start, write);
  const { memory } = mm.manager;
  const low = memory.read32(entry);
  if (!write || (low & Pte.writable) !== 0) {
    cpu.mmu.invlpg(address);
    return true;
  }
  return writeProtected(cpu, mm, area, start, entry);
}

/** Linux: `do_huge_pmd_anonymous_page`. */
function firstAccess(cpu: Cpu, mm: MmStruct, area: Vma, start: number, write: boolean): boolean {
  const { manager } = mm;
  const entry = mm.tables.makeEntry(start, 2);
  // Where there is a table, pages have been used one by one.
  if (entry < 0 || manager.memory.read32(entry) !== 0) return false;
  cpu.charge(MmStep.hugeFault);
  prepareAnonVma(mm, area);
  if (!write && manager.hugeZeroPage) {
    const zero = manager.hugeZeroFrame();
    if (zero < 0 || !mapHuge(mm, area, entry, zero, USER_PAGE)) return false;
    manager.frames.getHuge(zero);
    return true;
  }
  const head = freshHugePage(cpu, mm);
  if (head < 0) return false;
  const flags = (area.flags & VmFlag.WRITE) !== 0 ? WRITTEN_PAGE : USER_PAGE | Pte.dirty;
  if (mapHuge(mm, area, entry, head, flags)) {
    countHuge(mm, head, 1);
    return true;
  }
  manager.frames.putHuge(head);
  return false;
}

/** A write to a huge page that may not be written yet (Linux: `do_huge_pmd_wp_page`). */
function writeProtected(cpu: Cpu, mm: MmStruct, area: Vma, start: number, entry: number): boolean {
  const { memory, frames } = mm.manager;
  const head = entryFrame(memory.read32(entry), memory.read32(entry + 4));
  cpu.charge(MmStep.copyOnWrite);
  if (head === mm.manager.hugeZeroIfAny) {
    const fresh = freshHugePage(cpu, mm);
    if (fresh >= 0) {
      memory.write32(entry + 4, entryHigh(fresh, area.key, (area.flags & VmFlag.EXEC) === 0));
      memory.write32(entry, entryLow(fresh, WRITTEN_PAGE | Pte.pageSize));
      mm.manager.tlb.flushRange(cpu, mm, start, start + LARGE_PAGE_SIZE);
      frames.putHuge(head);
      countHuge(mm, fresh, 1);
      return true;
    }
  } else if (frames.exclusive(head) || frames.solelyUsed(head)) {
    frames.setExclusive(head);
    memory.write32(entry, memory.read32(entry) | Pte.writable | Pte.dirty);
    cpu.mmu.invlpg(start);
    return true;
  }
  splitHuge(cpu, mm, start, entry);
  return false;
}

/** 512 zeroed frames in a row; -1 if there are none. */
function freshHugePage(cpu: Cpu, mm: MmStruct): number {
  const head = allocateHugePage(cpu, mm);
  if (head < 0) return -1;
  cpu.chargeTimes(MmStep.pageZero, HUGE_PAGE_PAGES - 1);
  cpu.chargeBytes(MmStep.pageZero, LARGE_PAGE_SIZE);
  mm.manager.memory.fill(head * PAGE_SIZE, LARGE_PAGE_SIZE);
  return head;
}

/** 512 frames in a row, to be filled by the caller; -1 if there are none. */
export function allocateHugePage(cpu: Cpu, mm: MmStruct): number {
  const { frames } = mm.manager;
  cpu.charge(MmStep.pageAlloc);
  const head = frames.allocateHuge(cpu.socket);
  if (head < 0) return -1;
  frames.setExclusive(head);
  for (let frame = head; frame < head + HUGE_PAGE_PAGES; frame++) cpu.coherence.claim(cpu, frame);
  return head;
}

function mapHuge(mm: MmStruct, area: Vma, entry: number, head: number, flags: number): boolean {
  const high = entryHigh(head, area.key, (area.flags & VmFlag.EXEC) === 0);
  return mm.tables.mapHuge(entry, entryLow(head, flags), high);
}

/** Huge pages count 512 times in RSS; the one of zeroes belongs to nobody. */
export function countHuge(mm: MmStruct, head: number, change: 1 | -1): void {
  if (head === mm.manager.hugeZeroIfAny) return;
  mm.residentPages += change * HUGE_PAGE_PAGES;
  mm.anonPages += change * HUGE_PAGE_PAGES;
  mm.anonHugePages += change;
}

/** Splits the huge page that an area, or a change within one, ends in the middle of (Linux: `vma_adjust_trans_huge`). */
export function splitHugeAt(cpu: Cpu, mm: MmStruct, address: number): void {
  const past = address % LARGE_PAGE_SIZE;
  if (past === 0) return;
  const entry = mm.tables.findHuge(address);
  if (entry >= 0) splitHuge(cpu, mm, address - past, entry);
}

/** Maps the pages of a huge page one by one (Linux: `__split_huge_pmd`). They go on being one piece of memory. */
export function splitHuge(cpu: Cpu, mm: MmStruct, start: number, entry: number): void {
  const { manager } = mm;
  const { memory, frames } = manager;
  const head = entryFrame(memory.read32(entry), memory.read32(entry + 4));
  cpu.charge(MmStep.hugeSplit);
  if (head === manager.hugeZeroIfAny) {
    memory.write32(entry + 4, entryHigh(manager.zeroFrame) | (memory.read32(entry + 4) & (Pte.keyMask | Pte.noExecute)));
    memory.write32(entry, entryLow(manager.zeroFrame, memory.read32(entry) & Pte.flags));
    mm.tables.splitHuge(entry, 0);
    for (let i = 0; i < HUGE_PAGE_PAGES; i++) frames.get(manager.zeroFrame);
    frames.putHuge(head);
  } else {
    mm.tables.splitHuge(entry, 1);
    if (frames.exclusive(head)) for (let i = 1; i < HUGE_PAGE_PAGES; i++) frames.setExclusive(head + i);
    mm.anonHugePages--;
  }
  manager.tlb.flushRange(cpu, mm, start, start + LARGE_PAGE_SIZE);
}

/** Clears a huge page's entry; the flush is the caller's (Linux: `zap_huge_pmd`). */
export function zapHuge(mm: MmStruct, entry: number): void {
  const { memory, frames } = mm.manager;
  const head = entryFrame(memory.read32(entry), memory.read32(entry + 4));
  mm.tables.clearHuge(entry);
  countHuge(mm, head, -1);
  frames.putHuge(head);
}

/** Lets a child share a huge page of its parent until one of them writes (Linux: `copy_huge_pmd`). */
export function copyHuge(parent: MmStruct, child: MmStruct, address: number, entry: number): void {
  const { memory, frames } = parent.manager;
  const low = memory.read32(entry) & ~Pte.writable;
  const high = memory.read32(entry + 4);
  const target = child.tables.makeEntry(address, 2);
  if (target < 0 || !child.tables.mapHuge(target, low, high)) return;
  memory.write32(entry, low);
  frames.getHuge(entryFrame(low, high));
  frames.clearExclusive(entryFrame(low, high));
  countHuge(child, entryFrame(low, high), 1);
}

/**
 * Gives a huge page the rights and the key of its area (Linux: `change_huge_pmd`).
 * @returns true if it may be in a TLB with other rights
 */
export function protectHuge(mm: MmStruct, area: Vma, entry: number): boolean {
  const { memory, frames } = mm.manager;
  const low = memory.read32(entry);
  const high = memory.read32(entry + 4);
  const head = entryFrame(low, high);
  const mayWrite = (area.flags & VmFlag.WRITE) !== 0 && head !== mm.manager.hugeZeroIfAny && frames.exclusive(head);
  const flags = (low & ~(Pte.writable | Pte.user)) | (area.accessible ? Pte.user : 0) | (mayWrite ? Pte.writable : 0);
  const upper = entryHigh(head, area.key, (area.flags & VmFlag.EXEC) === 0);
  memory.write32(entry, flags);
  memory.write32(entry + 4, upper);
  return (low & Pte.user) !== 0 && (flags !== low || upper !== high);
}

/**
 * Does `frame`, which `mm` maps around `address`, belong to `mm` alone, so that a write needs no copy (Linux: `wp_can_reuse_anon_folio`)? A
 * page of a huge page is judged with the whole of it: others must not map any of it, and of a last single page a copy is better, since that
 * gives the other 511 back.
 */
export function solelyUsed(mm: MmStruct, address: number, frame: number): boolean {
  const { memory, frames } = mm.manager;
  if (frames.count(frame) !== 1) return false;
  if (!frames.anyHuge) return true;
  const head = frames.hugeHead(frame);
  if (head < 0) return true;
  const start = pageFloor(address) - (frame - head) * PAGE_SIZE;
  if (start < 0) return false;
  let mapped = 0;
  for (let i = 0; i < HUGE_PAGE_PAGES; i++) {
    const count = frames.count(head + i);
    if (count === 0) continue;
    const entry = count === 1 ? mm.tables.find(start + i * PAGE_SIZE) : -1;
    const low = entry < 0 ? 0 : memory.read32(entry);
    if ((low & Pte.present) === 0 || entryFrame(low, memory.read32(entry + 4)) !== head + i) return false;
    mapped++;
  }
  return mapped > 1;
}
