/** A range of whole pages: addresses. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Pages of an address space that must not be touched (madvise MADV_GUARD_INSTALL): whoever does gets SIGSEGV, whatever their area allows.
 * They belong to addresses, not to areas: areas around them are split and merged as if they were not there. Linux has a marker in the
 * entry of each such page; here they are ranges, and no tables are made for them.
 */
export class GuardRegions {
  /** In order, with something between them. */
  #ranges: Range[] = [];

  /** There are some. */
  get any(): boolean {
    return this.#ranges.length > 0;
  }

  /** Is a page of [start, end) guarded? */
  meets(start: number, end: number): boolean {
    return this.#ranges.some((range) => range.start < end && start < range.end);
  }

  add(start: number, end: number): void {
    const touching = this.#ranges.filter((range) => range.start <= end && start <= range.end);
    const joined = {
      start: Math.min(start, ...touching.map((range) => range.start)),
      end: Math.max(end, ...touching.map((range) => range.end)),
    };
    this.#ranges = [...this.#ranges.filter((range) => !touching.includes(range)), joined].sort((a, b) => a.start - b.start);
  }

  remove(start: number, end: number): void {
    if (!this.meets(start, end)) return;
    this.#ranges = this.#ranges.flatMap((range) =>
      [
        { start: range.start, end: Math.min(range.end, start) },
        { start: Math.max(range.start, end), end: range.end },
      ].filter((rest) => rest.start < rest.end),
    );
  }

  /** Those of [from, from + size) are `distance` higher now. */
  move(from: number, size: number, distance: number): void {
    const moved = this.#within(from, from + size);
    this.remove(from, from + size);
    for (const { start, end } of moved) this.add(start + distance, end + distance);
  }

  /** Another address space takes over those in [start, end). @param target its own, if it has any @returns what it has now */
  copyTo(target: GuardRegions | null, start: number, end: number): GuardRegions {
    const copy = target ?? new GuardRegions();
    for (const range of this.#within(start, end)) copy.add(range.start, range.end);
    return copy;
  }

  #within(start: number, end: number): Range[] {
    const inside = this.#ranges.filter((range) => range.start < end && start < range.end);
    return inside.map((range) => ({ start: Math.max(range.start, start), end: Math.min(range.end, end) }));
  }
}
