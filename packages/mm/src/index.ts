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
export { handleFault, resolveFault, resolveInArea, setEntry } from './fault/fault.js';
export { HUGE_PAGE_PAGES } from './fault/huge-pages.js';
export { Khugepaged, type KhugepagedOptions } from './fault/khugepaged.js';
export { MappedFile, MemoryFile } from './fault/memory-file.js';
export { populateRange } from './fault/populate.js';
export { copyFromUser, copyToUser, getUser32, putUser32, putUser64, userPage } from './fault/user-access.js';
export { FAULT_RESOLVED, type FaultResult, faultSignal, signalCodeOf, signalOf } from './fault-result.js';
export { version } from './package-version.js';
export { Commitment, mayExpand, type Overcommit } from './space/accounting.js';
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
export { type HugePages, MemoryManager, type MemoryOptions } from './space/memory-manager.js';
export { type Limits, MmStruct } from './space/mm-struct.js';
export { linux615, type ReleaseDifference, type ReleaseRules, releaseDifferences, rulesOf } from './space/release.js';
export { MmSeams } from './space/seams.js';
export { AnonVma, type MappedObject, protFlags, Vma, VmFlag } from './space/vma.js';
export { VmaList } from './space/vma-list.js';
export { MAX_MAP_COUNT } from './space/vma-merge.js';
export { MmStep } from './steps.js';
export { USER_PAGE, WRITTEN_PAGE } from './tables/entries.js';
export { KernelHeap } from './tables/kernel-heap.js';
export { PageFrames } from './tables/page-frames.js';
export { PageTables, type PageVisitor } from './tables/page-tables.js';
export type { FlushTargets } from './tlb/flush-targets.js';
export { TlbState, type TranslatedSpace } from './tlb/tlb-state.js';
export { type FlushEntry, SINGLE_PAGE_FLUSH_CEILING, Tlbs } from './tlb/tlbs.js';
