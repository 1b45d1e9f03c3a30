import type { RaceFix, RpalOptions } from '@rpal/rpal-core';
import { raceFixes } from '@rpal/rpal-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeSchedule,
  encodeSchedule,
  Replay,
  Run,
  type Scenario,
  type SearchResult,
  scenarioNamed,
  scenarios,
  searchAll,
  searchAtRandom,
  shrink,
} from '../src/index.js';

const repaired = (without: RaceFix[] = []): RpalOptions => ({ repair: 'all', without });

type Search = (scenario: Scenario, options: RpalOptions) => SearchResult;
const within =
  (runs: number, deviations: number): Search =>
  (scenario, options) =>
    searchAll(scenario, options, { runs, deviations });
const atRandom =
  (runs: number): Search =>
  (scenario, options) =>
    searchAtRandom(scenario, options, runs);
/** Found only after hundreds of runs: looked for if RPAL_EXPLORE_LONG is set. */
const LONG: readonly RaceFix[] = [34];
const wanted = process.env.RPAL_EXPLORE_LONG !== undefined;

/** Each race that a patch of the series closes, the scenario in which it shows, and how it is looked for. */
const races: readonly (readonly [patch: RaceFix, scenario: string, search: Search, symptom: RegExp])[] = [
  [15, 'two-senders', within(10, 1), /in WAIT, but its task is in state/],
  [20, 'kernel-return-against-call', atRandom(300), /not locked to a CPU/],
  [24, 'return-interrupted', within(400, 1), /in WAIT, and CPU 0 executes its code/],
  [29, 'enable-against-mmap', within(300, 2), /killed by signal 11, code 4/],
  [30, 'enable-against-fork', atRandom(200), /killed by signal 11, code 4/],
  [34, 'parking-against-wake-up', within(2000, 2), /in WAIT, but a CPU is on its kernel stack/],
];

describe('the races that patches of the series close', () => {
  it('are all looked for', () => expect(races.map(([patch]) => patch)).toEqual(Object.keys(raceFixes).map(Number)));

  it.each(races.filter(([patch]) => wanted || !LONG.includes(patch)))(
    'patch %i left out, %s: found, shrunk, and found again by the schedule',
    { timeout: 300_000 },
    (patch, name, search, symptom) => {
      const scenario = scenarioNamed(name);
      const { failure } = search(scenario, repaired([patch]));
      expect(failure?.failure).toMatch(symptom);
      if (failure === null) return;
      const shortest = shrink(scenario, repaired([patch]), failure, 60);
      expect(shortest.failure).not.toBeNull();
      expect(shortest.deviations).toBeLessThanOrEqual(failure.deviations);
      const text = encodeSchedule(shortest.schedule);
      expect(new Run(scenario, repaired([patch])).execute(new Replay(decodeSchedule(text))).failure).toBe(shortest.failure);
      // With the patch there, the schedule that broke the series without it does no harm.
      expect(new Run(scenario, repaired()).execute(new Replay(decodeSchedule(text))).failure).toBeNull();
    },
  );
});

describe('the series with everything repaired', () => {
  it.each(scenarios)('$name: nothing is found in a few random runs', (scenario) => {
    expect(searchAtRandom(scenario, repaired(), 12, 1000).failure?.failure ?? null).toBeNull();
  });

  it('an interrupted return: nothing is found in all interleavings with one deviation', () => {
    const { failure, complete } = searchAll(scenarioNamed('return-interrupted'), repaired(), { runs: 200, deviations: 1 });
    expect(failure).toBeNull();
    expect(complete).toBe(true);
  });
});

describe('schedules', () => {
  it('as text are what they were', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 })), (schedule) => {
        expect(decodeSchedule(encodeSchedule(schedule))).toEqual(schedule);
      }),
    );
  });

  it('that are none are refused', () => {
    expect(() => decodeSchedule('1*0')).toThrow(/"1\*0"/);
    expect(() => decodeSchedule('1..2')).toThrow(RangeError);
  });

  it('determine the run', () => {
    const scenario = scenarioNamed('call-with-syscall');
    const run = () => {
      const each = new Run(scenario, repaired());
      const result = each.execute(new Replay([]));
      return [encodeSchedule(result.schedule), each.stage.machine.fingerprint()];
    };
    expect(run()).toEqual(run());
  });
});
