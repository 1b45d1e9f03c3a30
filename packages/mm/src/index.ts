export { brk } from './calls/brk.js';
export { exitMm, forkMm } from './calls/fork.js';
export { madvise } from './calls/madvise.js';
export { mlock, munlock } from './calls/mlock.js';
export { insertArea, type MmapExtra, mmap } from './calls/mmap.js';
export { changeProtection, mprotect } from './calls/mprotect.js';
export { mremap } from './calls/mremap.js';
export { munmap, unmapRange } from './calls/munmap.js';
export { pkeyAlloc, pkeyFree } from './calls/pkeys.js';
export { MmError, type MmErrorCode } from './errors.js';
export type { CollapseLimits } from './fault/collapse.js';
export { FAULT_RESOLVED, type FaultResult, faultSignal, handleFault, resolveFault, resolveInArea } from './fault/fault.js';
export { HUGE_PAGE_PAGES, type HugePages } from './fault/huge-pages.js';
export { Khugepaged, type KhugepagedOptions } from './fault/khugepaged.js';
export { MappedFile, MemoryFile } from './fault/memory-file.js';
export { populateRange } from './fault/populate.js';
export { copyFromUser, copyToUser, getUser32, putUser32, putUser64, userPage } from './fault/user-access.js';
export { type FlushEntry, MemoryManager, type MemoryOptions } from './memory-manager.js';
export { MmSeams } from './seams.js';
export { mayExpand, type Overcommit } from './space/accounting.js';
export {
  defaultLayout,
  ELF_ET_DYN_BASE,
  type Layout,
  MMAP_MIN_ADDR,
  mmapBaseBelow,
  randomBrk,
  STACK_GUARD_GAP,
  TASK_SIZE,
} from './space/layout.js';
export { type Limits, MmStruct } from './space/mm-struct.js';
export { linux615, type ReleaseDifference, type ReleaseRules, releaseDifferences, rulesOf } from './space/release.js';
export { AnonVma, type MappedObject, protFlags, Vma, VmFlag } from './space/vma.js';
export { VmaList } from './space/vma-list.js';
export { MAX_MAP_COUNT } from './space/vma-merge.js';
export { MmStep } from './steps.js';
export { setEntry } from './tables/entries.js';
export { KernelHeap } from './tables/kernel-heap.js';
export { PageFrames } from './tables/page-frames.js';
export { PageTables } from './tables/page-tables.js';
export { FlushTargets, flushOn, flushRange, hasBit, SINGLE_PAGE_FLUSH_CEILING, setBit, switchMm, TlbState } from './tlb/tlb-flush.js';
