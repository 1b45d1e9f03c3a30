import type { Cpu } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import { MmuGather } from '../fault/mmu-gather.js';
import { discardPages } from '../fault/zap.js';
import { prepareAnonVma } from '../space/anon-vma.js';
import type { MmStruct } from '../space/mm-struct.js';
import { type Vma, VmFlag } from '../space/vma.js';

/** madvise(2) MADV_GUARD_INSTALL in one area: its pages go, and nobody may touch them. @returns 0 or -EINVAL */
export function installGuards(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number): number {
  if ((area.flags & (VmFlag.LOCKED | VmFlag.SPECIAL)) !== 0) return -Errno.EINVAL;
  prepareAnonVma(mm, area);
  const gather = new MmuGather(mm);
  discardPages(cpu, mm, area, start, end, gather);
  gather.finish(cpu);
  mm.guards.add(start, end);
  return 0;
}

/** MADV_GUARD_REMOVE in one area. @returns 0 or -EINVAL */
export function removeGuards(_cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number): number {
  if ((area.flags & VmFlag.SPECIAL) !== 0) return -Errno.EINVAL;
  mm.guards.remove(start, end);
  return 0;
}
