import type { CoreClock } from './core-clock.js';
import { NumberedHeap } from './numbered-heap.js';

/**
 * The processors that take turns, the one furthest behind first, and of those with one clock the one with the lowest id. A clock
 * moves while its processor is in here, and nobody tells: the heap has each clock as it was seen last. Clocks only go forward, so
 * what was seen is never too late, and a first whose clock is as seen is the first.
 */
export class TurnOrder<C extends CoreClock> {
  /** The processors of the machine, by id; they are built after this. */
  readonly #cores: readonly C[];
  readonly #heap: NumberedHeap;

  /** @param cores by id @param count how many there will be */
  constructor(cores: readonly C[], count: number) {
    this.#cores = cores;
    this.#heap = new NumberedHeap(count);
  }

  /** How many take turns. */
  get size(): number {
    return this.#heap.size;
  }

  /** Processor `id` takes turns from now on; nothing happens if it does already. */
  add(id: number): void {
    if (!this.#heap.has(id)) this.#heap.add(id, (this.#cores[id] as C).clock, id);
  }

  /** Processor `id` takes no more turns; nothing happens if it takes none. */
  remove(id: number): void {
    if (this.#heap.has(id)) this.#heap.remove(id);
  }

  /** The one whose turn it is; null if none takes turns. */
  first(): C | null {
    const heap = this.#heap;
    if (heap.size === 0) return null;
    for (;;) {
      const core = this.#cores[heap.item(0)] as C;
      const { clock } = core;
      if (clock === heap.key(0)) return core;
      heap.delay(0, clock);
    }
  }

  /** Clock of the one behind the first, TSC cycles; Infinity if there is none. Call after `first`. */
  secondClock(): number {
    const heap = this.#heap;
    if (heap.size < 2) return Number.POSITIVE_INFINITY;
    for (;;) {
      const at = heap.second();
      const { clock } = this.#cores[heap.item(at)] as C;
      if (clock === heap.key(at)) return clock;
      heap.delay(at, clock);
    }
  }
}
