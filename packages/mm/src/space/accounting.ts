import { PAGE_SIZE } from '@rpal/hw-x86';
import type { MmStruct } from './mm-struct.js';
import { VmFlag } from './vma.js';

/** vm.overcommit_memory: 0, 1 and 2. */
export type Overcommit = 'heuristic' | 'always' | 'never';

/**
 * RLIMIT_AS and RLIMIT_DATA: may `mm` map `pages` more with these VM flags (Linux: `may_expand_vm`)? A data limit of 0 limits
 * nothing, as long as it could be raised.
 */
export function mayExpand(mm: MmStruct, flags: number, pages: number): boolean {
  const { addressSpace, data } = mm.limits;
  if (addressSpace !== Number.POSITIVE_INFINITY && mm.totalPages + pages > Math.floor(addressSpace / PAGE_SIZE)) return false;
  if (data === Number.POSITIVE_INFINITY || data === 0 || !isData(flags)) return true;
  return mm.dataPages + pages <= Math.floor(data / PAGE_SIZE);
}

/** Memory that RLIMIT_DATA counts (VmData): private and writable, but for stacks. */
export function isData(flags: number): boolean {
  return (flags & (VmFlag.WRITE | VmFlag.SHARED | VmFlag.GROWSDOWN)) === VmFlag.WRITE;
}

/** RLIMIT_MEMLOCK: may `pages` more with these VM flags be mapped, which are locked if the flags say so (Linux: `mlock_future_ok`)? */
export function mayLock(mm: MmStruct, flags: number, pages: number): boolean {
  const { locked } = mm.limits;
  if ((flags & VmFlag.LOCKED) === 0 || locked === Number.POSITIVE_INFINITY) return true;
  return mm.lockedPages + pages <= Math.floor(locked / PAGE_SIZE);
}

/** Memory that must be there when it is touched: private and writable (Linux: `accountable_mapping`). */
export function accountable(flags: number): boolean {
  return (flags & (VmFlag.NORESERVE | VmFlag.SHARED | VmFlag.WRITE)) === VmFlag.WRITE;
}

/** What the machine has promised its processes (Linux: Committed_AS, vm.overcommit_memory). */
export class Commitment {
  /** Pages promised, whether they have been touched or not. */
  pages = 0;
  readonly policy: Overcommit;
  readonly #totalPages: number;

  /** @param totalPages pages that the machine has */
  constructor(policy: Overcommit, totalPages: number) {
    this.policy = policy;
    this.#totalPages = totalPages;
  }

  /**
   * Commits `pages` (Linux: `security_vm_enough_memory_mm`). @returns false if the machine does not have them: one request
   * beyond all of memory, or, with overcommit off, all requests together beyond half of it
   */
  commit(pages: number): boolean {
    if (this.policy === 'heuristic' && pages > this.#totalPages) return false;
    if (this.policy === 'never' && this.pages + pages > this.#totalPages * COMMIT_RATIO) return false;
    this.pages += pages;
    return true;
  }

  /** Gives committed pages back. */
  uncommit(pages: number): void {
    this.pages -= pages;
  }
}

/** vm.overcommit_ratio, of a machine without swap. */
const COMMIT_RATIO = 0.5;
