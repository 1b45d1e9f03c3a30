import { pageCeil } from '@rpal/hw-x86';

const TWO_64 = 2 ** 64;

/** The unsigned 64-bit value of a register, or of a sum of two. Registers are signed in the model. */
export function unsigned(value: number): number {
  return value < 0 ? value + TWO_64 : value >= TWO_64 ? value - TWO_64 : value;
}

/** Bytes of the whole pages that a length covers (Linux: `PAGE_ALIGN`): 0 for one within the last page of 2^64. */
export function wholePages(length: number): number {
  return unsigned(pageCeil(length));
}
