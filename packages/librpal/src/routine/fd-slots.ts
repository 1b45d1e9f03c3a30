import { type Cpu, Touch } from '@rpal/hw-x86';
import { FDS_PER_NODE, FdNode, FdSlot } from '../layouts.js';
import { reach } from './lib-call.js';

/** The table has no node for the descriptor. */
export const NO_SLOT = -1;
/** A node of the table could not be read. */
export const FAULTED = -2;

/** Address of the slot of `fd` in the table whose first node is at `table`; or NO_SLOT, or FAULTED. */
export function slotAddress(cpu: Cpu, table: number, fd: number): number {
  if (fd < FDS_PER_NODE) return fd < 0 ? NO_SLOT : table + fd * FdSlot.size;
  let node = table;
  for (let left = fd; ; left -= FDS_PER_NODE) {
    if (left < FDS_PER_NODE) return node + left * FdSlot.size;
    const next = reach(cpu, node + FdNode.next, Touch.LOAD);
    if (next < 0) return FAULTED;
    node = cpu.memory.read64(next);
    if (node === 0) return NO_SLOT;
  }
}
