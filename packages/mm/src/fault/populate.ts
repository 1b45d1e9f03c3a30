import { type Cpu, entryHigh, FaultCode, HUGE_PAGE_SIZE, LARGE_PAGE_SIZE, PAGE_SIZE, Pte } from '@rpal/hw-x86';
import { Errno, Signal } from '@rpal/uapi';
import { signalOf } from '../fault-result.js';
import type { MmStruct } from '../space/mm-struct.js';
import { type Vma, VmFlag } from '../space/vma.js';
import { MmStep } from '../steps.js';
import { USER_PAGE } from '../tables/entries.js';
import { FAULT_AROUND_BYTES, pkruDenies, resolveInArea } from './fault.js';
import { MappedFile } from './memory-file.js';

/**
 * Makes the pages of [start, end) present where that is possible: what MAP_POPULATE, MAP_LOCKED and the growth of a
 * locked area do (Linux: `mm_populate`). Errors are passed over.
 */
export function populateRange(cpu: Cpu, mm: MmStruct, start: number, end: number): void {
  forEachArea(mm, start, end, (area, from, to) => {
    populateArea(cpu, mm, area, from, to, accessFor(area));
    return 0;
  });
}

/** As `populateRange`, but ends with the first error: mlock. @returns 0 or a negative errno */
export function populateOrFail(cpu: Cpu, mm: MmStruct, start: number, end: number): number {
  return forEachArea(mm, start, end, (area, from, to) => populateArea(cpu, mm, area, from, to, accessFor(area)));
}

/**
 * Faults pages of one area in, as an access would (Linux: `faultin_page`, FOLL_WRITE and FOLL_FORCE).
 * @param access 0 to read, `FaultCode.write` to write
 * @returns 0, or -EFAULT if an access is not allowed or nothing is behind the page, or -ENOMEM
 */
export function populateArea(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number, access: number): number {
  const write = access !== 0;
  if (!area.accessible || pkruDenies(cpu, mm, area, write)) return -Errno.EFAULT;
  const { memory } = mm.manager;
  for (let page = start; page < end; page += PAGE_SIZE) {
    if (page % LARGE_PAGE_SIZE === 0 && mm.guards.total === 0) {
      const folded = populateFolded(cpu, mm, area, page, end, write);
      if (folded < 0) return folded;
      if (folded > 0) {
        page += folded - PAGE_SIZE;
        continue;
      }
    }
    const huge = mm.tables.findHuge(page);
    const entry = huge >= 0 ? huge : mm.tables.find(page);
    const low = entry < 0 ? 0 : memory.read32(entry);
    if ((low & Pte.present) !== 0 && (!write || (low & Pte.writable) !== 0)) continue;
    const result = resolveInArea(cpu, mm, area, page, access);
    if (result !== 0) return signalOf(result) === Signal.KILL ? -Errno.ENOMEM : -Errno.EFAULT;
  }
  return 0;
}

/**
 * Populates whole tables of a shared file at once, with what page by page would have cost and counted, if all of their
 * pages exist or none does. @returns bytes done; 0 if there is nothing to be done at once here, -ENOMEM without memory
 */
function populateFolded(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number, write: boolean): number {
  const { object } = area;
  const present = mm.tables.foldedFrom(start);
  if (present > 0) return Math.min(present, end - start);
  if (end - start < LARGE_PAGE_SIZE || !(object instanceof MappedFile) || (area.flags & VmFlag.SHARED) === 0) return 0;
  const { file } = object;
  const shift = area.offset - area.start / PAGE_SIZE;
  const first = start / PAGE_SIZE + shift;
  const wanted = start % HUGE_PAGE_SIZE === 0 && end - start >= HUGE_PAGE_SIZE ? HUGE_PAGE_SIZE : LARGE_PAGE_SIZE;
  const presence = file.presence(first, wanted / PAGE_SIZE);
  if (presence === 'some' || (first + wanted / PAGE_SIZE) * PAGE_SIZE > file.size) return 0;
  const writable = (area.flags & VmFlag.WRITE) !== 0;
  const high = entryHigh(0, area.key, (area.flags & VmFlag.EXEC) === 0);
  const bytes = mm.tables.fold(start, start + wanted, { object, shift, low: writable ? USER_PAGE | Pte.writable : USER_PAGE, high });
  if (bytes <= 0) return bytes < 0 ? -Errno.ENOMEM : 0;
  const pages = bytes / PAGE_SIZE;
  if (presence === 'none' && !file.makeBlank(first, pages)) {
    // No memory for the pages: the tables go again.
    mm.tables.forEachPage(start, start + bytes, {
      page: () => {},
      folded: (_, entry, level) => mm.tables.clearFolded(entry, level) > 0,
      huge: () => true,
    });
    return -Errno.ENOMEM;
  }
  // A page that does not exist yet costs a fault of its own, and so does a write; of those that do exist, a read maps sixteen.
  const faults = presence === 'none' || write ? pages : pages / (FAULT_AROUND_BYTES / PAGE_SIZE);
  cpu.chargeTimes(MmStep.faultBody, faults);
  cpu.chargeTimes(MmStep.faultAround, pages - faults);
  if (presence === 'none') {
    cpu.chargeTimes(MmStep.pageAlloc, pages);
    cpu.chargeTimes(MmStep.pageZero, pages - 1);
    cpu.chargeBytes(MmStep.pageZero, bytes);
  }
  mm.minorFaults += faults;
  mm.residentPages += pages;
  return bytes;
}

/** Private memory that may be written is populated by writes: the pages would be copied right afterwards. */
function accessFor(area: Vma): number {
  return (area.flags & (VmFlag.WRITE | VmFlag.SHARED)) === VmFlag.WRITE ? FaultCode.write : 0;
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
