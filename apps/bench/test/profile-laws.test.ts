import { type CpuProfile, type Figure, findProfile, parseProfile, profiles } from '@rpal/hw-x86';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Placement, runRfcBenchmark } from '../src/rfc-benchmark.js';

const MESSAGES = 40;
const RUNS = 8;
/** What a tick of the timer that falls on another message may make of an average. */
const NOISE = 1.01;

type End = 'low' | 'central' | 'high';

/** The profile with each figure at one of its ends; their order of drawing is that of the profile. */
function at(profile: CpuProfile, draw: () => End): CpuProfile {
  const pinned = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(pinned);
    if (typeof value !== 'object' || value === null) return value;
    if ('central' in value) {
      const figure = value as Figure;
      const price = figure[draw()];
      return { ...figure, low: price, central: price, high: price };
    }
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, pinned(inner)]));
  };
  return parseProfile(pinned(profile));
}

/** A profile that comes with the model, with all figures at one end, or each at one of its own. */
const drawn = fc.record({
  name: fc.constantFrom(...profiles.map(({ name }) => name)),
  ends: fc.oneof(
    fc.constantFrom<End>('low', 'central', 'high').map((end) => [end]),
    fc.array(fc.constantFrom<End>('low', 'central', 'high'), { minLength: 100, maxLength: 100 }),
  ),
});

function profileOf({ name, ends }: { readonly name: string; readonly ends: readonly End[] }): CpuProfile {
  let next = 0;
  return at(findProfile(name) as CpuProfile, () => ends[next++ % ends.length] as End);
}

/** Not one CPU: there the two processes have two rhythms, and a clock that is a little faster may be the one that changes them. */
const placement = fc.constantFrom<Placement>('same-socket', 'cross-socket');

/** Nanoseconds of a message one way through socket and epoll. */
function oneWay(on: CpuProfile, where: Placement, idle: 'poll' | 'C1' | 'C1E', coreGHz?: number): number {
  const machine = { profile: on, idle, ...(coreGHz === undefined ? {} : { coreGHz }) };
  const [epoll] = runRfcBenchmark({ machine, placement: where, messages: MESSAGES, size: 32, phases: ['epoll'] }).phases;
  return (epoll?.totalCycles ?? Number.NaN) / MESSAGES / on.clock.tscGHz;
}

describe('on every profile, with its prices at whatever ends', { timeout: 300_000 }, () => {
  it('a deeper idle state makes no message faster', () => {
    fc.assert(
      fc.property(drawn, (one) => {
        const on = profileOf(one);
        const [poll, c1, c1e] = (['poll', 'C1', 'C1E'] as const).map((idle) => oneWay(on, 'same-socket', idle)) as [number, number, number];
        expect(poll).toBeLessThanOrEqual(c1 * NOISE);
        expect(c1).toBeLessThanOrEqual(c1e * NOISE);
      }),
      { numRuns: RUNS },
    );
  });

  it('a faster clock makes no message slower', () => {
    fc.assert(
      fc.property(
        drawn,
        placement,
        fc.double({ min: 1, max: 4, noNaN: true }),
        fc.double({ min: 1.02, max: 2, noNaN: true }),
        (one, where, ghz, faster) => {
          const on = profileOf(one);
          expect(oneWay(on, where, 'C1', ghz * faster)).toBeLessThanOrEqual(oneWay(on, where, 'C1', ghz) * NOISE);
        },
      ),
      { numRuns: RUNS },
    );
  });
});
