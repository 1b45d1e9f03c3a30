import type { PhysicalMemory } from '@rpal/hw-x86';

const PREFIX = 2;
const ZERO = 0x30;
const X = 0x78;
const DIGITS = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
/** The value of a hexadecimal digit by its character code; -1 for what is none. As sprintf, in small letters only. */
const VALUES = new Int8Array(256).fill(-1);
DIGITS.forEach((code, value) => {
  VALUES[code] = value;
});

/** Writes characters `done` .. `done + part` of a stamp's text to physical memory. */
export function formatStamp(memory: PhysicalMemory, at: number, part: number, done: number, value: number): void {
  const { u8 } = memory;
  const high = Math.floor(value * (1 / 0x1_0000_0000)) | 0;
  const low = value | 0;
  for (let i = 0; i < part; i++) {
    const digit = done + i - PREFIX;
    if (digit < 0) u8[at + i] = digit === -2 ? ZERO : X;
    else u8[at + i] = DIGITS[((digit < 8 ? high : low) >>> (28 - ((digit & 7) << 2))) & 15] as number;
  }
}

/**
 * Reads characters `done` .. `done + part` of a stamp's text, continuing the value parsed so far.
 * @returns the value, or -1 at a character that does not belong there
 */
export function parseStamp(memory: PhysicalMemory, at: number, part: number, done: number, parsed: number): number {
  const { u8 } = memory;
  // The value so far as two words, shifted left by a digit at a time.
  let high = Math.floor(parsed * (1 / 0x1_0000_0000)) | 0;
  let low = parsed | 0;
  for (let i = 0; i < part; i++) {
    const code = u8[at + i] as number;
    if (done + i < PREFIX) {
      if (code !== (done + i === 0 ? ZERO : X)) return -1;
      continue;
    }
    const nibble = VALUES[code] as number;
    if (nibble < 0) return -1;
    high = (high << 4) | (low >>> 28);
    low = (low << 4) | nibble;
  }
  return high * 0x1_0000_0000 + (low >>> 0);
}
