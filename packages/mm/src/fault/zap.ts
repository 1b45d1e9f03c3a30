import { type Cpu, entryFrame, PAGE_SIZE } from '@rpal/hw-x86';
import type { MmStruct } from '../space/mm-struct.js';
import type { Vma } from '../space/vma.js';
import { MmStep } from '../steps.js';
import type { PageVisitor } from '../tables/page-tables.js';
import { splitHugeAt, zapHuge } from './huge-pages.js';
import type { MmuGather } from './mmu-gather.js';

/** Clears pages of an area. */
class Zap implements PageVisitor {
  readonly #cpu: Cpu;
  readonly #mm: MmStruct;
  readonly #area: Vma;
  readonly #gather: MmuGather;
  #any = false;

  constructor(cpu: Cpu, mm: MmStruct, area: Vma, gather: MmuGather) {
    this.#cpu = cpu;
    this.#mm = mm;
    this.#area = area;
    this.#gather = gather;
  }

  table(entries: number): void {
    this.#cpu.chargeTimes(MmStep.scanEntry, entries);
  }

  page(address: number, entry: number): void {
    const { memory, frames } = this.#mm.manager;
    const frame = entryFrame(memory.read32(entry), memory.read32(entry + 4));
    memory.write32(entry, 0);
    memory.write32(entry + 4, 0);
    this.#begin();
    // A page that others have, too, is not freed.
    this.#cpu.charge(frames.count(frame) === 1 ? MmStep.zapPage : MmStep.exitPage);
    this.#mm.uncountPage(this.#area, frame);
    frames.put(frame);
    this.#gather.pages(address);
  }

  folded(address: number, entry: number, level: number): boolean {
    this.#begin();
    const cleared = this.#mm.tables.clearFolded(entry, level);
    this.#cpu.chargeTimes(MmStep.zapPage, cleared);
    this.#mm.residentPages -= cleared;
    this.#gather.pages(address, cleared * PAGE_SIZE);
    return true;
  }

  huge(address: number, entry: number): boolean {
    this.#begin();
    this.#cpu.charge(MmStep.zapPage);
    zapHuge(this.#mm, entry);
    this.#gather.hugePage(address);
    return true;
  }

  /** The first page that is taken down begins a batch of those that are freed. */
  #begin(): void {
    if (this.#any) return;
    this.#any = true;
    this.#cpu.charge(MmStep.zapBatch);
  }
}

/** As `Zap`, but tables of level 2 stay. */
class Discard extends Zap {
  override folded(address: number, entry: number, level: number): boolean {
    return level !== 3 && super.folded(address, entry, level);
  }
}

/** Clears the pages of [start, end) of an area (Linux: `unmap_page_range`). @param gather told of them: the flush is the caller's */
export function zapPages(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number, gather: MmuGather): void {
  clear(cpu, mm, start, end, new Zap(cpu, mm, area, gather));
}

/** As `zapPages`, of memory that is dropped but stays mapped (Linux: `zap_page_range_single`). */
export function discardPages(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number, gather: MmuGather): void {
  clear(cpu, mm, start, end, new Discard(cpu, mm, area, gather));
}

function clear(cpu: Cpu, mm: MmStruct, start: number, end: number, zap: Zap): void {
  mm.manager.lru.drain(cpu);
  splitHugeAt(cpu, mm, start);
  splitHugeAt(cpu, mm, end);
  mm.tables.forEachPage(start, end, zap);
}
