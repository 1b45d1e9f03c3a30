import { PhysicalMemory } from '@rpal/hw-x86';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatStamp, PRINTED_LENGTH, parseStamp } from '../src/program/libc.js';

const memory = new PhysicalMemory([16 * 2 ** 20]);
const AT = 0x1000;
const stamp = fc.maxSafeNat();
const text = (): string => String.fromCharCode(...Array.from({ length: 18 }, (_, at) => memory.read8(AT + at)));

describe('stamps as text', () => {
  it('are printed as "0x%016lx" prints them, also in parts', () => {
    fc.assert(
      fc.property(stamp, fc.integer({ min: 0, max: 18 }), (value, first) => {
        formatStamp(memory, AT, first, 0, value);
        formatStamp(memory, AT + first, 18 - first, first, value);
        expect(text()).toBe(`0x${value.toString(16).padStart(16, '0')}`);
      }),
    );
  });

  it('end with a zero, as sprintf ends them: byte 18, and nothing behind it', () => {
    fc.assert(
      fc.property(stamp, fc.integer({ min: 0, max: 19 }), fc.nat(3), (value, first, shift) => {
        const at = AT + shift;
        memory.fill(AT, 32, 0x2e);
        formatStamp(memory, at, first, 0, value);
        formatStamp(memory, at + first, PRINTED_LENGTH - first, first, value);
        expect([17, 18, 19].map((byte) => memory.read8(at + byte) === 0x2e)).toEqual([false, false, true]);
        expect(memory.read8(at + 18)).toBe(0);
      }),
    );
  });

  it('are read as they were printed, also in parts', () => {
    fc.assert(
      fc.property(stamp, fc.integer({ min: 0, max: 18 }), (value, first) => {
        formatStamp(memory, AT, 18, 0, value);
        const begun = parseStamp(memory, AT, first, 0, 0);
        expect(parseStamp(memory, AT + first, 18 - first, first, begun)).toBe(value);
      }),
    );
  });

  it('that are read in parts begin with 0x, too', () => {
    for (const place of [0, 1]) {
      formatStamp(memory, AT, 18, 0, 77);
      memory.write8(AT + place, 0x79);
      expect(parseStamp(memory, AT, 9, 0, 0)).toBe(-1);
    }
  });

  it('are refused with any other character in them', () => {
    fc.assert(
      fc.property(stamp, fc.nat(17), fc.nat(255), (value, place, code) => {
        formatStamp(memory, AT, 18, 0, value);
        const before = memory.read8(AT + place);
        const digit = place >= 2 && /[0-9a-f]/.test(String.fromCharCode(code));
        fc.pre(code !== before && !digit);
        memory.write8(AT + place, code);
        expect(parseStamp(memory, AT, 18, 0, 0)).toBe(-1);
      }),
    );
  });
});
