import type { AddressSpace, Cpu } from '@rpal/hw-x86';
import type { Layout } from './layout.js';
import type { MemoryManager } from './memory-manager.js';
import { PageTables } from './page-tables.js';
import { switchMm } from './tlb-flush.js';
import { VmaList } from './vma-list.js';

/** One address space (Linux: `struct mm_struct`). */
export class MmStruct implements AddressSpace {
  /** Unique for ever; names the address space in per-CPU translation state (Linux: `context.ctx_id`). */
  readonly contextId: number;
  readonly tables: PageTables;
  readonly areas: VmaList = new VmaList();
  readonly manager: MemoryManager;

  layout: Layout;
  brkStart = 0;
  brk = 0;

  /** Counts changes that translations must follow; a CPU that has seen less must flush (Linux: `context.tlb_gen`). */
  tlbGeneration = 1;
  /** CPUs that may hold translations, as bits, 32 to a word (Linux: `mm_cpumask`). */
  readonly cpuMask: Int32Array;

  /** Tasks that run in it (Linux: `mm_users`). At 0 the areas go; the object may live on for those who refer to it. */
  users = 1;
  /** True once the areas are gone. */
  dead = false;

  /** Protection keys handed out, one bit each; key 0 always (Linux: `context.pkey_allocation_map`). */
  pkeyMap = 1;

  /** Pages present (RSS). */
  residentPages = 0;
  minorFaults = 0;

  constructor(manager: MemoryManager, contextId: number, layout: Layout, node: number) {
    this.manager = manager;
    this.contextId = contextId;
    this.layout = layout;
    this.tables = new PageTables(manager.memory, manager.frames, manager.hiddenTopEntryBits, node);
    this.cpuMask = new Int32Array(Math.ceil(manager.cpus.length / 32));
  }

  activate(cpu: Cpu): void {
    switchMm(this.manager, cpu, this);
  }

  enterLazy(cpu: Cpu): void {
    this.manager.tlbState(cpu).lazy = true;
  }

  /** Pages mapped (VSZ). */
  get totalPages(): number {
    let pages = 0;
    for (const area of this.areas) pages += area.pages;
    return pages;
  }

  /** Bytes of page tables, as Linux accounts them (VmPTE counts all levels but the top one). */
  get pageTableBytes(): number {
    return (this.tables.tables - 1) * 4096;
  }
}
