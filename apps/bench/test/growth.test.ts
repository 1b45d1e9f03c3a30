import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FLAT, type GrowthLine, type Load } from '../src/perf/growth/line.js';
import { growthLines } from '../src/perf/growth/loads.js';
import { measureGrowth } from '../src/perf/growth/measure.js';
import { type GrowthResult, keepsLaw, renderGrowth } from '../src/perf/growth/report.js';
import { percentile } from '../src/perf/percentile.js';

/** The clock on the wall of these tests, milliseconds. */
let wall = 0;

beforeEach(() => {
  vi.spyOn(performance, 'now').mockImplementation(() => wall);
});

afterEach(() => vi.restoreAllMocks());

/** Something whose operations take so many nanoseconds, and twice as many in one slice of two, when something disturbs it. */
class Disturbed implements Load {
  readonly ready = true;
  readonly spare = 0;
  operations = 0;
  readonly #ns: number;
  #calls = 0;

  constructor(ns: number) {
    this.#ns = ns;
  }

  advance(cycles: number): void {
    const operations = Math.ceil(cycles / 1000);
    this.operations += operations;
    wall += (operations * this.#ns * (1 + (this.#calls++ % 2))) / 1e6;
  }
}

const line = (ns: (size: number) => number): GrowthLine => ({
  name: 'things',
  operation: 'some work',
  sizes: [1, 20],
  law: FLAT,
  build: (size) => new Disturbed(ns(size)),
});

describe('the growth of the host time', () => {
  it('is within its law if an operation takes as much at any size, and not if it takes more the more there are', () => {
    const flat = line((size) => 500 + size);
    expect(measureGrowth(flat)).toEqual([
      { size: 1, ns: expect.closeTo(501), bound: expect.closeTo(1002), bytes: null },
      { size: 20, ns: expect.closeTo(520), bound: expect.closeTo(1002), bytes: null },
    ]);
    expect(keepsLaw({ line: flat, sizes: measureGrowth(flat) })).toBe(true);
    const growing = line((size) => 500 * size);
    const sizes = measureGrowth(growing);
    expect(keepsLaw({ line: growing, sizes })).toBe(false);
    // Linear is within a law that says so.
    const linear: GrowthLine = { ...growing, law: { name: 'n', weight: (size) => size } };
    expect(keepsLaw({ line: linear, sizes: measureGrowth(linear) })).toBe(true);
  });

  it('is told with what it may be, and why', () => {
    const law = { name: 'log n', weight: Math.log2, why: 'a tree' };
    const result: GrowthResult = {
      line: { ...line(() => 1), law, memory: 100 },
      sizes: [
        { size: 2, ns: 10, bound: 20, bytes: null },
        { size: 4, ns: 45, bound: 40, bytes: 101 },
      ],
    };
    expect(keepsLaw(result)).toBe(false);
    expect(renderGrowth([result])).toMatch(/things +some work +2 +10 +1\.00 +20 +log n +kept\n +4 +45 +4\.50 +40 +101 of 100 +missed\n/);
    expect(renderGrowth([result])).toContain('log n: a tree.\n');
    expect(keepsLaw({ ...result, sizes: [{ size: 2, ns: 10, bound: 20, bytes: 101 }] })).toBe(false);
  });

  it.each(growthLines.map((each) => [each.name, each] as const))('is measured for %s on a machine that works', (_, { sizes, build }) => {
    const load = build(sizes[0] as number);
    for (let i = 0; i < 100_000 && !(load.ready && load.operations >= 20); i++) load.advance(1e6);
    expect(load.operations).toBeGreaterThanOrEqual(20);
  });
});

it('a percentile is one of the values, whatever their order, and of few the least', () => {
  const values = Array.from({ length: 100 }, (_, i) => (i * 37) % 100);
  expect(percentile(values, 0.02)).toBe(2);
  expect(percentile(values, 0.5)).toBe(50);
  expect(percentile(values, 1)).toBe(99);
  expect(percentile([7, 5, 6], 0.02)).toBe(5);
  expect(percentile([], 0.5)).toBeNaN();
});
