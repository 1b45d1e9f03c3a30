import type { Vma } from './vma.js';

/** The areas of an address space, in address order, without overlap. */
export class VmaList {
  readonly #areas: Vma[] = [];
  /** The area last found: faults and copies come in runs. */
  #last: Vma | null = null;

  get size(): number {
    return this.#areas.length;
  }

  [Symbol.iterator](): IterableIterator<Vma> {
    return this.#areas[Symbol.iterator]();
  }

  at(index: number): Vma | undefined {
    return this.#areas[index];
  }

  /** The area that contains `address`. */
  containing(address: number): Vma | null {
    const last = this.#last;
    if (last !== null && address >= last.start && address < last.end) return last;
    const area = this.#areas[this.indexFrom(address)];
    if (area === undefined || address < area.start) return null;
    this.#last = area;
    return area;
  }

  /** Index of the first area that ends above `address`; `size` if none does. */
  indexFrom(address: number): number {
    let low = 0;
    let high = this.#areas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#areas[middle] as Vma).end > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** True if no area touches [start, end). */
  isFree(start: number, end: number): boolean {
    const area = this.#areas[this.indexFrom(start)];
    return area === undefined || area.start >= end;
  }

  /** Adds an area into a free range. */
  insert(area: Vma): void {
    this.#areas.splice(this.indexFrom(area.start), 0, area);
    this.#last = null;
  }

  remove(area: Vma): void {
    this.#areas.splice(this.#areas.indexOf(area, this.indexFrom(area.start)), 1);
    this.#last = null;
  }

  clear(): void {
    this.#areas.length = 0;
    this.#last = null;
  }

  /**
   * The highest free range of `length` bytes in [low, high), searched from the top down (Linux: `vm_unmapped_area` with
   * TOPDOWN). Returns its start, or -1.
   * @param gap bytes to keep free below an area that grows down
   */
  highestGap(length: number, low: number, high: number, gap: (area: Vma) => number): number {
    let top = high;
    for (let i = this.#areas.length - 1; i >= 0; i--) {
      const area = this.#areas[i] as Vma;
      if (area.start - gap(area) >= top) continue;
      if (area.end < low) break;
      if (top - area.end >= length) return top - length;
      top = Math.min(top, area.start - gap(area));
    }
    return top - low >= length ? top - length : -1;
  }

  /** The lowest free range of `length` bytes in [low, high), or -1. */
  lowestGap(length: number, low: number, high: number, gap: (area: Vma) => number): number {
    let bottom = low;
    for (let i = this.indexFrom(low); i < this.#areas.length; i++) {
      const area = this.#areas[i] as Vma;
      if (area.start - gap(area) - bottom >= length && bottom + length <= high) return bottom;
      bottom = Math.max(bottom, area.end);
    }
    return high - bottom >= length ? bottom : -1;
  }
}
