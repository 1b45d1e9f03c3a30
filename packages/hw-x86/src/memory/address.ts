import { HardwareError } from '../errors.js';

/**
 * Linear addresses are numbers: 0 .. 2^47-1 for the lower (user) half, -2^47 .. -1 for the canonical upper half.
 * Both are exact in a double, and a sign test tells user from kernel.
 */
export const PAGE_SHIFT = 12;
/** Bytes of a 4 KiB page. */
export const PAGE_SIZE = 4096;
/** The bits of an address that are its offset in a 4 KiB page. */
export const PAGE_MASK = 4095;
/** Bytes of a 2 MiB page. */
export const LARGE_PAGE_SIZE = 0x20_0000;
/** Bytes of a 1 GiB page. */
export const HUGE_PAGE_SIZE = 0x4000_0000;
/** First address above the user half with 4-level paging: 128 TiB. */
export const USER_TOP = 0x8000_0000_0000;
/** Bytes mapped by one top-level (PML4) entry: 512 GiB. */
export const PML4_ENTRY_SPAN = 0x80_0000_0000;
/** Bytes. */
export const CACHE_LINE = 64;

/** Bytes of a KiB. */
export const KIB = 1024;
/** Bytes of a MiB. */
export const MIB = 0x10_0000;
/** Bytes of a GiB. */
export const GIB = 0x4000_0000;

/** Rounds down to a page boundary. */
export function pageFloor(address: number): number {
  return address - (address & PAGE_MASK);
}

/** Rounds up to a page boundary. */
export function pageCeil(address: number): number {
  return pageFloor(address + PAGE_MASK);
}

/** `0x7f00_0000_0000` as people read addresses: 12 hexadecimal digits, the upper half sign-extended to 16. */
export function formatAddress(address: number): string {
  if (address >= 0) return `0x${address.toString(16).padStart(12, '0')}`;
  return `0x${(0x1_0000_0000_0000 + address).toString(16).padStart(16, 'f')}`;
}

/** An integer in either canonical half. */
export function isCanonical(address: number): boolean {
  return Number.isInteger(address) && address < USER_TOP && address >= -USER_TOP;
}

/** @throws HardwareError NON_CANONICAL_ADDRESS unless `address` is an integer in either canonical half */
export function requireCanonical(address: number, argument: string): void {
  if (!isCanonical(address)) {
    throw new HardwareError(
      'NON_CANONICAL_ADDRESS',
      `${argument}: ${address} is not a canonical address; use 0 .. 2^47-1, or -2^47 .. -1 for the upper half`,
    );
  }
}
