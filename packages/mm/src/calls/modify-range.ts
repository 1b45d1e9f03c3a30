import type { Cpu } from '@rpal/hw-x86';
import { splitHugeAt } from '../fault/huge-pages.js';
import type { MmStruct } from '../space/mm-struct.js';
import type { Vma } from '../space/vma.js';
import { modifyArea } from '../space/vma-merge.js';

/** As `modifyArea`, and splits the huge pages that now lie in two areas. */
export function modifyRange(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number, flags: number, key: number): Vma | null {
  const part = modifyArea(mm, area, start, end, flags, key);
  // The area may have been cut at its start even if there are then too many to cut it at the end.
  splitHugeAt(cpu, mm, start);
  if (part !== null) splitHugeAt(cpu, mm, end);
  return part;
}
