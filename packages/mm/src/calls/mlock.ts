import { type Cpu, PAGE_SIZE, pageFloor } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import { requireWhole } from '../errors.js';
import { populateOrFail } from '../fault/populate.js';
import type { MmStruct } from '../space/mm-struct.js';
import { unsigned, wholePages } from '../space/unsigned.js';
import { VmFlag } from '../space/vma.js';
import { MmStep } from '../steps.js';
import { modifyRange } from './modify-range.js';

/** mlock(2): marks areas and makes their pages present. @returns 0 or a negative errno */
export function mlock(cpu: Cpu, mm: MmStruct, address: number, length: number): number {
  requireWhole(address, 'address');
  requireWhole(length, 'length');
  const marked = lockRange(cpu, mm, address, length, VmFlag.LOCKED);
  if (marked < 0) return marked;
  const start = pageFloor(address);
  const result = populateOrFail(cpu, mm, start, start + wholePages(length + (address - start)));
  // Linux: __mlock_posix_error_return.
  return result === -Errno.EFAULT ? -Errno.ENOMEM : result === -Errno.ENOMEM ? -Errno.EAGAIN : result;
}

/** munlock(2). @returns 0 or a negative errno */
export function munlock(cpu: Cpu, mm: MmStruct, address: number, length: number): number {
  requireWhole(address, 'address');
  requireWhole(length, 'length');
  const start = pageFloor(address);
  return setLocked(cpu, mm, start, wholePages(length + (address - start)), 0);
}

/** Marks a range as locked, without making it present. @param locked `VmFlag.LOCKED` and others @returns 0 or a negative errno */
export function lockRange(cpu: Cpu, mm: MmStruct, address: number, length: number, locked: number): number {
  const start = pageFloor(address);
  const size = wholePages(length + (address - start));
  if (mm.limits.locked === 0) return -Errno.EPERM;
  if (!withinLimit(mm, start, start + size)) return -Errno.ENOMEM;
  return setLocked(cpu, mm, start, size, locked);
}

/** Linux: `apply_vma_lock_flags`. @param locked `VmFlag.LOCKED` and others, or 0 */
function setLocked(cpu: Cpu, mm: MmStruct, register: number, size: number, locked: number): number {
  cpu.charge(MmStep.mlockBody);
  const start = unsigned(register);
  const end = unsigned(start + size);
  if (end < start) return -Errno.EINVAL;
  for (let at = start; at < end; ) {
    const area = mm.areas.containing(at);
    if (area === null) return -Errno.ENOMEM;
    const stop = Math.min(area.end, end);
    const flags = (area.flags & ~VmFlag.LOCKED) | locked;
    const unchanged = flags === area.flags || (area.flags & VmFlag.SPECIAL) !== 0;
    if (!unchanged && modifyRange(cpu, mm, area, at, stop, flags, area.key) === null) return -Errno.ENOMEM;
    at = stop;
  }
  return 0;
}

/** RLIMIT_MEMLOCK: may [start, end) be locked? What of it is locked already counts once. */
function withinLimit(mm: MmStruct, start: number, end: number): boolean {
  const { locked } = mm.limits;
  if (locked === Number.POSITIVE_INFINITY) return true;
  const limit = Math.floor(locked / PAGE_SIZE);
  let pages = mm.lockedPages + (end - start) / PAGE_SIZE;
  if (pages <= limit) return true;
  for (const area of mm.areas) {
    if ((area.flags & VmFlag.LOCKED) === 0 || area.end <= start || area.start >= end) continue;
    pages -= (Math.min(area.end, end) - Math.max(area.start, start)) / PAGE_SIZE;
  }
  return pages <= limit;
}
