import { type Cpu, FaultCode, PAGE_SIZE, Pte } from '@rpal/hw-x86';
import { Errno, Signal } from '@rpal/uapi';
import { pkruDenies, resolveInArea } from './fault.js';
import type { MmStruct } from './mm-struct.js';
import { type Vma, VmFlag } from './vma.js';

/**
 * Makes the pages of [start, end) present as far as that is possible: what MAP_POPULATE, MAP_LOCKED and the growth of a
 * locked area do (Linux: `mm_populate`). Errors are passed over.
 */
export function populateRange(cpu: Cpu, mm: MmStruct, start: number, end: number): void {
  forEachArea(mm, start, end, (area, from, to) => {
    populateArea(cpu, mm, area, from, to, wantsWrite(area));
    return 0;
  });
}

/** As `populateRange`, but ends with the first error: mlock. @returns 0 or a negative errno */
export function populateOrFail(cpu: Cpu, mm: MmStruct, start: number, end: number): number {
  return forEachArea(mm, start, end, (area, from, to) => populateArea(cpu, mm, area, from, to, wantsWrite(area)));
}

/**
 * Faults pages of one area in, as an access of that kind would (Linux: `faultin_page`, FOLL_WRITE and FOLL_FORCE).
 * @returns 0, or -EFAULT if an access is not allowed or nothing is behind the page, or -ENOMEM
 */
export function populateArea(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number, write: boolean): number {
  if (!area.accessible || pkruDenies(cpu, mm, area, write)) return -Errno.EFAULT;
  const { memory } = mm.manager;
  const code = write ? FaultCode.write : 0;
  for (let page = start; page < end; page += PAGE_SIZE) {
    const entry = mm.tables.find(page);
    const low = entry < 0 ? 0 : memory.read32(entry);
    if ((low & Pte.present) !== 0 && (!write || (low & Pte.writable) !== 0)) continue;
    const result = resolveInArea(cpu, mm, area, page, code);
    if (result !== 0) return (result & 0xff) === Signal.KILL ? -Errno.ENOMEM : -Errno.EFAULT;
  }
  return 0;
}

/** Private memory that may be written is populated by writes: the pages would be copied right afterwards. */
function wantsWrite(area: Vma): boolean {
  return (area.flags & (VmFlag.WRITE | VmFlag.SHARED)) === VmFlag.WRITE;
}

function forEachArea(mm: MmStruct, start: number, end: number, visit: (area: Vma, from: number, to: number) => number): number {
  for (let index = mm.areas.indexFrom(start); ; index++) {
    const area = mm.areas.at(index);
    if (area === undefined || area.start >= end || start >= end) return 0;
    if ((area.flags & VmFlag.PFNMAP) !== 0) continue;
    const result = visit(area, Math.max(start, area.start), Math.min(end, area.end));
    if (result !== 0) return result;
  }
}
