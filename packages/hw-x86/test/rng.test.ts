import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fingerprint, Rng } from '../src/index.js';

describe('Rng', () => {
  it('is sfc32: these are its first numbers for seed 1, on every computer', () => {
    const rng = new Rng(1);
    expect([rng.next32(), rng.next32(), rng.next32(), rng.next32()]).toEqual([573063952, 3268221502, 703077755, 2308299391]);
  });

  it('tells seeds apart, also beyond 32 bits', () => {
    const first = (seed: number): number => new Rng(seed).next32();
    expect(new Set([0, 1, 2, 2 ** 32, 2 ** 32 + 1].map(first)).size).toBe(5);
  });

  it('stays within the limit, and reaches everything below a small one', () => {
    const rng = new Rng(7);
    const seen = new Set<number>();
    for (let i = 0; i < 400; i++) seen.add(rng.below(6));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (limit) => {
        const value = rng.below(limit);
        expect(Number.isInteger(value) && value >= 0 && value < limit).toBe(true);
      }),
    );
  });
});

describe('Fingerprint', () => {
  it('is sixteen hexadecimal digits that depend on every value and on their order', () => {
    const of = (...values: number[]): string => {
      const print = new Fingerprint();
      for (const value of values) print.number(value);
      return print.digest();
    };
    expect(of()).toMatch(/^[0-9a-f]{16}$/);
    expect(of(1, 2)).toBe(of(1, 2));
    expect(new Set([of(), of(0), of(1, 2), of(2, 1), of(1 + 2 ** 40, 2), of(-1, 2)]).size).toBe(6);
  });

  it('tells texts apart where their concatenation is the same', () => {
    expect(new Fingerprint().text('ab').text('c').digest()).not.toBe(new Fingerprint().text('a').text('bc').digest());
  });

  it('has not changed', () => {
    expect(new Fingerprint().number(42).text('rpal').words(Int32Array.of(1, -1)).digest()).toBe('a6e5c97d96322b39');
  });
});
