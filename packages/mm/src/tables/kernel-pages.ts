import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import { MmStep } from '../steps.js';

/** A cache line of an object of the slab allocator: they are cleared line by line. */
const LINE_SHIFT = 6;
/** Longest object of the slab allocator (KMALLOC_MAX_CACHE_SIZE); what is longer consists of pages. */
const SLAB_MAX = 2 * PAGE_SIZE;

/** What it takes to get `pages` contiguous pages, a power of two, for the kernel's own use: they come cleared (Linux: `alloc_pages`, init_on_alloc). */
export function chargeAllocatedPages(cpu: Cpu, pages: number): void {
  cpu.charge(MmStep.allocPages);
  if (pages > 1) {
    cpu.charge(MmStep.allocCompound);
    cpu.chargeTimes(MmStep.compoundPage, pages - 1);
  }
  for (let i = 0; i < pages; i++) cpu.chargeBytes(MmStep.pageZero, PAGE_SIZE);
}

/** What it takes to give them back (Linux: `__free_pages`). */
export function chargeFreedPages(cpu: Cpu, pages: number): void {
  cpu.charge(MmStep.freePages);
  if (pages === 1) return;
  cpu.charge(MmStep.freeCompound);
  cpu.chargeTimes(MmStep.freeCompoundPage, pages - 1);
}

/**
 * What an object of `bytes`, rounded up as its allocator does, takes beyond one of `counted` bytes, the size at which an allocation was
 * counted: the clearing of its further lines, or pages in place of an object (Linux: `kmalloc`, init_on_alloc).
 */
export function chargeLargerObject(cpu: Cpu, bytes: number, counted: number): void {
  if (bytes > SLAB_MAX) chargeAllocatedPages(cpu, bytes / PAGE_SIZE);
  else if (bytes > counted) cpu.chargeTimes(MmStep.clearLine, (bytes - counted) >> LINE_SHIFT);
}

/** As it is freed. */
export function chargeFreedObject(cpu: Cpu, bytes: number): void {
  if (bytes > SLAB_MAX) chargeFreedPages(cpu, bytes / PAGE_SIZE);
}
