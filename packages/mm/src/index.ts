export { FAULT_RESOLVED, type FaultResult, faultSignal, handleFault, resolveFault, setEntry } from './fault.js';
export { exitMm, forkMm } from './fork.js';
export { KernelHeap } from './kernel-heap.js';
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
export { MemoryManager } from './memory-manager.js';
export { MmStruct } from './mm-struct.js';
export {
  brk,
  changeProtection,
  insertArea,
  MAX_MAP_COUNT,
  type MmapExtra,
  mmap,
  mprotect,
  munmap,
  populateRange,
  unmapRange,
} from './mmap.js';
export { PageFrames } from './page-frames.js';
export { PageTables } from './page-tables.js';
export { MmSeams } from './seams.js';
export { MmStep } from './steps.js';
export { FlushTargets, flushOn, flushRange, hasBit, SINGLE_PAGE_FLUSH_CEILING, setBit, switchMm, TlbState } from './tlb-flush.js';
export { copyFromUser, copyToUser, getUser32, putUser32, putUser64, userPage } from './user-access.js';
export { type MappedObject, protFlags, Vma, VmFlag } from './vma.js';
export { VmaList } from './vma-list.js';
