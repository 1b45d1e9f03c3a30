import type { RaceFix, RpalOptions } from '@rpal/rpal-core';
import { quirkNames, raceFixes } from '@rpal/rpal-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Deviations,
  decodeRecording,
  encodeRecording,
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

/** Each race that a patch of the series closes, the scenario in which it shows, and how it is looked for. */
const races: readonly (readonly [patch: RaceFix, scenario: string, search: Search, symptom: RegExp])[] = [
  [15, 'two-senders', within(10, 1), /in WAIT, but its task is WAKING/],
  [20, 'kernel-return-against-call', atRandom(300), /not locked to a CPU/],
  [24, 'return-interrupted', within(400, 1), /in WAIT, and CPU 0 executes its code/],
  [29, 'enable-against-mmap', within(300, 2), /killed by signal 11, code 4/],
  [30, 'enable-against-fork', atRandom(200), /killed by signal 11, code 4/],
  [34, 'return-against-wake-up', within(400, 2), /in WAIT, but a CPU is on its kernel stack/],
];

describe('the races that patches of the series close', () => {
  it('are all looked for', () => expect(races.map(([patch]) => patch)).toEqual(Object.keys(raceFixes).map(Number)));

  it.each(races)(
    'patch %i left out, %s: found, shrunk, and found again by the schedule',
    { timeout: 120_000 },
    (patch, name, search, symptom) => {
      const scenario = scenarioNamed(name);
      const { failure } = search(scenario, repaired([patch]));
      expect(failure?.failure).toMatch(symptom);
      if (failure === null) return;
      const shortest = shrink(scenario, repaired([patch]), failure, 60);
      expect(shortest.failure).not.toBeNull();
      expect(shortest.deviations.length).toBeLessThanOrEqual(failure.deviations.length);
      const text = encodeRecording({ scenario, repair: 'all', without: [patch], deviations: shortest.deviations });
      const { deviations, repair, without } = decodeRecording(text);
      const again = new Run(scenario, { repair, without: [...without] });
      let late = 0;
      again.observer = () => {
        if (again.failure !== null) late++;
      };
      expect(again.execute(new Deviations(deviations)).failure).toBe(shortest.failure);
      expect(late, 'nothing is chosen any more once it is wrong, also not within a kernel entry').toBe(0);
      // With the patch there, the schedule that broke the series without it does no harm.
      expect(new Run(scenario, repaired()).execute(new Deviations(deviations)).failure).toBeNull();
    },
  );
});

describe('the series with everything repaired', () => {
  it.each(scenarios)('$name: nothing is found in a few random runs', (scenario) => {
    expect(searchAtRandom(scenario, repaired(), 8, 1000).failure?.failure ?? null).toBeNull();
  });

  it('an interrupted return: nothing is found in all interleavings with one deviation', () => {
    const { failure, covered } = searchAll(scenarioNamed('return-interrupted'), repaired(), { runs: 200, deviations: 1 });
    expect(failure).toBeNull();
    expect(covered).toBeGreaterThanOrEqual(1);
  });
});

describe('recordings', () => {
  it('as text are what they were', () => {
    const number = fc.integer({ min: 0, max: 300 });
    fc.assert(
      fc.property(
        fc.constantFrom(...scenarios),
        fc.oneof(fc.constant('all' as const), fc.subarray([...quirkNames])),
        fc.subarray(races.map(([patch]) => patch)),
        fc.array(fc.tuple(number, number)),
        (scenario, repair, without, deviations) => {
          const recording = { scenario, repair, without, deviations };
          const text = encodeRecording(recording);
          expect(text).toMatch(/^[a-z0-9,:=-]+$/);
          expect(decodeRecording(text)).toEqual(recording);
        },
      ),
    );
  });

  it.each([
    ['two-sender', /"two-sender" is not one of pure-call/],
    ['two-senders:34', /"34" is not a deviation; it would be step=choice/],
    ['two-senders:repair=all,tlb', /"all" is none of them/],
    ['two-senders:without=16', /15, 20, 24, 29, 30, 34; "16" is none/],
  ])('%s is refused', (text, why) => expect(() => decodeRecording(text)).toThrow(why));

  it('determine the run', () => {
    const scenario = scenarioNamed('call-with-syscall');
    const run = () => {
      const each = new Run(scenario, repaired());
      const result = each.execute(new Replay([]));
      return [result.schedule, each.stage.machine.fingerprint()];
    };
    expect(run()).toEqual(run());
  });
});
