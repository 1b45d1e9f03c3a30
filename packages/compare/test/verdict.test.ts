import { describe, expect, it } from 'vitest';
import { type Experiment, type Finding, verdicts } from '../src/index.js';

const origin = { what: 'a call', source: 'a paper, table 1', status: 'published' } as const;

/** An experiment with a figure held to a quarter, one held to nothing, and a law. */
function experiment(...findings: Finding[]): Experiment {
  return {
    name: 'calls',
    title: 'calls',
    published: [
      { ...origin, kind: 'figure', id: 'held', value: 100, unit: 'cycles', within: 0.25 },
      { ...origin, kind: 'figure', id: 'shown', value: 0, unit: 'cycles', within: null },
      { ...origin, kind: 'law', id: 'order', value: 'a < b' },
    ],
    misses: { held: 'the processor is another one', order: 'b is not modelled' },
    left: [],
    run: () => ({ findings }),
  };
}

function judged(held: number, holds: boolean) {
  const order = { id: 'order', here: 'a < b', holds };
  const calls = experiment(order, { id: 'shown', here: 7 }, { id: 'held', here: held });
  return verdicts(calls, calls.run({ costs: 'central', seed: 1 })).map(({ published, verdict, ratio, why }) => [
    published.id,
    verdict,
    ratio,
    why,
  ]);
}

describe('what a run has found', () => {
  it('holds up to the distance that is allowed, both ways, and needs no reason then', () => {
    for (const here of [75, 100, 125]) {
      expect(judged(here, true)).toEqual([
        ['held', 'holds', here / 100, ''],
        ['shown', 'open', null, ''],
        ['order', 'holds', null, ''],
      ]);
    }
  });

  it('misses beyond it, with the reason that the experiment has', () => {
    for (const here of [74.9, 125.1]) {
      expect(judged(here, false)).toEqual([
        ['held', 'misses', here / 100, 'the processor is another one'],
        ['shown', 'open', null, ''],
        ['order', 'misses', null, 'b is not modelled'],
      ]);
    }
  });

  it('answers each published row once, by a number for a figure and by words for a law', () => {
    const wrong = (...findings: Finding[]) => {
      const calls = experiment(...findings);
      return () => verdicts(calls, { findings });
    };
    const [held, shown, order] = [
      { id: 'held', here: 1 },
      { id: 'shown', here: 1 },
      { id: 'order', here: 'a < b', holds: true },
    ];
    expect(wrong(held, shown)).toThrow('experiment calls has found nothing for order');
    expect(wrong(held, shown, order, held)).toThrow('experiment calls finds "held" twice, or has not published it');
    expect(wrong(held, shown, order, { id: 'other', here: 1 })).toThrow('"other" twice, or has not published it');
    expect(wrong(held, shown, { id: 'order', here: 1 })).toThrow('experiment calls, order: a figure is found as a number, a law as words');
    expect(wrong({ id: 'held', here: 'few', holds: true }, shown, order)).toThrow('experiment calls, held: a figure is found as a number');
  });
});
