import { HardwareError } from '../errors.js';
import { formatAddress, HUGE_PAGE_SIZE, LARGE_PAGE_SIZE, PAGE_SIZE, requireCanonical } from './address.js';
import type { PhysicalMemory } from './physical-memory.js';

/**
 * The x86-64 page-table entry (Intel SDM vol. 3, 4.5): 64 bits, handled as two 32-bit halves.
 * Low half: bits 0..11 flags, 12..31 frame number bits 0..19. High half: bits 0..19 frame number bits 20..39,
 * 20..26 ignored, 27..30 protection key (entry bits 59..62), 31 execute-disable (entry bit 63).
 */
export const Pte = {
  present: 1,
  writable: 1 << 1,
  user: 1 << 2,
  writeThrough: 1 << 3,
  cacheDisable: 1 << 4,
  accessed: 1 << 5,
  dirty: 1 << 6,
  /** In a level-2 or level-3 entry: maps a page instead of pointing to a table. */
  pageSize: 1 << 7,
  global: 1 << 8,
  /** Bits 9..11 belong to software. */
  software1: 1 << 9,
  software2: 1 << 10,
  software3: 1 << 11,
  flags: 0xfff,
  /** Positions in the high half. */
  keyShift: 27,
  keyMask: 0xf << 27,
  noExecute: 1 << 31,
} as const;

/** Bytes mapped by one entry at each level; level 1 is the PT, level 4 the PML4. */
export const LEVEL_SPAN: readonly number[] = [0, PAGE_SIZE, LARGE_PAGE_SIZE, HUGE_PAGE_SIZE, 512 * HUGE_PAGE_SIZE];

/** Frame number held in an entry. Frame numbers stay below 2^31 (8 TiB of memory). */
export function entryFrame(low: number, high: number): number {
  return (low >>> 12) | ((high & 0x7ff) << 20);
}

/** Low half of an entry for `frame`. */
export function entryLow(frame: number, flags: number): number {
  return (frame << 12) | flags;
}

/** High half of an entry for `frame`. */
export function entryHigh(frame: number, key = 0, noExecute = false): number {
  return (frame >>> 20) | (key << Pte.keyShift) | (noExecute ? Pte.noExecute : 0);
}

/** Physical address of the entry for `address` in the table at `table` (a frame number). @param level 1 .. 4 */
export function entryAddress(table: number, address: number, level: number): number {
  // Dividing keeps addresses of both halves exact; the low nine bits of the quotient are the index.
  const index = Math.floor(address / (LEVEL_SPAN[level] as number)) & 511;
  return table * PAGE_SIZE + index * 8;
}

/** Where a walk ended: the entry that maps the address, or the first one that is not present. */
export interface Walk {
  /** Physical address of the entry. */
  readonly entry: number;
  /** Level of the entry: 1, 2 or 3 if it maps a page, 1 .. 4 if it is not present. */
  readonly level: number;
  readonly present: boolean;
  readonly low: number;
  readonly high: number;
}

/** Reads tables as software does: no permissions, no A/D updates, no TLB, no cost. */
export function walk(memory: PhysicalMemory, root: number, address: number): Walk {
  let table = root;
  for (let level = 4; ; level--) {
    const entry = entryAddress(table, address, level);
    const low = memory.read32(entry);
    const high = memory.read32(entry + 4);
    const present = (low & Pte.present) !== 0;
    if (!present || level === 1 || (low & Pte.pageSize) !== 0) return { entry, level, present, low, high };
    table = entryFrame(low, high);
  }
}

/** What `mapPage` needs to know of the page. */
export interface Mapping {
  readonly frame: number;
  /** `Pte` flags of the low half; `present` is added. */
  readonly flags: number;
  readonly key?: number;
  readonly noExecute?: boolean;
}

/**
 * Maps one page by hand, building tables as needed: for bare-metal programs and tests.
 * @param size 4 KiB, 2 MiB or 1 GiB; `address` and `mapping.frame` must be multiples of it
 * @throws HardwareError NON_CANONICAL_ADDRESS; INVALID_ARGUMENT if unaligned or in the way of a page of another size; OUT_OF_MEMORY if no frame is left for a table
 */
export function mapPage(memory: PhysicalMemory, root: number, address: number, mapping: Mapping, size: number = PAGE_SIZE): void {
  const leaf = LEVEL_SPAN.indexOf(size);
  if (leaf < 1 || leaf > 3) throw new HardwareError('INVALID_ARGUMENT', `size: ${size} is not 4096, 2 MiB or 1 GiB`);
  requireCanonical(address, 'address');
  if (address % size !== 0) throw new HardwareError('INVALID_ARGUMENT', `address: ${address} is not a multiple of ${size}`);
  if ((mapping.frame * PAGE_SIZE) % size !== 0) {
    throw new HardwareError('INVALID_ARGUMENT', `mapping.frame: ${mapping.frame} is not aligned to ${size} bytes`);
  }
  let table = root;
  for (let level = 4; level > leaf; level--) {
    const entry = entryAddress(table, address, level);
    if ((memory.read32(entry) & (Pte.present | Pte.pageSize)) === (Pte.present | Pte.pageSize)) {
      throw new HardwareError('INVALID_ARGUMENT', `address: ${formatAddress(address)} lies in a larger page that is mapped already`);
    }
    if ((memory.read32(entry) & Pte.present) === 0) {
      const frame = memory.allocate();
      if (frame < 0) throw new HardwareError('OUT_OF_MEMORY', 'no frame left for a page table');
      memory.fill(frame * PAGE_SIZE, PAGE_SIZE);
      memory.write32(entry, entryLow(frame, Pte.present | Pte.writable | Pte.user));
      memory.write32(entry + 4, entryHigh(frame));
    }
    table = entryFrame(memory.read32(entry), memory.read32(entry + 4));
  }
  const entry = entryAddress(table, address, leaf);
  if (leaf > 1 && (memory.read32(entry) & (Pte.present | Pte.pageSize)) === Pte.present) {
    throw new HardwareError('INVALID_ARGUMENT', `address: smaller pages are mapped within the ${size} bytes at ${formatAddress(address)}`);
  }
  const ps = leaf > 1 ? Pte.pageSize : 0;
  memory.write32(entry, entryLow(mapping.frame, mapping.flags | Pte.present | ps));
  memory.write32(entry + 4, entryHigh(mapping.frame, mapping.key, mapping.noExecute));
}
