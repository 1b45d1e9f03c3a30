import { LARGE_PAGE_SIZE, pageFloor } from '@rpal/hw-x86';
import { Errno, MapFlag } from '@rpal/uapi';
import { MMAP_MIN_ADDR, STACK_GUARD_GAP } from './layout.js';
import type { MmStruct } from './mm-struct.js';
import { type Vma, VmFlag } from './vma.js';

/** MAP_32BIT searches the second GiB, bottom up. */
const BIT32_START = 0x4000_0000;
const BIT32_END = 0x8000_0000;

/**
 * Where a mapping without a fixed address goes (Linux: `arch_get_unmapped_area_topdown`): at the hint if it is free, else in
 * the highest gap below the mmap base, else in the lowest above a third of the address space.
 * @param size bytes, a multiple of the page size
 * @param anonymous private or shared anonymous memory: without a hint, whole large pages are aligned to them
 * @returns the address or -ENOMEM
 */
export function unmappedArea(mm: MmStruct, hint: number, size: number, flags: number, anonymous: boolean): number {
  if (size > mm.layout.taskSize) return -Errno.ENOMEM;
  if (anonymous && hint === 0 && size % LARGE_PAGE_SIZE === 0 && (flags & MapFlag.SHARED) === 0) {
    const aligned = alignedArea(mm, size, flags);
    if (aligned >= 0) return aligned;
  }
  return search(mm, hint, size, flags);
}

function search(mm: MmStruct, hint: number, size: number, flags: number): number {
  const { taskSize, mmapBase, mmapLegacyBase } = mm.layout;
  if ((flags & MapFlag.BIT32) !== 0) {
    const start = mm.areas.lowestGap(size, BIT32_START, BIT32_END, guardGap);
    return start < 0 ? -Errno.ENOMEM : start;
  }
  if (hint !== 0) {
    const wanted = Math.max(pageFloor(hint), MMAP_MIN_ADDR);
    if (wanted + size <= taskSize) {
      const next = mm.areas.at(mm.areas.indexFrom(wanted));
      if (next === undefined || wanted + size <= next.start - guardGap(next)) return wanted;
    }
  }
  const start = mm.areas.highestGap(size, MMAP_MIN_ADDR, mmapBase, guardGap);
  if (start >= 0) return start;
  const above = mm.areas.lowestGap(size, mmapLegacyBase, taskSize, guardGap);
  return above < 0 ? -Errno.ENOMEM : above;
}

/** A place on a 2 MiB border, found with room to spare (Linux: `thp_get_unmapped_area`); negative if there is none. */
function alignedArea(mm: MmStruct, size: number, flags: number): number {
  const start = search(mm, 0, size + LARGE_PAGE_SIZE, flags);
  if (start < 0) return start;
  const past = start % LARGE_PAGE_SIZE;
  return past === 0 ? start + LARGE_PAGE_SIZE : start - past + LARGE_PAGE_SIZE;
}

/** Bytes that stay free below an area (Linux: `vm_start_gap`). */
export function guardGap(area: Vma): number {
  return (area.flags & VmFlag.GROWSDOWN) !== 0 ? Math.min(STACK_GUARD_GAP, area.start) : 0;
}
