interface Range {
  start: number;
  end: number;
}

/** A set of page numbers, as ranges in order. */
export class PageRanges {
  readonly #ranges: Range[] = [];
  /** How many pages are in it. */
  total = 0;

  has(page: number): boolean {
    return this.#ranges.some(({ start, end }) => page >= start && page < end);
  }

  /** How many of the pages `from` to before `to` are in it. */
  count(from: number, to: number): number {
    let count = 0;
    for (const { start, end } of this.#ranges) count += Math.max(0, Math.min(to, end) - Math.max(from, start));
    return count;
  }

  /** Adds pages `from` to before `to`. @returns how many were not in it */
  add(from: number, to: number): number {
    const before = this.total;
    this.remove(from, to);
    let at = this.#ranges.findIndex(({ start }) => start > from);
    if (at < 0) at = this.#ranges.length;
    const previous = this.#ranges[at - 1];
    const next = this.#ranges[at];
    const merged: Range = { start: from, end: to };
    let replaced = 0;
    if (next !== undefined && next.start === to) {
      merged.end = next.end;
      replaced++;
    }
    if (previous !== undefined && previous.end === from) {
      merged.start = previous.start;
      at--;
      replaced++;
    }
    this.#ranges.splice(at, replaced, merged);
    this.total += to - from;
    return this.total - before;
  }

  /** Takes pages `from` to before `to` out. @returns how many were in it */
  remove(from: number, to: number): number {
    let removed = 0;
    for (let i = 0; i < this.#ranges.length; ) {
      const range = this.#ranges[i] as Range;
      const start = Math.max(from, range.start);
      const end = Math.min(to, range.end);
      if (start >= end) {
        i++;
        continue;
      }
      removed += end - start;
      const left: Range[] = [
        { start: range.start, end: start },
        { start: end, end: range.end },
      ].filter((part) => part.start < part.end);
      this.#ranges.splice(i, 1, ...left);
      i += left.length;
    }
    this.total -= removed;
    return removed;
  }
}
