import { PAGE_SIZE } from '@rpal/hw-x86';
import type { MemoryManager } from './memory-manager.js';
import type { MmStruct } from './mm-struct.js';
import { VmFlag } from './vma.js';

/** vm.overcommit_memory: 0, 1 and 2. */
export type Overcommit = 'heuristic' | 'always' | 'never';

/** RLIMIT_AS: may `mm` map `pages` more (Linux: `may_expand_vm`)? */
export function mayExpand(mm: MmStruct, pages: number): boolean {
  const { addressSpace } = mm.limits;
  return addressSpace === Number.POSITIVE_INFINITY || (mm.totalPages + pages) * PAGE_SIZE <= addressSpace;
}

/** Memory that must be there when it is touched: private and writable (Linux: `accountable_mapping`). */
export function accountable(flags: number): boolean {
  return (flags & (VmFlag.NORESERVE | VmFlag.SHARED | VmFlag.WRITE)) === VmFlag.WRITE;
}

/**
 * Commits `pages` (Linux: `security_vm_enough_memory_mm`). @returns false if the machine does not have them: one request
 * beyond all of memory, or, with overcommit off, all requests together beyond half of it
 */
export function commit(manager: MemoryManager, pages: number): boolean {
  const { overcommit } = manager;
  if (overcommit === 'heuristic' && pages > manager.totalFrames) return false;
  if (overcommit === 'never' && manager.committedPages + pages > manager.totalFrames * COMMIT_RATIO) return false;
  manager.committedPages += pages;
  return true;
}

/** Gives committed pages back. */
export function uncommit(manager: MemoryManager, pages: number): void {
  manager.committedPages -= pages;
}

/** vm.overcommit_ratio, of a machine without swap. */
const COMMIT_RATIO = 0.5;
