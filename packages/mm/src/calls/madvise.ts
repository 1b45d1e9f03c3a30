import { type Cpu, FaultCode, PAGE_SIZE } from '@rpal/hw-x86';
import { Errno, Madvise } from '@rpal/uapi';
import { requireWhole } from '../errors.js';
import { collapseRange } from '../fault/collapse.js';
import { MmuGather } from '../fault/mmu-gather.js';
import { populateArea } from '../fault/populate.js';
import { discardPages } from '../fault/zap.js';
import type { MmStruct } from '../space/mm-struct.js';
import { unsigned, wholePages } from '../space/unsigned.js';
import { type Vma, VmFlag } from '../space/vma.js';
import { MmStep } from '../steps.js';
import { modifyRange } from './modify-range.js';

/**
 * madvise(2): DONTNEED, DONTFORK, DOFORK, HUGEPAGE, NOHUGEPAGE, POPULATE_READ, POPULATE_WRITE and COLLAPSE.
 * Holes in the range do not stop it, but make it end with ENOMEM, as in Linux.
 * @returns 0 or a negative errno; EINVAL for other advice
 */
export function madvise(cpu: Cpu, mm: MmStruct, register: number, length: number, advice: number): number {
  requireWhole(register, 'address');
  requireWhole(length, 'length');
  cpu.charge(MmStep.madviseBody);
  const address = unsigned(register);
  const visit = advices[advice | 0];
  if (visit === undefined || register % PAGE_SIZE !== 0) return -Errno.EINVAL;
  const size = wholePages(length);
  const end = unsigned(address + size);
  if ((length !== 0 && size === 0) || end < address) return -Errno.EINVAL;
  const gapsStop = advice === Madvise.POPULATE_READ || advice === Madvise.POPULATE_WRITE;
  let hole = false;
  for (let at = address; at < end; ) {
    const area = mm.areas.at(mm.areas.indexFrom(at));
    if (area === undefined) return -Errno.ENOMEM;
    if (area.start > at) {
      if (gapsStop) return -Errno.ENOMEM;
      hole = true;
      at = area.start;
      if (at >= end) break;
    }
    const stop = Math.min(area.end, end);
    const result = visit(cpu, mm, area, at, stop);
    if (result < 0) return result;
    at = stop;
  }
  return hole ? -Errno.ENOMEM : 0;
}

type Visit = (cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number) => number;

const advices: { readonly [advice: number]: Visit } = {
  [Madvise.DONTNEED]: (cpu, mm, area, start, end) => {
    if ((area.flags & (VmFlag.LOCKED | VmFlag.PFNMAP)) !== 0) return -Errno.EINVAL;
    const gather = new MmuGather(mm);
    discardPages(cpu, mm, area, start, end, gather);
    // A table whose whole range was dropped is given back (since 6.14).
    mm.tables.freeUnused(start, end, start, end, gather);
    gather.finish(cpu);
    return 0;
  },
  [Madvise.DONTFORK]: (cpu, mm, area, start, end) => setFlags(cpu, mm, area, start, end, VmFlag.DONTCOPY, 0),
  [Madvise.DOFORK]: (cpu, mm, area, start, end) => setFlags(cpu, mm, area, start, end, 0, VmFlag.DONTCOPY),
  [Madvise.HUGEPAGE]: (cpu, mm, area, start, end) => setFlags(cpu, mm, area, start, end, VmFlag.HUGEPAGE, VmFlag.NOHUGEPAGE),
  [Madvise.NOHUGEPAGE]: (cpu, mm, area, start, end) => setFlags(cpu, mm, area, start, end, VmFlag.NOHUGEPAGE, VmFlag.HUGEPAGE),
  [Madvise.POPULATE_READ]: (cpu, mm, area, start, end) =>
    (area.flags & VmFlag.READ) === 0 ? -Errno.EINVAL : populateArea(cpu, mm, area, start, end, 0),
  [Madvise.POPULATE_WRITE]: (cpu, mm, area, start, end) =>
    (area.flags & VmFlag.WRITE) === 0 ? -Errno.EINVAL : populateArea(cpu, mm, area, start, end, FaultCode.write),
  [Madvise.COLLAPSE]: collapseRange,
};

function setFlags(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number, set: number, clear: number): number {
  const flags = (area.flags & ~clear) | set;
  if (flags === area.flags) return 0;
  return modifyRange(cpu, mm, area, start, end, flags, area.key) === null ? -Errno.EAGAIN : 0;
}
