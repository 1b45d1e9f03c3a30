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
   * The highest free range of `length` bytes in [low, high), searched from the top down (Linux: `unmapped_area_topdown`).
   * Of a gap that is large enough only the part below the guard of the area behind it counts; Linux then looks no higher
   * than that guard, though it overlooks the guards of areas behind gaps that are too small.
   * @param guard bytes to keep free below an area
   * @returns its start, or -1
   */
  highestGap(length: number, low: number, high: number, guard: (area: Vma) => number): number {
    let limit = high;
    for (let i = this.indexFrom(high); i >= 0; i--) {
      const next = this.#areas[i];
      const bottom = Math.max(low, this.#areas[i - 1]?.end ?? 0);
      const top = Math.min(limit, next?.start ?? limit);
      if (limit - low < length) break;
      if (top - bottom < length) continue;
      if (next === undefined || next.start - guard(next) >= top) return top - length;
      limit = next.start - guard(next);
      // The rest of this gap may still do.
      if (limit - bottom >= length) return limit - length;
    }
    return -1;
  }

  /** The lowest free range of `length` bytes in [low, high), or -1 (Linux: `unmapped_area`). */
  lowestGap(length: number, low: number, high: number, guard: (area: Vma) => number): number {
    for (let i = this.indexFrom(low); i <= this.#areas.length; i++) {
      const next = this.#areas[i];
      const bottom = Math.max(low, this.#areas[i - 1]?.end ?? 0);
      const top = Math.min(high, next?.start ?? high);
      if (bottom + length > high) break;
      if (top - bottom >= length && (next === undefined || next.start - guard(next) >= bottom + length - 1)) return bottom;
    }
    return -1;
  }
}
