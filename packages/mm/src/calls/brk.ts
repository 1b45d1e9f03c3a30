import { type Cpu, PAGE_SIZE, pageCeil } from '@rpal/hw-x86';
import { requireWhole } from '../errors.js';
import { mayExpand } from '../space/accounting.js';
import type { MmStruct } from '../space/mm-struct.js';
import { guardGap } from '../space/unmapped-area.js';
import { Vma, VmFlag } from '../space/vma.js';
import { extendLeft, MAX_MAP_COUNT } from '../space/vma-merge.js';
import { MmStep } from '../steps.js';
import { unmapRange } from './munmap.js';

const HEAP_FLAGS = VmFlag.READ | VmFlag.WRITE | VmFlag.MAYREAD | VmFlag.MAYWRITE | VmFlag.MAYEXEC | VmFlag.ACCOUNT;

/** brk(2). @returns the end of the heap after the call; unchanged if it could not be moved */
export function brk(cpu: Cpu, mm: MmStruct, address: number): number {
  requireWhole(address, 'address');
  cpu.charge(MmStep.brkCheck);
  if (address < mm.brkStart) return mm.brk;
  const oldEnd = pageCeil(mm.brk);
  if (address - mm.brkStart > mm.limits.data) return mm.brk;
  const newEnd = pageCeil(address);
  const done = newEnd === oldEnd || (address <= mm.brk ? shrink(cpu, mm, newEnd, oldEnd) : grow(cpu, mm, oldEnd, newEnd));
  if (!done) return mm.brk;
  mm.brk = address;
  return address;
}

function shrink(cpu: Cpu, mm: MmStruct, newEnd: number, oldEnd: number): boolean {
  cpu.charge(MmStep.munmapBody);
  // The heap has been unmapped: there is nothing to shrink.
  if (mm.areas.isFree(newEnd, oldEnd)) return false;
  return unmapRange(cpu, mm, newEnd, oldEnd) === 0;
}

/** Linux: `do_brk_flags`, and the checks before it. The page behind the heap stays free. */
function grow(cpu: Cpu, mm: MmStruct, oldEnd: number, newEnd: number): boolean {
  cpu.charge(MmStep.brkBody);
  if (newEnd > mm.layout.taskSize) return false;
  const next = mm.areas.at(mm.areas.indexFrom(oldEnd));
  if (next !== undefined && newEnd + PAGE_SIZE > next.start - guardGap(next)) return false;
  const pages = (newEnd - oldEnd) / PAGE_SIZE;
  if (!mayExpand(mm, HEAP_FLAGS, pages) || mm.areas.size > MAX_MAP_COUNT || !mm.manager.commitment.commit(pages)) return false;
  const key = mm.manager.seams.hooks.mmNewKey.call(0, mm);
  const offset = oldEnd / PAGE_SIZE;
  const range = { start: oldEnd, end: newEnd, flags: HEAP_FLAGS, key, object: null, offset, anonVma: null, source: null };
  if (extendLeft(mm, range) === null) mm.areas.insert(new Vma(oldEnd, newEnd, HEAP_FLAGS, key, null, offset));
  const { memoryMap } = mm.manager.seams.events;
  if (memoryMap.observed) memoryMap.emit(cpu.id, cpu.clock, mm, oldEnd, newEnd);
  return true;
}
