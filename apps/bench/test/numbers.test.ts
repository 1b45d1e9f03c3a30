import fc from 'fast-check';
import { expect, it } from 'vitest';
import { percent, tenths, tenthsThatAddUp, whole } from '../src/report/numbers.js';

it('writes cycles as the RFC does: cut off, not rounded', () => {
  expect(whole(19_616.97)).toBe('19,616');
  expect(tenths(19_616.25)).toBe('19,616.3');
  expect(percent(0.9132)).toBe('91.3 %');
});

it('rounds parts so that they add up to the rounded sum, none by more than a tenth', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 10_000_000 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 5000 }),
      (cycles, messages) => {
        const values = cycles.map((total) => total / messages);
        const rounded = tenthsThatAddUp(values);
        const sum = (list: readonly number[]): number => list.reduce((total, value) => total + value, 0);
        expect(Math.round(10 * sum(rounded))).toBe(Math.round(10 * sum(values)));
        for (const [index, value] of rounded.entries()) expect(Math.abs(value - (values[index] as number))).toBeLessThan(0.1 + 1e-6);
      },
    ),
  );
});
