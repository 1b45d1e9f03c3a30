import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import { requireWhole } from '../errors.js';
import { splitHugeAt } from '../fault/huge-pages.js';
import { MmuGather } from '../fault/mmu-gather.js';
import { zapPages } from '../fault/zap.js';
import type { MmStruct } from '../space/mm-struct.js';
import { unsigned, wholePages } from '../space/unsigned.js';
import { VmFlag } from '../space/vma.js';
import { MAX_MAP_COUNT, splitArea } from '../space/vma-merge.js';
import { MmStep } from '../steps.js';

/** munmap(2). @returns 0 or a negative errno */
export function munmap(cpu: Cpu, mm: MmStruct, address: number, length: number): number {
  requireWhole(address, 'address');
  requireWhole(length, 'length');
  cpu.charge(MmStep.munmapBody);
  return unmap(cpu, mm, unsigned(address), unsigned(length));
}

/** munmap of unsigned numbers, which mremap calls too (Linux: `do_vmi_munmap`). @returns 0 or a negative errno */
export function unmap(cpu: Cpu, mm: MmStruct, address: number, length: number): number {
  const { taskSize } = mm.layout;
  if (address % PAGE_SIZE !== 0 || address > taskSize || length > taskSize - address || length === 0) return -Errno.EINVAL;
  return unmapRange(cpu, mm, address, address + wholePages(length));
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
    cpu.charge(MmStep.unmapSplit);
    splitArea(mm, first, start);
    splitHugeAt(cpu, mm, start);
  }
  const last = mm.areas.containing(end - 1);
  if (last !== null && last.end > end) {
    cpu.charge(MmStep.unmapSplit);
    splitArea(mm, last, end);
    splitHugeAt(cpu, mm, end);
  }
  return true;
}

/** Takes down the areas of an isolated range, with one flush for all of them. */
export function removeRange(cpu: Cpu, mm: MmStruct, start: number, end: number): void {
  const index = mm.areas.indexFrom(start);
  const below = mm.areas.at(index - 1)?.end ?? 0;
  const gather = new MmuGather(mm);
  for (let area = mm.areas.at(index); area !== undefined && area.start < end; area = mm.areas.at(index)) {
    zapPages(cpu, mm, area, area.start, area.end, gather);
    mm.guards.remove(area.start, area.end);
    if (area.anonVma !== null) cpu.charge(MmStep.unlinkAnon);
    mm.areas.remove(area);
    if ((area.flags & VmFlag.ACCOUNT) !== 0) mm.manager.commitment.uncommit(area.pages);
    area.object?.mapped?.(-1, area, mm);
  }
  const above = mm.areas.at(index)?.start ?? Number.POSITIVE_INFINITY;
  const { tables } = mm.tables;
  mm.tables.freeUnused(start, end, below, above, gather);
  cpu.chargeTimes(MmStep.tableFree, tables - mm.tables.tables);
  gather.finish(cpu);
  const { memoryUnmap } = mm.manager.seams.events;
  if (memoryUnmap.observed) memoryUnmap.emit(cpu.id, cpu.clock, mm, start, end);
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
