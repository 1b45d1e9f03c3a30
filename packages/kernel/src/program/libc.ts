import type { PhysicalMemory } from '@rpal/hw-x86';

const PREFIX = 2;
const ZERO = 0x30;
const X = 0x78;
const DIGITS = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
/** The value of a hexadecimal digit by its character code; -1 for other characters. Only lower case, as sprintf writes. */
const VALUES = new Int8Array(256).fill(-1);
DIGITS.forEach((code, value) => {
  VALUES[code] = value;
});

/** The two digits of a byte, the first one in the low half. */
const PAIRS = Uint16Array.from({ length: 256 }, (_, byte) => (DIGITS[byte >>> 4] as number) | ((DIGITS[byte & 15] as number) << 8));

/** The value of two digits by their character codes, the first one in the low half; -1 unless both are digits. */
const BYTES = new Int16Array(0x1_0000).fill(-1);
PAIRS.forEach((pair, byte) => {
  BYTES[pair] = byte;
});

/** Characters of a stamp; sprintf puts a zero behind them. */
export const STAMP_LENGTH = 18;
export const PRINTED_LENGTH = 19;
const OX = ZERO | (X << 8);
/** The text of the stamp that was formatted last, as pairs of characters and as characters, and what ends it. */
const pairs = new Uint16Array(STAMP_LENGTH / 2 + 1);
pairs[0] = OX;
const text = new Uint8Array(pairs.buffer);

/** Writes characters `done` .. `done + part` of a stamp's text, the zero at its end included, to physical memory. */
export function formatStamp(memory: PhysicalMemory, at: number, part: number, done: number, value: number): void {
  const high = Math.floor(value * (1 / 0x1_0000_0000)) | 0;
  const low = value | 0;
  if (done === 0 && part >= STAMP_LENGTH && (at & 3) === 0) {
    formatAligned(memory, at, high, low);
    if (part > STAMP_LENGTH) memory.write8(at + STAMP_LENGTH, 0);
    return;
  }
  for (let i = 0; i < 4; i++) pairs[1 + i] = pair(high >>> (24 - 8 * i));
  for (let i = 0; i < 4; i++) pairs[5 + i] = pair(low >>> (24 - 8 * i));
  for (let i = 0; i < part; i++) memory.write8(at + i, text[done + i] as number);
}

/** A whole stamp that begins at a multiple of four, by words. */
function formatAligned(memory: PhysicalMemory, at: number, high: number, low: number): void {
  memory.write32(at, OX | (pair(high >>> 24) << 16));
  memory.write32(at + 4, pair(high >>> 16) | (pair(high >>> 8) << 16));
  memory.write32(at + 8, pair(high) | (pair(low >>> 24) << 16));
  memory.write32(at + 12, pair(low >>> 16) | (pair(low >>> 8) << 16));
  memory.write16(at + 16, pair(low));
}

/** The digits of the lowest byte. */
function pair(value: number): number {
  return PAIRS[value & 255] as number;
}

/**
 * Reads characters `done` .. `done + part` of a stamp's text, continuing the value parsed so far.
 * @returns the value, or -1 at a character that does not belong there
 */
export function parseStamp(memory: PhysicalMemory, at: number, part: number, done: number, parsed: number): number {
  if (done === 0 && part === STAMP_LENGTH && (at & 3) === 0) return parseAligned(memory, at);
  let i = 0;
  for (; i < part && done + i < PREFIX; i++) if (memory.read8(at + i) !== text[done + i]) return -1;
  // The value so far as two words, shifted left by a digit at a time.
  let high = Math.floor(parsed * (1 / 0x1_0000_0000)) | 0;
  let low = parsed | 0;
  let worst = 0;
  for (; i < part; i++) {
    const nibble = VALUES[memory.read8(at + i)] as number;
    worst |= nibble;
    high = (high << 4) | (low >>> 28);
    low = (low << 4) | nibble;
  }
  return worst < 0 ? -1 : high * 0x1_0000_0000 + (low >>> 0);
}

/** A whole stamp that begins at a multiple of four, by words. */
function parseAligned(memory: PhysicalMemory, at: number): number {
  let word = memory.read32(at);
  if ((word & 0xffff) !== OX) return -1;
  let high = 0;
  let low = 0;
  let worst = 0;
  for (let i = 1; i <= 4; i++) {
    const one = BYTES[word >>> 16] as number;
    word = memory.read32(at + 4 * i);
    const other = BYTES[word & 0xffff] as number;
    worst |= one | other;
    high = (high << 16) | (low >>> 16);
    low = (low << 16) | (one << 8) | other;
  }
  return worst < 0 ? -1 : high * 0x1_0000_0000 + (low >>> 0);
}
