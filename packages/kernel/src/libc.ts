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

/** The two digits of a byte, the first one in the low half. */
const PAIRS = Uint16Array.from({ length: 256 }, (_, byte) => (DIGITS[byte >>> 4] as number) | ((DIGITS[byte & 15] as number) << 8));

/** The text of the stamp that was formatted last. */
const text = new Uint8Array(18);
text[0] = ZERO;
text[1] = X;

/** Writes characters `done` .. `done + part` of a stamp's text to physical memory. */
export function formatStamp(memory: PhysicalMemory, at: number, part: number, done: number, value: number): void {
  const high = Math.floor(value * (1 / 0x1_0000_0000)) | 0;
  const low = value | 0;
  for (let i = 0; i < 8; i++) {
    const pair = PAIRS[((i < 4 ? high : low) >>> (24 - ((i & 3) << 3))) & 255] as number;
    text[PREFIX + 2 * i] = pair & 255;
    text[PREFIX + 2 * i + 1] = pair >>> 8;
  }
  const { u8 } = memory;
  for (let i = 0; i < part; i++) u8[at + i] = text[done + i] as number;
}

/**
 * Reads characters `done` .. `done + part` of a stamp's text, continuing the value parsed so far.
 * @returns the value, or -1 at a character that does not belong there
 */
export function parseStamp(memory: PhysicalMemory, at: number, part: number, done: number, parsed: number): number {
  const { u8 } = memory;
  let i = 0;
  for (; i < part && done + i < PREFIX; i++) if (u8[at + i] !== text[done + i]) return -1;
  // The value so far as two words, shifted left by a digit at a time.
  let high = Math.floor(parsed * (1 / 0x1_0000_0000)) | 0;
  let low = parsed | 0;
  let worst = 0;
  for (; i < part; i++) {
    const nibble = VALUES[u8[at + i] as number] as number;
    worst |= nibble;
    high = (high << 4) | (low >>> 28);
    low = (low << 4) | nibble;
  }
  return worst < 0 ? -1 : high * 0x1_0000_0000 + (low >>> 0);
}
