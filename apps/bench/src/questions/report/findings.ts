import { defects, type Scenario, scenarioNamed, scenarios, searchAll, searchAtRandom, shortestOf, storm } from '@rpal/explore';
import { type RaceFix, raceFixes } from '@rpal/rpal-core';

/** What a bounded search of one situation came to. */
export interface Finding {
  readonly scenario: string;
  readonly about: string;
  readonly runs: number;
  /** What went wrong, or null. */
  readonly failure: string | null;
  /** What `rpal-bench replay` takes, or null. */
  readonly recording: string | null;
}

/** A race that a patch closes, with its part left out. */
export interface RaceFinding extends Finding {
  readonly patch: number;
  readonly without: string;
}

/** Random runs for each situation, unless told otherwise: a report is no proof, and is to be had within minutes. */
export const SEARCH_RUNS = 40;
const SHRINK = 40;

function look(scenario: Scenario, options: { repair: 'all' | []; without: RaceFix[] }, runs: number, deviations: number): Finding {
  const searched = deviations > 0 ? searchAll(scenario, options, { runs, deviations }) : searchAtRandom(scenario, options, runs);
  const { what, recording } = shortestOf(searched.failure, { scenario, ...options }, SHRINK);
  return { scenario: scenario.name, about: scenario.about, runs: searched.runs, failure: what, recording };
}

/** Every situation of the explorer, in a bounded number of runs. */
export function everySituation(repair: 'all' | [], runs: number): readonly Finding[] {
  return scenarios.map((scenario) => look(scenario, { repair, without: [] }, runs, 0));
}

/** What is seen in the situation of each single defect, as written, by the defect's name. @param most runs for each */
export function singleDefects(most: number): ReadonlyMap<string, string> {
  const seen = new Map<string, string>();
  for (const defect of defects) {
    const repair = defect.behind === undefined ? [] : [defect.behind];
    const { failure } = searchAll(defect, { repair }, { runs: most });
    if (failure?.failure != null) seen.set(defect.name, failure.failure);
  }
  return seen;
}

/** Where each race is found that a patch closes: situation, runs, deviations (0: at random). */
const RACES: Readonly<Record<RaceFix, readonly [scenario: string, runs: number, deviations: number]>> = {
  15: ['two-senders', 10, 1],
  20: ['kernel-return-against-call', 300, 0],
  24: ['return-interrupted', 400, 1],
  29: ['enable-against-mmap', 300, 2],
  30: ['enable-against-fork', 200, 0],
  34: ['parking-against-wake-up', 300, 2],
};

/** The six races, each with the patch's part left out and everything else repaired. @param most runs for each */
export function races(most: number): readonly RaceFinding[] {
  return Object.entries(RACES).map(([number, [name, runs, deviations]]) => {
    const patch = Number(number) as RaceFix;
    return {
      ...look(scenarioNamed(name), { repair: 'all', without: [patch] }, Math.min(runs, most), deviations),
      patch,
      without: raceFixes[patch],
    };
  });
}

/** Eight services that do everything to each other, as written and repaired. */
export function storms(repair: 'all' | []): { readonly steps: number; readonly words: number; readonly failure: string | null } {
  let steps = 0;
  let words = 0;
  for (let seed = 5; seed <= 8; seed++) {
    const result = storm({ seed, steps: 10_000, deaths: seed % 4, rpal: { repair } });
    steps += result.steps;
    words += result.accepted;
    if (result.failure !== null) return { steps, words, failure: `storm ${seed}: ${result.failure}` };
  }
  return { steps, words, failure: null };
}
