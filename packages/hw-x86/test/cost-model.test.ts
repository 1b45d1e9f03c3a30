import { describe, expect, it } from 'vitest';
import { allSteps, CostModel, defineSteps, findProfile, HwStep, Ledger, profiles, spread } from '../src/index.js';
import { XEON } from './support.js';

const step = defineSteps('cost-model.test', {
  mixed: { cause: 'user', mode: 'user', instructions: [100, 200, 400], events: { wrpkru: 2 }, ns: 10, source: 'test', status: 'estimated' },
  plain: { cause: 'copy', instructions: 50, perByte: 'copy', source: 'test', status: 'estimated' },
  both: { parts: ['mixed', 'plain'] },
});

describe('CostModel', () => {
  it('prices a step as instructions x CPI + events + fixed time, in TSC cycles', () => {
    const costs = new CostModel(XEON);
    const tscPerCore = 2.3 / 3.0;
    expect(costs.step[step.mixed]).toBe(Math.round(200 * 0.5 * tscPerCore + 2 * 26 * tscPerCore + 10 * 2.3));
  });

  it('takes the low end with the fast clock and the high end with the slow one', () => {
    const low = new CostModel(XEON, 'low');
    const high = new CostModel(XEON, 'high');
    expect(low.step[step.mixed]).toBe(Math.round((100 * 0.35 * 2.3 + 2 * 11 * 2.3) / 3.5 + 23));
    expect(high.step[step.mixed]).toBe(Math.round((400 * 0.8 * 2.3 + 2 * 60 * 2.3) / 2.6 + 23));
    for (const { id } of allSteps()) {
      const central = new CostModel(XEON).step[id] as number;
      expect(low.step[id]).toBeLessThanOrEqual(central);
      expect(high.step[id]).toBeGreaterThanOrEqual(central);
    }
  });

  it('makes every step dearer in TSC cycles on a slower core, except what time alone prices', () => {
    const slow = new CostModel(XEON, 'central', 2.3);
    expect(slow.step[HwStep.wrpkru]).toBe(26);
    expect(new CostModel(XEON).step[HwStep.wrpkru]).toBe(20);
    expect(slow.ns(XEON.line.sameSocket)).toBe(new CostModel(XEON).ns(XEON.line.sameSocket));
  });

  it('charges bytes at the profile rate, in the right order of its ends', () => {
    expect(new CostModel(XEON).perByte[step.plain]).toBeCloseTo(2.3 / 3.0 / 40, 12);
    expect(new CostModel(XEON, 'low').perByte[step.plain]).toBeLessThan(new CostModel(XEON, 'high').perByte[step.plain] as number);
  });

  it('prices a composite as the sum of its rounded parts', () => {
    const { step: price } = new CostModel(XEON);
    expect(price[step.both]).toBe((price[step.mixed] as number) + (price[step.plain] as number));
  });

  it('lets a profile replace the price of one step', () => {
    const figure = { low: 10, central: 30, high: 60, source: 'test', status: 'measured' as const };
    const costs = new CostModel({ ...XEON, steps: { 'cost-model.test:plain': figure } });
    expect(costs.step[step.plain]).toBe(Math.round(30 * (2.3 / 3.0)));
  });

  it('prices every hardware step of every profile with whole cycles', () => {
    for (const profile of profiles) {
      for (const price of new CostModel(profile).step) expect(Number.isInteger(price) && price >= 0).toBe(true);
    }
  });
});

describe('steps', () => {
  it('cannot be defined twice, nor consist of what is not defined', () => {
    const one = { cause: 'user', source: 'test', status: 'estimated' } as const;
    expect(() => defineSteps('cost-model.test', { plain: one })).toThrow('step "cost-model.test:plain" is defined twice');
    expect(() => defineSteps('cost-model.test', { wrong: { parts: ['nowhere'] } })).toThrow(
      '"nowhere" is no simple step defined before its use',
    );
    expect(() => defineSteps('cost-model.test', { nested: { parts: ['both'] } })).toThrow('"both" is no simple step');
  });

  it('all say where their numbers come from', () => {
    for (const { source } of allSteps()) expect(source.length).toBeGreaterThan(3);
  });

  it('accept one number for three equal ones', () => {
    expect(spread(5)).toEqual([5, 5, 5]);
    expect(spread([1, 2, 3])).toEqual([1, 2, 3]);
  });
});

describe('Ledger', () => {
  it('adds up: its total is the sum of its entries, composites split into their parts', () => {
    const costs = new CostModel(XEON);
    const ledger = new Ledger(costs);
    ledger.cells[2 * step.both + 1] = 3;
    ledger.cells[2 * step.plain + 1] = 1;
    ledger.book(step.mixed, 7);
    const entries = Object.fromEntries(ledger.entries.map(({ step: { name }, count, cycles }) => [name, [count, cycles]]));
    const [mixed, plain] = [costs.step[step.mixed] as number, costs.step[step.plain] as number];
    expect(entries).toEqual({ 'cost-model.test:mixed': [3, 3 * mixed + 7], 'cost-model.test:plain': [4, 4 * plain] });
    expect(ledger.total).toBe(3 * mixed + 7 + 4 * plain);
    ledger.clear();
    expect([ledger.total, ledger.entries.length]).toEqual([0, 0]);
  });
});

describe('the profiles', () => {
  it('are found by name', () => {
    expect(findProfile('epyc-9654')?.vendor).toBe('amd');
    expect(findProfile('pentium')).toBeUndefined();
  });

  it('give every figure a source, and low <= central <= high', () => {
    for (const profile of profiles) {
      for (const figure of [...Object.values(profile.costs), profile.cpi.kernel, profile.cpi.user, ...Object.values(profile.line)]) {
        expect(figure.source.length).toBeGreaterThan(3);
        expect(figure.low <= figure.central && figure.central <= figure.high).toBe(true);
      }
    }
  });
});
