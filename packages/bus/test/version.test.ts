import fc from 'fast-check';
import { satisfies, validRange } from 'semver';
import { describe, expect, it } from 'vitest';
import { isInRange, isRange, isVersion } from '../src/version.js';

const small = fc.nat(3).map(String);
const pre = fc.constantFrom('', '', '', '-0', '-1', '-alpha', '-alpha.1', '-alpha.beta', '-rc.2', '-rc.10');
const version = fc.tuple(small, small, small, pre).map(([major, minor, patch, tail]) => `${major}.${minor}.${patch}${tail}`);
const partial = fc.oneof(
  version,
  fc.tuple(small, fc.constantFrom('', '.x', '.*', '.x.x')).map((parts) => parts.join('')),
  fc.tuple(small, fc.constant('.'), small, fc.constantFrom('', '.x')).map((parts) => parts.join('')),
  fc.constantFrom('*', 'x'),
);
const comparator = fc.tuple(fc.constantFrom('', '^', '~', '>', '>=', '<', '<=', '=', '>= '), partial).map((parts) => parts.join(''));
const range = fc.array(fc.array(comparator, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 2 }).map((sets) => {
  return sets.map((set) => set.join(' ')).join(' || ');
});

describe('versions and ranges', () => {
  it("agree with npm's own library", () => {
    fc.assert(
      fc.property(version, range, (one, within) => {
        expect([isRange(within), isInRange(one, within)]).toEqual([
          validRange(within) !== null,
          satisfies(one, within, { includePrerelease: true }),
        ]);
      }),
      { numRuns: 5000, seed: 1 },
    );
  });

  it.each(['1', '1.2', 'v1.2.3', '1.2.3.4', '01.2.3', '1.2.3-', '1.2.3-01', 'latest', ''])('%j is no version', (text) => {
    expect(isVersion(text)).toBe(false);
    expect(isInRange(text, '*')).toBe(false);
  });

  it.each(['latest', '^', '1.2.3.4', '>>1.0.0', '^1.0.0 || beta'])('%j is no range', (text) => expect(isRange(text)).toBe(false));
});
