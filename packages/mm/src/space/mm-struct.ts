import { type AddressSpace, type Cpu, MIB } from '@rpal/hw-x86';
import { PageTables } from '../tables/page-tables.js';
import type { TranslatedSpace } from '../tlb/tlb-state.js';
import { isData } from './accounting.js';
import { type Layout, MMAP_MIN_ADDR } from './layout.js';
import type { MemoryManager } from './memory-manager.js';
import { MmapLock } from './mmap-lock.js';
import { Ranges } from './ranges.js';
import { type Vma, VmFlag } from './vma.js';
import { VmaList } from './vma-list.js';

/** Resource limits that concern memory, bytes; Infinity is RLIM_INFINITY. */
export interface Limits {
  /** RLIMIT_AS. */
  addressSpace: number;
  /** RLIMIT_STACK. */
  stack: number;
  /** RLIMIT_DATA. */
  data: number;
  /** RLIMIT_MEMLOCK; Infinity also for a process with CAP_IPC_LOCK. */
  locked: number;
  /** The lowest address that may be asked for (vm.mmap_min_addr); 0 for a process with CAP_SYS_RAWIO. */
  lowest: number;
}

/** One address space (Linux: `struct mm_struct`). */
export class MmStruct implements AddressSpace, TranslatedSpace {
  readonly contextId: number;
  readonly tables: PageTables;
  readonly areas: VmaList = new VmaList();
  /**
   * Addresses of whole pages that nobody may touch, whatever their area allows (madvise MADV_GUARD_INSTALL). They are not part of areas,
   * which are split and merged as if they were not there. Linux has a marker in the entry of each such page; here no tables are made.
   */
  readonly guards: Ranges = new Ranges();
  readonly manager: MemoryManager;
  readonly mmapLock: MmapLock = new MmapLock();

  layout: Layout;
  brkStart = 0;
  brk = 0;

  tlbGeneration = 1;
  readonly cpuMask: Int32Array;
  nextTrim: number;

  /** Tasks that run in it (Linux: `mm_users`). At 0 the areas go; the object may live on for those who refer to it. */
  users = 1;
  /** True once the areas are gone. */
  dead = false;

  /** Protection keys handed out, one bit each; key 0 always (Linux: `context.pkey_allocation_map`). */
  pkeyMap = 1;

  /** The key of execute-only memory; -1 until there is some (Linux: `context.execute_only_pkey`). */
  executeOnlyKey = -1;

  readonly limits: Limits = {
    addressSpace: Number.POSITIVE_INFINITY,
    stack: 8 * MIB,
    data: Number.POSITIVE_INFINITY,
    locked: Number.POSITIVE_INFINITY,
    lowest: MMAP_MIN_ADDR,
  };

  /** Pages that count as locked though their areas are no longer: mremap with DONTUNMAP leaves them behind so. */
  lockedBehind = 0;

  /** Pages present (VmRSS). */
  residentPages = 0;
  /** Of these, private anonymous ones (RssAnon); the others belong to files (RssFile + RssShmem). */
  anonPages = 0;
  /** Huge pages mapped as such, without the one of zeroes (AnonHugePages, in units of 2 MiB). */
  anonHugePages = 0;
  minorFaults = 0;
  flushesSent = 0;
  flushesReceived = 0;

  constructor(manager: MemoryManager, contextId: number, layout: Layout, cpu: Cpu) {
    this.manager = manager;
    this.contextId = contextId;
    this.layout = layout;
    this.tables = new PageTables(manager.memory, manager.frames, manager.folded, manager.hiddenTopEntryBits, cpu.socket);
    this.nextTrim = cpu.clock + manager.cyclesPerSecond;
    this.cpuMask = new Int32Array(Math.ceil(manager.cpus.length / 32));
  }

  activate(cpu: Cpu): void {
    this.manager.tlb.switchTo(cpu, this);
  }

  enterLazy(cpu: Cpu): void {
    this.manager.tlb.enterLazy(cpu);
  }

  /** A page of `area` has become present. The zero page does not count. */
  countPage(area: Vma, frame: number): void {
    if (frame === this.manager.zeroFrame) return;
    this.residentPages++;
    if (this.#isAnonymous(area, frame)) this.anonPages++;
  }

  /** A page of `area` is no longer present; call it before the frame is given back. */
  uncountPage(area: Vma, frame: number): void {
    if (frame === this.manager.zeroFrame) return;
    this.residentPages--;
    if (this.#isAnonymous(area, frame)) this.anonPages--;
  }

  /** Pages of private memory are the process's own unless they are still those of the file behind it. */
  #isAnonymous(area: Vma, frame: number): boolean {
    return area.object === null || ((area.flags & VmFlag.SHARED) === 0 && !this.manager.frames.ofFile(frame));
  }

  /** Pages mapped (VmSize). */
  get totalPages(): number {
    let pages = 0;
    for (const area of this.areas) pages += area.pages;
    return pages;
  }

  /** Pages of private writable memory, stacks left out (VmData). */
  get dataPages(): number {
    let pages = 0;
    for (const area of this.areas) if (isData(area.flags)) pages += area.pages;
    return pages;
  }

  /** Pages of locked areas (VmLck). */
  get lockedPages(): number {
    let pages = this.lockedBehind;
    for (const area of this.areas) if ((area.flags & VmFlag.LOCKED) !== 0) pages += area.pages;
    return pages;
  }

  /** Bytes of page tables, as Linux accounts them (VmPTE counts all levels but the top one). */
  get pageTableBytes(): number {
    return (this.tables.tables - 1) * 4096;
  }
}
