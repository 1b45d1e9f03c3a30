import { type Cpu, LARGE_PAGE_SIZE } from '@rpal/hw-x86';
import { MmError } from '../errors.js';
import type { MemoryManager } from '../space/memory-manager.js';
import type { MmStruct } from '../space/mm-struct.js';
import { type Vma, VmFlag } from '../space/vma.js';
import { Collapse, type CollapseLimits, collapse, mayCollapse } from './collapse.js';
import { HUGE_PAGE_PAGES } from './huge-pages.js';

/** /sys/kernel/mm/transparent_hugepage/khugepaged. @public for machines with the daemon */
export interface KhugepagedOptions extends Partial<CollapseLimits> {
  /** Pages that one round looks at; 4,096 if absent. */
  readonly pagesToScan?: number;
}

/**
 * What the kernel thread of this name does between two sleeps of ten seconds: it goes through the memory of all processes that may have
 * huge pages, and makes huge pages of small ones. There is no thread here: call `scan` to have its work done.
 * @public for machines with the daemon
 */
export class Khugepaged {
  /** Huge pages made. */
  pagesCollapsed = 0;
  /** How many times it has been through all processes. */
  fullScans = 0;
  readonly #manager: Pick<MemoryManager, 'hugePages' | 'addressSpaces'>;
  readonly #pagesToScan: number;
  readonly #limits: CollapseLimits;
  /** Where it goes on: the address space, and the address in it. */
  #mm: MmStruct | null = null;
  #address = 0;

  /** @throws MmError INVALID_ARGUMENT for an option that is not a whole number in its range */
  constructor(manager: Pick<MemoryManager, 'hugePages' | 'addressSpaces'>, options: KhugepagedOptions = {}) {
    const { pagesToScan = 8 * HUGE_PAGE_PAGES, maxPtesNone = HUGE_PAGE_PAGES - 1, maxPtesShared = HUGE_PAGE_PAGES / 2 } = options;
    requireWithin(pagesToScan, 'pagesToScan', 1, 2 ** 31);
    requireWithin(maxPtesNone, 'maxPtesNone', 0, HUGE_PAGE_PAGES - 1);
    requireWithin(maxPtesShared, 'maxPtesShared', 0, HUGE_PAGE_PAGES - 1);
    this.#manager = manager;
    this.#pagesToScan = pagesToScan;
    this.#limits = { maxPtesNone, maxPtesShared };
  }

  /** One round on `cpu`, which is charged for it (Linux: `khugepaged_do_scan`). @returns huge pages made */
  scan(cpu: Cpu): number {
    const before = this.pagesCollapsed;
    if (this.#manager.hugePages === 'never') return 0;
    for (let progress = 0, passes = 0; progress < this.#pagesToScan; ) {
      if (this.#mm === null || this.#mm.dead) {
        // Once around at most.
        if (this.#mm === null && ++passes > 1) break;
        this.#mm = this.#following(this.#mm);
        this.#address = 0;
        if (this.#mm === null) continue;
      }
      progress += this.#scanMm(cpu, this.#mm, this.#pagesToScan - progress);
    }
    return this.pagesCollapsed - before;
  }

  /** Continues in one address space (Linux: `khugepaged_scan_mm_slot`). @returns pages looked at; areas passed over count as one */
  #scanMm(cpu: Cpu, mm: MmStruct, most: number): number {
    let progress = 0;
    for (let index = mm.areas.indexFrom(this.#address); ; index++) {
      const area = mm.areas.at(index);
      if (area === undefined) break;
      if (!this.#wanted(area)) {
        progress++;
        continue;
      }
      const end = area.end - (area.end % LARGE_PAGE_SIZE);
      this.#address = Math.max(this.#address, Math.ceil(area.start / LARGE_PAGE_SIZE) * LARGE_PAGE_SIZE);
      for (; this.#address < end; this.#address += LARGE_PAGE_SIZE) {
        if (progress >= most) return progress;
        if (collapse(cpu, mm, area, this.#address, this.#limits) === Collapse.SUCCEED) this.pagesCollapsed++;
        progress += HUGE_PAGE_PAGES;
      }
    }
    this.#mm = this.#following(mm);
    this.#address = 0;
    if (this.#mm === null) this.fullScans++;
    return progress;
  }

  #wanted(area: Vma): boolean {
    return mayCollapse(area) && (this.#manager.hugePages === 'always' || (area.flags & VmFlag.HUGEPAGE) !== 0);
  }

  /** The address space after `mm` in the order of their creation, or the first; null at the end. */
  #following(mm: MmStruct | null): MmStruct | null {
    for (const other of this.#manager.addressSpaces) if (mm === null || other.contextId > mm.contextId) return other;
    return null;
  }
}

function requireWithin(value: number, name: string, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new MmError('INVALID_ARGUMENT', `${name}: ${value} is not a whole number from ${least} to ${most}`);
}
