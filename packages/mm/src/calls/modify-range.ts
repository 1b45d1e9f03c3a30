import type { Cpu } from '@rpal/hw-x86';
import { splitHugeAt } from '../fault/huge-pages.js';
import type { MmStruct } from '../space/mm-struct.js';
import type { Vma } from '../space/vma.js';
import { modifyArea } from '../space/vma-merge.js';
import { MmStep } from '../steps.js';

/** As `modifyArea`, and splits the huge pages that now lie in two areas. */
export function modifyRange(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number, flags: number, key: number): Vma | null {
  const before = mm.areas.size;
  const part = modifyArea(mm, area, start, end, flags, key);
  const more = mm.areas.size - before;
  if (more > 0) cpu.chargeTimes(MmStep.areaSplit, more);
  else if (part !== null && (more < 0 || part !== area)) cpu.charge(MmStep.areaMerge);
  // The area may have been cut at its start even if there are then too many to cut it at the end.
  splitHugeAt(cpu, mm, start);
  if (part !== null) splitHugeAt(cpu, mm, end);
  return part;
}
