import type { CoreClock } from './core-clock.js';

/**
 * The processors that take turns, the one furthest behind first, and of those with one clock the one with the lowest id: a
 * binary heap. A clock moves while its processor is in here, and nobody tells: each place of the heap has a clock as it was
 * seen last. Clocks only go forward, so what was seen is never too late, and a first whose clock is as seen is the first.
 */
export class TurnOrder<C extends CoreClock> {
  readonly #heap: C[] = [];
  /** By place in the heap: the clock, as it was seen last. */
  readonly #seen: Float64Array;
  /** By id: place in the heap; -1 if the processor takes no turns. */
  readonly #places: Int32Array;

  /** @param count processors of the machine; their ids are below */
  constructor(count: number) {
    this.#seen = new Float64Array(count);
    this.#places = new Int32Array(count).fill(-1);
  }

  /** How many take turns. */
  get size(): number {
    return this.#heap.length;
  }

  /** `core` takes turns from now on; nothing happens if it does already. */
  add(core: C): void {
    if ((this.#places[core.id] as number) >= 0) return;
    this.#heap.push(core);
    this.#rise(core, core.clock, this.#heap.length - 1);
  }

  /** `core` takes no more turns; nothing happens if it takes none. */
  remove(core: C): void {
    const at = this.#places[core.id] as number;
    if (at < 0) return;
    this.#places[core.id] = -1;
    const last = this.#heap.pop() as C;
    if (last === core) return;
    // It is as early as what was under the removed one, or anywhere in another branch.
    this.#sink(last, this.#seen[this.#heap.length] as number, at);
    const stays = this.#places[last.id] as number;
    if (stays === at) this.#rise(last, this.#seen[at] as number, at);
  }

  /** The one whose turn it is; null if none takes turns. */
  first(): C | null {
    const heap = this.#heap;
    if (heap.length === 0) return null;
    for (;;) {
      const core = heap[0] as C;
      const { clock } = core;
      if (clock === this.#seen[0]) return core;
      this.#sink(core, clock, 0);
    }
  }

  /** Clock of the one behind the first, TSC cycles; Infinity if there is none. Call after `first`. */
  secondClock(): number {
    const heap = this.#heap;
    const seen = this.#seen;
    if (heap.length < 2) return Number.POSITIVE_INFINITY;
    for (;;) {
      const at = heap.length > 2 && (seen[2] as number) < (seen[1] as number) ? 2 : 1;
      const core = heap[at] as C;
      const { clock } = core;
      if (clock === seen[at]) return clock;
      this.#sink(core, clock, at);
    }
  }

  #put(core: C, clock: number, at: number): void {
    this.#heap[at] = core;
    this.#seen[at] = clock;
    this.#places[core.id] = at;
  }

  #isBefore(at: number, core: C, clock: number): boolean {
    const seen = this.#seen[at] as number;
    return seen < clock || (seen === clock && (this.#heap[at] as C).id < core.id);
  }

  /** Puts `core` at `from`, or above where it is earlier. */
  #rise(core: C, clock: number, from: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (this.#isBefore(above, core, clock)) break;
      this.#put(this.#heap[above] as C, this.#seen[above] as number, at);
      at = above;
    }
    this.#put(core, clock, at);
  }

  /** Puts `core` at `from`, or below where others are earlier. */
  #sink(core: C, clock: number, from: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      const right = below + 1;
      if (right < heap.length && this.#isBefore(right, heap[below] as C, this.#seen[below] as number)) below = right;
      if (!this.#isBefore(below, core, clock)) break;
      this.#put(heap[below] as C, this.#seen[below] as number, at);
      at = below;
    }
    this.#put(core, clock, at);
  }
}
