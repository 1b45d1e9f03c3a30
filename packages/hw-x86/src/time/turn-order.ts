import type { CoreClock } from './core-clock.js';

/**
 * The processors that take turns, the one furthest behind first, and of those with one clock the one with the lowest id: a
 * binary heap. A clock moves while its processor is in here, and nobody tells: each place of the heap has a clock as it was
 * seen last. Clocks only go forward, so what was seen is never too late, and a first whose clock is as seen is the first.
 *
 * The heap is of ids and clocks, in arrays of numbers: with hundreds of processors at work, the objects of those that are only
 * compared are in no cache of the host.
 */
export class TurnOrder<C extends CoreClock> {
  /** The processors of the machine, by id; they are built after this. */
  readonly #cores: readonly C[];
  readonly #ids: Int32Array;
  /** By place in the heap: the clock, as it was seen last. */
  readonly #seen: Float64Array;
  /** By id: place in the heap; -1 if the processor takes no turns. */
  readonly #places: Int32Array;
  #size = 0;

  /** @param cores by id @param count how many there will be */
  constructor(cores: readonly C[], count: number) {
    this.#cores = cores;
    this.#ids = new Int32Array(count);
    this.#seen = new Float64Array(count);
    this.#places = new Int32Array(count).fill(-1);
  }

  /** How many take turns. */
  get size(): number {
    return this.#size;
  }

  /** Processor `id` takes turns from now on; nothing happens if it does already. */
  add(id: number): void {
    if ((this.#places[id] as number) < 0) this.#rise(id, (this.#cores[id] as C).clock, this.#size++);
  }

  /** Processor `id` takes no more turns; nothing happens if it takes none. */
  remove(id: number): void {
    const at = this.#places[id] as number;
    if (at < 0) return;
    this.#places[id] = -1;
    const end = --this.#size;
    if (at === end) return;
    const last = this.#ids[end] as number;
    const clock = this.#seen[end] as number;
    this.#sink(last, clock, at);
    // It came from another branch, and may be earlier than what was above the removed one.
    if (this.#places[last] === at) this.#rise(last, clock, at);
  }

  /** The one whose turn it is; null if none takes turns. */
  first(): C | null {
    if (this.#size === 0) return null;
    for (;;) {
      const core = this.#cores[this.#ids[0] as number] as C;
      const { clock } = core;
      if (clock === this.#seen[0]) return core;
      this.#sink(core.id, clock, 0);
    }
  }

  /** Clock of the one behind the first, TSC cycles; Infinity if there is none. Call after `first`. */
  secondClock(): number {
    const seen = this.#seen;
    if (this.#size < 2) return Number.POSITIVE_INFINITY;
    for (;;) {
      const at = this.#size > 2 && (seen[2] as number) < (seen[1] as number) ? 2 : 1;
      const id = this.#ids[at] as number;
      const { clock } = this.#cores[id] as C;
      if (clock === seen[at]) return clock;
      this.#sink(id, clock, at);
    }
  }

  /** Puts a processor at `from`, or above where it is earlier. */
  #rise(id: number, clock: number, from: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (this.#isBefore(above, id, clock)) break;
      this.#move(above, at);
      at = above;
    }
    this.#put(id, clock, at);
  }

  /** Puts a processor at `from`, or below where others are earlier. */
  #sink(id: number, clock: number, from: number): void {
    const size = this.#size;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= size) break;
      const right = below + 1;
      if (right < size && this.#isBefore(right, this.#ids[below] as number, this.#seen[below] as number)) below = right;
      if (!this.#isBefore(below, id, clock)) break;
      this.#move(below, at);
      at = below;
    }
    this.#put(id, clock, at);
  }

  /** Whether what is at a place comes before a processor with this id and clock. */
  #isBefore(at: number, id: number, clock: number): boolean {
    const seen = this.#seen[at] as number;
    return seen < clock || (seen === clock && (this.#ids[at] as number) < id);
  }

  #move(from: number, to: number): void {
    this.#put(this.#ids[from] as number, this.#seen[from] as number, to);
  }

  #put(id: number, clock: number, at: number): void {
    this.#ids[at] = id;
    this.#seen[at] = clock;
    this.#places[id] = at;
  }
}
