import { describe, expect, it } from 'vitest';
import { allSteps, CostModel, defineSteps, findProfile, HwStep, Ledger, profiles, type StepDefinition, spread } from '../src/index.js';
import { bareCpu, XEON } from './support.js';

const step = defineSteps('cost-model.test', {
  mixed: { cause: 'user', mode: 'user', instructions: [100, 200, 400], events: { wrpkru: 2 }, ns: 10, source: 'test', status: 'estimated' },
  plain: { cause: 'copy', instructions: 50, perByte: 'copy', source: 'test', status: 'estimated' },
  both: { parts: ['mixed', 'plain'] },
  /** Of a kernel that has the part. */
  partial: { cause: 'copy', instructions: 50, ns: 10, perByte: 'copy', only: 'returnFill', source: 'test', status: 'estimated' },
});

describe('CostModel', () => {
  it('prices a step as instructions x CPI + events + fixed time, in TSC cycles', () => {
    const costs = new CostModel(XEON);
    const tscPerCore = 2.3 / 3.0;
    expect(costs.step[step.mixed]).toBe(Math.round(200 * 0.26 * tscPerCore + 2 * 26 * tscPerCore + 10 * 2.3));
  });

  it('takes the low end with the fast clock and the high end with the slow one', () => {
    const low = new CostModel(XEON, 'low');
    const high = new CostModel(XEON, 'high');
    expect(low.step[step.mixed]).toBe(Math.round((100 * 0.22 * 2.3 + 2 * 11 * 2.3) / 3.5 + 23));
    expect(high.step[step.mixed]).toBe(Math.round((400 * 0.35 * 2.3 + 2 * 60 * 2.3) / 2.6 + 23));
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

  it('prices nothing of a step that belongs to a part of the kernel that is absent: neither its time nor its bytes', () => {
    const without = new CostModel(XEON);
    expect([without.step[step.partial], without.perByte[step.partial]]).toEqual([0, 0]);
    const having = new CostModel({ ...XEON, kernel: { ...XEON.kernel, returnFill: true } });
    expect(having.step[step.partial]).toBe(Math.round((50 * XEON.cpi.kernel.central * 2.3) / 3.0 + 10 * 2.3));
    expect(having.perByte[step.partial]).toBe(having.perByte[step.plain]);
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
  it('are listed by the keys of their table', () => {
    expect(Object.keys(step)).toEqual(['mixed', 'plain', 'both', 'partial']);
    expect(Object.keys(HwStep)).toHaveLength(Object.values(HwStep).length);
    expect(Object.entries(HwStep).every(([key, id]) => allSteps()[id]?.name === `@rpal/hw-x86:${key}`)).toBe(true);
  });

  const GOOD = { cause: 'user', source: 'test', status: 'estimated' };
  it.each([
    ['a cause', { ...GOOD, cause: 'wakeup' }, 'step "refused:s": cause "wakeup" is unknown; did you mean "wake-up"?'],
    ['an event', { ...GOOD, events: { wrpkr: 1 } }, 'event "wrpkr" is unknown; did you mean "wrpkru"?'],
    ['a status', { ...GOOD, status: 'estimate' }, 'status "estimate" is unknown; did you mean "estimated"?'],
    ['a mode', { ...GOOD, mode: 'supervisor' }, 'mode "supervisor" is unknown; known are kernel, user'],
    ['a rate', { ...GOOD, perByte: 'move' }, 'perByte "move" is unknown; known are copy, zero'],
    ['a field', { ...GOOD, event: {} }, 'field "event" is unknown; did you mean "events"?'],
    ['no source', { ...GOOD, source: '' }, 'source must say where the numbers come from'],
    ['a negative count', { ...GOOD, events: { wrpkru: -1 } }, 'events.wrpkru: -1 is not a number of events, 0 or more'],
    ['no number of instructions', { ...GOOD, instructions: Number.NaN }, 'instructions: NaN is not a number, 0 or more'],
    ['a range the wrong way round', { ...GOOD, ns: [3, 2, 1] }, 'ns: 3,2,1 is not a number, 0 or more, or [low, central, high]'],
    ['no parts', { parts: [] }, 'parts: there must be at least one'],
  ])('with %s that means nothing are refused', (_what, definition, message) => {
    const before = allSteps().length;
    expect(() => defineSteps('refused', { s: definition as StepDefinition })).toThrow(message);
    expect(allSteps()).toHaveLength(before);
  });

  it('of a table are all defined, or none: a part is named that is not there, and the nearest', () => {
    const one = { cause: 'user', source: 'test', status: 'estimated' } as const;
    expect(() => defineSteps('all-or-none', { first: one, second: { parts: ['frist'] } })).toThrow(
      '"frist" is not a simple step defined before its use; did you mean "first"?',
    );
    expect(Object.keys(defineSteps('all-or-none', { first: one, second: { parts: ['first'] } }))).toEqual(['first', 'second']);
  });

  it('that were defined after a machine was built are refused by that machine, and known to later ones', () => {
    const { cpu } = bareCpu();
    const late = defineSteps('cost-model.test-late', { step: { cause: 'user', ns: 100, source: 'test', status: 'estimated' } });
    const before = cpu.clock;
    const message = 'step "cost-model.test-late:step" was defined after this machine was built, and has no price on it';
    expect(() => cpu.charge(late.step)).toThrow(message);
    expect(() => cpu.chargeTimes(late.step, 2)).toThrow(message);
    expect(() => cpu.chargeBytes(late.step, 2)).toThrow(message);
    expect(() => cpu.chargeCycles(late.step, 2)).toThrow(message);
    expect(() => cpu.charge(undefined as unknown as number)).toThrow('undefined is not a step that defineSteps has returned');
    expect(cpu.clock).toBe(before);
    const later = bareCpu().cpu;
    const start = later.clock;
    later.charge(late.step);
    expect(later.clock - start).toBe(230);
  });

  it('cannot be defined twice, nor consist of what is not defined', () => {
    const one = { cause: 'user', source: 'test', status: 'estimated' } as const;
    expect(() => defineSteps('cost-model.test', { plain: one })).toThrow('step "cost-model.test:plain" is defined twice');
    expect(() => defineSteps('cost-model.test', { wrong: { parts: ['nowhere'] } })).toThrow(
      '"nowhere" is not a simple step defined before its use',
    );
    expect(() => defineSteps('cost-model.test', { nested: { parts: ['both'] } })).toThrow('"both" is not a simple step');
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
      for (const figure of [...Object.values(profile.costs), profile.cpi.kernel, profile.cpi.user, ...Object.values(profile.line).flat()]) {
        expect(figure.source.length).toBeGreaterThan(3);
        expect(figure.low <= figure.central && figure.central <= figure.high).toBe(true);
      }
    }
  });
});
