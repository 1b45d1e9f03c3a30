import { Rng } from '@rpal/hw-x86';
import { PATIENCE } from './choice.js';
import type { Deviation, Run, Strategy } from './run.js';

/** Follows a schedule; where it does not fit, or ends, the usual order. @public for searches of your own */
export class Replay implements Strategy {
  readonly #schedule: readonly number[];

  constructor(schedule: readonly number[]) {
    this.#schedule = schedule;
  }

  choose(enabled: readonly number[], usual: number, run: Run): number {
    const wanted = this.#schedule[run.schedule.length];
    return wanted !== undefined && enabled.includes(wanted) ? wanted : usual;
  }
}

/** Leaves the usual order at a few given places only. What shrinking works on, and what a recording holds. @public for searches of your own */
export class Deviations implements Strategy {
  readonly #at: ReadonlyMap<number, number>;

  constructor(deviations: readonly Deviation[]) {
    this.#at = new Map(deviations);
  }

  choose(enabled: readonly number[], usual: number, run: Run): number {
    const wanted = this.#at.get(run.schedule.length);
    return wanted !== undefined && enabled.includes(wanted) ? wanted : usual;
  }
}

/** Any choice at any time, with a bias to go on. @public for searches of your own */
export class RandomWalk implements Strategy {
  readonly #rng: Rng;
  readonly #stay: number;

  /** @param stay of a hundred choices, how many follow the usual order */
  constructor(seed: number, stay = 80) {
    this.#rng = new Rng(seed);
    this.#stay = stay;
  }

  choose(enabled: readonly number[], usual: number): number {
    if (this.#rng.below(100) < this.#stay) return usual;
    return enabled[this.#rng.below(enabled.length)] as number;
  }
}

/**
 * Probabilistic concurrency testing (Burckhardt and others, ASPLOS 2010): every CPU has a random priority, the highest
 * that can go on does, and at a few random moments the one that goes on falls behind all others. Finds a bug that needs d
 * ordered events with probability at least 1 / (n k^(d-1)). Ticks and NMIs come at random moments of the same kind.
 */
export class PriorityWalk implements Strategy {
  readonly #priority: number[];
  readonly #changes: Set<number> = new Set();
  readonly #injections: Set<number> = new Set();
  readonly #rng: Rng;
  readonly #cpus: number;
  #lowest = 0;
  #last = -1;
  #lastFor = 0;

  /**
   * @param length how many choices a run is expected to have
   * @param depth number of changes of priority
   */
  constructor(seed: number, cpus: number, length: number, depth: number, injections: number) {
    this.#rng = new Rng(seed);
    this.#cpus = cpus;
    this.#priority = Array.from({ length: cpus + 1 }, () => 1 + this.#rng.below(1_000_000));
    // The events of the machine mostly come at their time.
    if (this.#rng.below(3) !== 0) this.#priority[cpus] = 2_000_000;
    for (let i = 0; i < depth; i++) this.#changes.add(this.#rng.below(length));
    for (let i = 0; i < injections; i++) this.#injections.add(this.#rng.below(length));
  }

  choose(enabled: readonly number[], _usual: number, run: Run): number {
    const at = run.schedule.length;
    if (this.#injections.has(at)) {
      const extra = enabled.filter((choice) => choice > this.#cpus);
      if (extra.length > 0) return extra[this.#rng.below(extra.length)] as number;
    }
    let best = this.#best(enabled);
    if (this.#changes.has(at)) {
      this.#changes.delete(at);
      this.#priority[best] = --this.#lowest;
      best = this.#best(enabled);
    }
    // A CPU that spins would wait forever for one of lower priority.
    this.#lastFor = best === this.#last ? this.#lastFor + 1 : 0;
    this.#last = best;
    if (this.#lastFor > PATIENCE && enabled.length > 1) {
      this.#priority[best] = --this.#lowest;
      this.#lastFor = 0;
    }
    return best;
  }

  #best(enabled: readonly number[]): number {
    let best = enabled[0] as number;
    for (const choice of enabled) {
      if (choice <= this.#cpus && (this.#priority[choice] as number) > (this.#priority[best] ?? Number.NEGATIVE_INFINITY)) best = choice;
    }
    return best;
  }
}
