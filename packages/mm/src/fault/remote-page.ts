import { type Cpu, entryFrame, FaultCode, LARGE_PAGE_SIZE, PAGE_MASK, PAGE_SIZE, Pte, pageFloor } from '@rpal/hw-x86';
import { FAULT_RESOLVED } from '../fault-result.js';
import type { MmStruct } from '../space/mm-struct.js';
import { VmFlag } from '../space/vma.js';
import { resolveInArea } from './fault.js';

/**
 * Physical address behind an address of another process, whose keys do not bind; a page that is not there yet is made (Linux:
 * `get_user_pages_remote`). The caller charges for finding it.
 * @returns -1: there is no such page, or its area does not allow the access
 */
export function remotePage(cpu: Cpu, mm: MmStruct, address: number, write: boolean): number {
  const area = mm.areas.containing(address);
  if (area === null || (area.flags & (write ? VmFlag.WRITE : VmFlag.READ)) === 0) return -1;
  const { memory } = mm.manager;
  for (;;) {
    const huge = mm.tables.findHuge(address);
    const entry = huge >= 0 ? huge : mm.tables.find(pageFloor(address));
    const low = entry < 0 ? 0 : memory.read32(entry);
    const usable = (low & Pte.present) !== 0 && (!write || (low & Pte.writable) !== 0);
    if (usable) {
      return entryFrame(low, memory.read32(entry + 4)) * PAGE_SIZE + (address & (huge >= 0 ? LARGE_PAGE_SIZE - 1 : PAGE_MASK));
    }
    const code = FaultCode.user | (write ? FaultCode.write : 0) | ((low & Pte.present) !== 0 ? FaultCode.present : 0);
    if (resolveInArea(cpu, mm, area, address, code) !== FAULT_RESOLVED) return -1;
  }
}
