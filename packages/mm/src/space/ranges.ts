interface Range {
  start: number;
  end: number;
}

/** A set of whole numbers, as ranges in order: pages of a file, or addresses of an address space. */
export class Ranges {
  readonly #ranges: Range[] = [];
  /** How many numbers are in it. */
  total = 0;

  /** Is any of `from` to before `to` in it? */
  meets(from: number, to: number): boolean {
    for (const { start, end } of this.#ranges) if (start < to && from < end) return true;
    return false;
  }

  /** How many of `from` to before `to` are in it. */
  count(from: number, to: number): number {
    let count = 0;
    for (const { start, end } of this.#ranges) count += Math.max(0, Math.min(to, end) - Math.max(from, start));
    return count;
  }

  /** Adds `from` to before `to`. */
  add(from: number, to: number): void {
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
  }

  /** Takes `from` to before `to` out. @returns how many were in it */
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

  /** Those of `from` to before `to` are `distance` higher now. */
  move(from: number, to: number, distance: number): void {
    const moved = this.#within(from, to);
    this.remove(from, to);
    for (const { start, end } of moved) this.add(start + distance, end + distance);
  }

  /** Adds those of `from` to before `to` to another set. */
  copyTo(target: Ranges, from: number, to: number): void {
    for (const { start, end } of this.#within(from, to)) target.add(start, end);
  }

  #within(from: number, to: number): Range[] {
    const inside = this.#ranges.filter(({ start, end }) => start < to && from < end);
    return inside.map(({ start, end }) => ({ start: Math.max(start, from), end: Math.min(end, to) }));
  }
}
