import { type Cpu, entryFrame, entryHigh, entryLow, LARGE_PAGE_SIZE, PAGE_SIZE, Pte } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import type { MmStruct } from '../space/mm-struct.js';
import { type Vma, VmFlag } from '../space/vma.js';
import { MmStep } from '../steps.js';
import { USER_PAGE, WRITTEN_PAGE } from '../tables/entries.js';
import { allocateHugePage, countHuge, HUGE_PAGE_PAGES } from './huge-pages.js';

/** How an attempt to make a huge page of small ones ended (Linux: `enum scan_result`). */
export const Collapse = {
  SUCCEED: 0,
  /** There is a huge page already. */
  PMD_MAPPED: 1,
  /** No page table of any level has anything for the range. */
  PMD_NULL: 2,
  /** Nothing in the range has been touched. */
  PMD_NONE: 3,
  /** No page of it may be written. */
  PAGE_RO: 4,
  /** Memory has no 2 MiB in a row. */
  ALLOC_HUGE_PAGE_FAIL: 5,
  EXCEED_NONE_PTE: 6,
  EXCEED_SHARED_PTE: 7,
  LACK_REFERENCED_PAGE: 8,
} as const;

/** What khugepaged asks of the pages; madvise gets its huge page whatever they are. */
export interface CollapseLimits {
  /** Pages that have not been touched, at most: they take memory afterwards. */
  readonly maxPtesNone: number;
  /** Pages that other processes have as well, at most: they are copied. */
  readonly maxPtesShared: number;
}

const NO_LIMITS: CollapseLimits = { maxPtesNone: HUGE_PAGE_PAGES, maxPtesShared: HUGE_PAGE_PAGES };

/**
 * madvise(COLLAPSE) of [start, end) of one area: huge pages at once, whatever /sys/kernel/mm/transparent_hugepage/enabled says (Linux:
 * `madvise_collapse`). Of private anonymous memory only.
 * @returns 0 if the whole of the range that huge pages fit in has them now; -ENOMEM, or -EINVAL
 */
export function collapseRange(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number): number {
  const first = Math.ceil(start / LARGE_PAGE_SIZE) * LARGE_PAGE_SIZE;
  const last = end - (end % LARGE_PAGE_SIZE);
  if (!mayCollapse(area)) return -Errno.EINVAL;
  let collapsed = 0;
  for (let at = first; at < last; at += LARGE_PAGE_SIZE) {
    const result = collapse(cpu, mm, area, at, NO_LIMITS);
    if (result === Collapse.SUCCEED || result === Collapse.PMD_MAPPED) collapsed++;
    else if (result === Collapse.ALLOC_HUGE_PAGE_FAIL) return -Errno.ENOMEM;
    // After some failures the next range may still succeed, after others not; the call as a whole fails either way.
    else if (result !== Collapse.PMD_NULL && result !== Collapse.PAGE_RO) return -Errno.EINVAL;
  }
  return collapsed === (last - first) / LARGE_PAGE_SIZE ? 0 : -Errno.EINVAL;
}

/** Could the area get a huge page for small ones, leaving aside who gets them (Linux: `thp_vma_allowable_order`)? */
export function mayCollapse(area: Vma): boolean {
  if (area.object !== null || area.anonVma === null || (area.flags & (VmFlag.NOHUGEPAGE | VmFlag.SPECIAL)) !== 0) return false;
  return Math.ceil(area.start / LARGE_PAGE_SIZE) * LARGE_PAGE_SIZE + LARGE_PAGE_SIZE <= area.end;
}

/**
 * Makes one huge page of the 2 MiB at `start`, which lie within `area`: copies the pages there are, zeroes the rest (Linux:
 * `hpage_collapse_scan_pmd` and `collapse_huge_page`). The table of the small pages is set aside for the day it is split.
 */
export function collapse(cpu: Cpu, mm: MmStruct, area: Vma, start: number, limits: CollapseLimits): number {
  // An entry that is a marker is neither a page nor empty.
  if (mm.guards.meets(start, start + LARGE_PAGE_SIZE)) return Collapse.EXCEED_NONE_PTE;
  cpu.charge(MmStep.collapseScan);
  const { memory } = mm.manager;
  const entry = mm.tables.entryAt(start, 2);
  if (entry < 0) return Collapse.PMD_NULL;
  const low = memory.read32(entry);
  if (low === 0) return Collapse.PMD_NONE;
  if ((low & Pte.pageSize) !== 0) return Collapse.PMD_MAPPED;
  const table = entryFrame(low, memory.read32(entry + 4)) * PAGE_SIZE;
  const refused = scan(mm, table, limits);
  if (refused !== Collapse.SUCCEED) return refused;
  const head = allocateHugePage(cpu, mm);
  if (head < 0) return Collapse.ALLOC_HUGE_PAGE_FAIL;
  cpu.charge(MmStep.collapseBody);
  // From here on nobody may use the small pages.
  mm.manager.tlb.flushRange(cpu, mm, start, start + LARGE_PAGE_SIZE);
  for (let i = 0; i < HUGE_PAGE_PAGES; i++) movePage(cpu, mm, area, table + i * 8, head + i);
  const flags = ((area.flags & VmFlag.WRITE) !== 0 ? WRITTEN_PAGE : USER_PAGE | Pte.dirty) & (area.accessible ? -1 : ~Pte.user);
  mm.tables.collapse(entry, entryLow(head, flags), entryHigh(head, area.key, (area.flags & VmFlag.EXEC) === 0));
  countHuge(mm, head, 1);
  return Collapse.SUCCEED;
}

/** Should these pages become a huge one? @param table physical address of their table */
function scan(mm: MmStruct, table: number, limits: CollapseLimits): number {
  const { memory, frames, zeroFrame, rules } = mm.manager;
  let none = 0;
  let shared = 0;
  let writable = rules.collapseReadOnly;
  let referenced = limits === NO_LIMITS;
  for (let at = table; at < table + PAGE_SIZE; at += 8) {
    const low = memory.read32(at);
    const frame = entryFrame(low, memory.read32(at + 4));
    if ((low & Pte.present) === 0 || frame === zeroFrame) {
      if (++none > limits.maxPtesNone) return Collapse.EXCEED_NONE_PTE;
      continue;
    }
    if (frames.count(frame) > 1 && ++shared > limits.maxPtesShared) return Collapse.EXCEED_SHARED_PTE;
    writable ||= (low & Pte.writable) !== 0;
    referenced ||= (low & Pte.accessed) !== 0;
  }
  if (!writable) return Collapse.PAGE_RO;
  return referenced ? Collapse.SUCCEED : Collapse.LACK_REFERENCED_PAGE;
}

/** Copies one small page to its place in the huge one. @param entry physical address of its level-1 entry */
function movePage(cpu: Cpu, mm: MmStruct, area: Vma, entry: number, to: number): void {
  const { memory, frames, zeroFrame } = mm.manager;
  const low = memory.read32(entry);
  const frame = entryFrame(low, memory.read32(entry + 4));
  if ((low & Pte.present) === 0 || frame === zeroFrame) {
    cpu.chargeBytes(MmStep.pageZero, PAGE_SIZE);
    memory.fill(to * PAGE_SIZE, PAGE_SIZE);
  } else {
    cpu.chargeBytes(MmStep.pageCopy, PAGE_SIZE);
    memory.copy(to * PAGE_SIZE, frame * PAGE_SIZE, PAGE_SIZE);
  }
  if ((low & Pte.present) === 0) return;
  mm.uncountPage(area, frame);
  frames.put(frame);
}
