import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HardwareError, PAGE_SIZE, pageCeil, pageFloor, USER_TOP } from '../src/index.js';
import { formatAddress, requireCanonical } from '../src/memory/address.js';

const address = fc.integer({ min: -USER_TOP, max: USER_TOP - 1 });

describe('addresses', () => {
  it('round to pages in both halves', () => {
    fc.assert(
      fc.property(address, (a) => {
        const floor = pageFloor(a);
        expect(Math.abs(floor % PAGE_SIZE)).toBe(0);
        expect(a - floor).toBeGreaterThanOrEqual(0);
        expect(a - floor).toBeLessThan(PAGE_SIZE);
        expect(pageCeil(a)).toBe(floor === a ? a : floor + PAGE_SIZE);
      }),
    );
  });

  it('print as people read them', () => {
    expect(formatAddress(0x7f00_0000_0000)).toBe('0x7f0000000000');
    expect(formatAddress(0x1000)).toBe('0x000000001000');
    expect(formatAddress(-USER_TOP)).toBe('0xffff800000000000');
    expect(formatAddress(-1)).toBe('0xffffffffffffffff');
  });

  it('are refused outside both halves, naming the argument', () => {
    for (const wrong of [USER_TOP, -USER_TOP - 1, 1.5, Number.NaN]) {
      expect(() => requireCanonical(wrong, 'address')).toThrow(HardwareError);
      expect(() => requireCanonical(wrong, 'address')).toThrow(/^address: .* is not a canonical address; use 0 \.\. 2\^47-1/);
    }
    for (const right of [0, USER_TOP - 1, -1, -USER_TOP]) expect(() => requireCanonical(right, 'address')).not.toThrow();
  });
});
