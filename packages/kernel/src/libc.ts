import type { PhysicalMemory } from '@rpal/hw-x86';

const PREFIX = 2;
const ZERO = 0x30;
const LETTER = 0x61;
const X = 0x78;

/** Writes characters `done` .. `done + part` of a stamp's text to physical memory. */
export function formatStamp(memory: PhysicalMemory, at: number, part: number, done: number, value: number): void {
  const { u8 } = memory;
  const high = Math.floor(value * (1 / 0x1_0000_0000));
  const low = value | 0;
  for (let i = 0; i < part; i++) {
    const digit = done + i - PREFIX;
    if (digit < 0) {
      u8[at + i] = digit === -2 ? ZERO : X;
    } else {
      const nibble = ((digit < 8 ? high : low) >>> (28 - ((digit & 7) << 2))) & 15;
      u8[at + i] = nibble < 10 ? ZERO + nibble : LETTER - 10 + nibble;
    }
  }
}

/**
 * Reads characters `done` .. `done + part` of a stamp's text, continuing the value parsed so far.
 * @returns the value, or -1 at a character that does not belong there
 */
export function parseStamp(memory: PhysicalMemory, at: number, part: number, done: number, parsed: number): number {
  const { u8 } = memory;
  // The value so far as two words, shifted left by a digit at a time.
  let high = Math.floor(parsed * (1 / 0x1_0000_0000));
  let low = parsed | 0;
  for (let i = 0; i < part; i++) {
    const code = u8[at + i] as number;
    if (done + i < PREFIX) {
      if (code !== (done + i === 0 ? ZERO : X)) return -1;
      continue;
    }
    const nibble = code <= ZERO + 9 ? code - ZERO : code - LETTER + 10;
    if (nibble < 0 || nibble > 15 || (code > ZERO + 9 && nibble < 10)) return -1;
    high = (high << 4) | (low >>> 28);
    low = (low << 4) | nibble;
  }
  return high * 0x1_0000_0000 + (low >>> 0);
}
