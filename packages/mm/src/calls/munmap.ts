import { type Cpu, entryFrame, PAGE_SIZE, pageCeil } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import { requireWhole } from '../errors.js';
import { splitHugeAt, zapHuge } from '../fault/huge-pages.js';
import { uncommit } from '../space/accounting.js';
import type { MmStruct } from '../space/mm-struct.js';
import { type Vma, VmFlag } from '../space/vma.js';
import { MAX_MAP_COUNT, splitArea } from '../space/vma-merge.js';
import { MmStep } from '../steps.js';
import { MmuGather } from '../tlb/mmu-gather.js';

/** munmap(2). @returns 0 or a negative errno */
export function munmap(cpu: Cpu, mm: MmStruct, address: number, length: number): number {
  requireWhole(address, 'address');
  requireWhole(length, 'length');
  cpu.charge(MmStep.munmapBody);
  const size = pageCeil(length);
  if (address % PAGE_SIZE !== 0 || size === 0 || address < 0 || address + size > mm.layout.taskSize) return -Errno.EINVAL;
  return unmapRange(cpu, mm, address, address + size);
}

/** Removes all mappings of [start, end): areas, pages, tables, translations everywhere. @returns 0 or -ENOMEM */
export function unmapRange(cpu: Cpu, mm: MmStruct, start: number, end: number): number {
  if (mm.areas.isFree(start, end)) return 0;
  if (!isolateRange(cpu, mm, start, end)) return -Errno.ENOMEM;
  removeRange(cpu, mm, start, end);
  return 0;
}

/**
 * Splits areas so that none crosses `start` or `end` (Linux: `vms_gather_munmap_vmas`).
 * @returns false if that would make too many of them; what has been split stays so, as in Linux
 */
export function isolateRange(cpu: Cpu, mm: MmStruct, start: number, end: number): boolean {
  const first = mm.areas.containing(start);
  if (first !== null && first.start < start) {
    if (first.end > end && mm.areas.size >= MAX_MAP_COUNT) return false;
    splitArea(cpu, mm, first, start);
  }
  const last = mm.areas.containing(end - 1);
  if (last !== null && last.end > end) splitArea(cpu, mm, last, end);
  return true;
}

/** Takes down the areas of an isolated range, with one flush for all of them. */
export function removeRange(cpu: Cpu, mm: MmStruct, start: number, end: number): void {
  const index = mm.areas.indexFrom(start);
  const below = mm.areas.at(index - 1)?.end ?? 0;
  const gather = new MmuGather(mm);
  for (let area = mm.areas.at(index); area !== undefined && area.start < end; area = mm.areas.at(index)) {
    zapPages(cpu, mm, area, area.start, area.end, gather);
    mm.areas.remove(area);
    if ((area.flags & VmFlag.ACCOUNT) !== 0) uncommit(mm.manager, area.pages);
    area.object?.mapped?.(-1, area, mm);
  }
  const above = mm.areas.at(index)?.start ?? Number.POSITIVE_INFINITY;
  mm.tables.freeUnused(start, end, below, above, gather);
  gather.finish(cpu);
}

/** Pages and accounted pages of an isolated range. */
export function measureRange(mm: MmStruct, start: number, end: number): { readonly pages: number; readonly accounted: number } {
  let pages = 0;
  let accounted = 0;
  for (let index = mm.areas.indexFrom(start); ; index++) {
    const area = mm.areas.at(index);
    if (area === undefined || area.start >= end) return { pages, accounted };
    pages += area.pages;
    if ((area.flags & VmFlag.ACCOUNT) !== 0) accounted += area.pages;
  }
}

/**
 * Clears the pages of [start, end) of an area (Linux: `unmap_page_range`).
 * @param gather told of them: the flush is the caller's
 * @param keepTables tables of level 2 stay, as when memory is dropped but stays mapped
 */
export function zapPages(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number, gather: MmuGather, keepTables = false): void {
  const { memory, frames } = mm.manager;
  splitHugeAt(cpu, mm, start);
  splitHugeAt(cpu, mm, end);
  mm.tables.forEachPage(
    start,
    end,
    (address, entry) => {
      const frame = entryFrame(memory.read32(entry), memory.read32(entry + 4));
      memory.write32(entry, 0);
      memory.write32(entry + 4, 0);
      cpu.charge(MmStep.zapPage);
      mm.uncountPage(area, frame);
      frames.put(frame);
      gather.pages(address);
    },
    (address, entry, level) => {
      if (keepTables && level === 3) return false;
      const cleared = mm.tables.clearFolded(entry, level);
      cpu.chargeTimes(MmStep.zapPage, cleared);
      mm.residentPages -= cleared;
      gather.pages(address, cleared * PAGE_SIZE);
      return true;
    },
    (address, entry) => {
      cpu.charge(MmStep.zapPage);
      zapHuge(mm, entry);
      gather.hugePage(address);
      return true;
    },
  );
}
