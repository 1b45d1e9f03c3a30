import type { Scenario } from '../scenarios/scenario.js';
import { scenarios } from '../scenarios/scenarios.js';
import type { Recording } from './recording.js';
import { type SearchResult, searchAll, searchAtRandom, shortestOf } from './search.js';

/** What the searches of one scenario have come to. @public for searches of your own */
export interface Finding {
  readonly scenario: Scenario;
  readonly exhaustive: SearchResult;
  /** Null if the exhaustive search has found something, or was through. */
  readonly random: SearchResult | null;
  /** What is wrong, in the shortest schedule that was found; null if nothing is. */
  readonly what: string | null;
  /** That schedule, for `rpal-bench replay`. */
  readonly recording: string | null;
}

/** Runs at most, of each kind, for each scenario. @public for searches of your own */
export interface Budget {
  readonly exhaustive: number;
  readonly random: number;
  readonly shrink: number;
}

/** Searches one scenario after the other. Determined by its arguments: it does not read a clock. @public for searches of your own */
export function* survey(
  { repair, without }: Pick<Recording, 'repair' | 'without'>,
  budget: Budget,
  chosen: readonly Scenario[] = scenarios,
): Generator<Finding, void> {
  const options = { repair: repair === 'all' ? repair : [...repair], without: [...without] };
  for (const scenario of chosen) {
    const exhaustive = searchAll(scenario, options, { runs: budget.exhaustive });
    const through = exhaustive.failure !== null || exhaustive.covered === Number.POSITIVE_INFINITY;
    const random = through || budget.random === 0 ? null : searchAtRandom(scenario, options, budget.random);
    const failure = exhaustive.failure ?? random?.failure ?? null;
    const { what, recording } = shortestOf(failure, { scenario, repair, without }, budget.shrink);
    yield { scenario, exhaustive, random, what, recording };
  }
}
