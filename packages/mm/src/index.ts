export { mayExpand, type Overcommit } from './accounting.js';
export { brk } from './brk.js';
export type { CollapseLimits } from './collapse.js';
export { setEntry } from './entries.js';
export { MmError, type MmErrorCode } from './errors.js';
export { FAULT_RESOLVED, type FaultResult, faultSignal, handleFault, resolveFault, resolveInArea } from './fault.js';
export { exitMm, forkMm } from './fork.js';
export { HUGE_PAGE_PAGES, type HugePages } from './huge-pages.js';
export { KernelHeap } from './kernel-heap.js';
export { Khugepaged, type KhugepagedOptions } from './khugepaged.js';
export {
  defaultLayout,
  ELF_ET_DYN_BASE,
  type Layout,
  MMAP_MIN_ADDR,
  mmapBaseBelow,
  randomBrk,
  STACK_GUARD_GAP,
  TASK_SIZE,
} from './layout.js';
export { madvise } from './madvise.js';
export { MappedFile, MemoryFile } from './memory-file.js';
export { type FlushEntry, MemoryManager, type MemoryOptions } from './memory-manager.js';
export { mlock, munlock } from './mlock.js';
export { type Limits, MmStruct } from './mm-struct.js';
export { insertArea, type MmapExtra, mmap } from './mmap.js';
export { changeProtection, mprotect } from './mprotect.js';
export { mremap } from './mremap.js';
export { munmap, unmapRange } from './munmap.js';
export { PageFrames } from './page-frames.js';
export { PageTables } from './page-tables.js';
export { pkeyAlloc, pkeyFree } from './pkeys.js';
export { populateRange } from './populate.js';
export { linux615, type ReleaseDifference, type ReleaseRules, releaseDifferences, rulesOf } from './release.js';
export { MmSeams } from './seams.js';
export { MmStep } from './steps.js';
export { FlushTargets, flushOn, flushRange, hasBit, SINGLE_PAGE_FLUSH_CEILING, setBit, switchMm, TlbState } from './tlb-flush.js';
export { copyFromUser, copyToUser, getUser32, putUser32, putUser64, userPage } from './user-access.js';
export { AnonVma, type MappedObject, protFlags, Vma, VmFlag } from './vma.js';
export { VmaList } from './vma-list.js';
export { MAX_MAP_COUNT } from './vma-merge.js';
