import { entryHigh, entryLow, Pte } from '@rpal/hw-x86';
import type { MmStruct } from '../space/mm-struct.js';
import { type Vma, VmFlag } from '../space/vma.js';

/** Writes a level-1 entry with the rights and the key of its area. */
export function setEntry(mm: MmStruct, area: Vma, entry: number, frame: number, writable: boolean, dirty: boolean): void {
  const { memory } = mm.manager;
  memory.write32(entry + 4, entryHigh(frame, area.key, (area.flags & VmFlag.EXEC) === 0));
  memory.write32(entry, entryLow(frame, entryFlags(writable, dirty)));
}

/** Flags of the entry of a page that a user may reach. */
export function entryFlags(writable: boolean, dirty: boolean): number {
  return Pte.present | Pte.user | Pte.accessed | (writable ? Pte.writable : 0) | (dirty ? Pte.dirty : 0);
}
