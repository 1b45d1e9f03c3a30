import { type Cpu, LARGE_PAGE_SIZE, PAGE_SIZE } from '@rpal/hw-x86';
import type { MmStruct } from '../space/mm-struct.js';
import type { TableGather } from '../tables/page-tables.js';

/**
 * What a call has cleared or changed, for one flush at its end: of the range from the first to the last of it, whatever lies
 * between (Linux: `struct mmu_gather`).
 */
export class MmuGather implements TableGather {
  readonly #mm: MmStruct;
  #start = Number.POSITIVE_INFINITY;
  #end = 0;
  #pages = false;
  #freedTables = false;

  constructor(mm: MmStruct) {
    this.#mm = mm;
  }

  /** Pages of 4 KiB from `address` on. */
  pages(address: number, bytes: number = PAGE_SIZE): void {
    this.#pages = true;
    this.#extend(address, bytes);
  }

  hugePage(address: number): void {
    this.#extend(address, LARGE_PAGE_SIZE);
  }

  /** A page table for addresses from `address` on: the first of its pages stands for it (Linux: `pte_free_tlb`). */
  table(address: number): void {
    this.#freedTables = true;
    this.#extend(address, PAGE_SIZE);
  }

  #extend(address: number, bytes: number): void {
    this.#start = Math.min(this.#start, address);
    this.#end = Math.max(this.#end, address + bytes);
  }

  /** Flushes what has been gathered, if anything (Linux: `tlb_finish_mmu`). */
  finish(cpu: Cpu): void {
    if (this.#end === 0) return;
    const stride = this.#pages ? PAGE_SIZE : LARGE_PAGE_SIZE;
    this.#mm.manager.tlb.flushChanged(cpu, this.#mm, this.#start, this.#end, stride, this.#freedTables);
  }
}
