/** The calls that the model and a real kernel both execute, and how they travel. The numbers are those of native/memory-server.c. */
export const Op = {
  MMAP: 0,
  MUNMAP: 1,
  MPROTECT: 2,
  MREMAP: 3,
  MADVISE: 4,
  BRK: 5,
  LOAD: 6,
  STORE: 7,
  FTRUNCATE: 8,
  PWRITE: 9,
  PREAD: 10,
  MLOCK: 11,
  MUNLOCK: 12,
  FORK: 13,
  LIMIT: 14,
  READ: 15,
  WRITE: 16,
} as const;

/** One call: its `Op` and up to six arguments. Addresses are offsets in the arena, or in the heap plus `WINDOW`. */
export type MemoryCall = readonly [op: number, ...args: number[]];

export const PAGE = 4096;
export const ARENA = 0x6000_0000_0000;
/** Sizes of the windows, in units: a number of pages that a comparison chooses. */
export const ARENA_UNITS = 128;
export const HEAP_UNITS = 64;
export const WINDOW = 2 ** 40;
/** RLIMIT_MEMLOCK at the start, in units; no process may raise it. */
export const LOCKED_UNITS = 32;
/** What LIMIT limits. */
export const Limited = { ADDRESS_SPACE: 0, LOCKED: 1, DATA: 2 } as const;
/** Two memory files, and the first one opened read-only. */
export const FILES = 3;
/** As hint: none. */
export const NO_HINT = -1;

/** What is seen after a call. */
export interface Observation {
  /** What it returned: a negative errno, or 0, an address, a byte; a probe that faults: -100000 - (signal | si_code << 8). */
  readonly result: number;
  /** Minor faults that it took (getrusage). */
  readonly faults: number;
  /** Page tables of the windows afterwards (VmPTE). */
  readonly tables: number;
  /** Huge pages in the windows afterwards (AnonHugePages). */
  readonly hugePages: number;
  /** The areas in the windows, as text. */
  readonly areas: readonly string[];
  /** One digit per page: present (1), a page of a file (2), mapped once (4). Empty if the kernel does not tell. */
  readonly pages: string;
}

/** `rw-p 3-7 f1+2`: rights, pages, and what is mapped. */
export function areaText(start: number, end: number, flags: number, kind: number, offset: number): string {
  const rights = `${flags & 1 ? 'r' : '-'}${flags & 2 ? 'w' : '-'}${flags & 4 ? 'x' : '-'}${flags & 8 ? 's' : 'p'}`;
  const where = start >= WINDOW ? 'heap ' : '';
  const base = start >= WINDOW ? WINDOW : 0;
  const what = ['', ' f0', ' f1', ' shared'][kind];
  return `${where}${(start - base) / PAGE}-${(end - base) / PAGE} ${rights}${what}${kind === 0 ? '' : `+${offset}`}`;
}

const names = Object.fromEntries(Object.entries(Op).map(([name, number]) => [number, name.toLowerCase()]));

/** A call as a reader of a failing case wants it. */
export function callText([op, ...args]: MemoryCall): string {
  const shown = args.map((arg) => {
    if (arg >= WINDOW && arg < 2 * WINDOW) return `heap+${pages(arg - WINDOW)}`;
    return Math.abs(arg) >= PAGE ? pages(arg) : `${arg}`;
  });
  return `${names[op]}(${shown.join(', ')})`;
}

function pages(bytes: number): string {
  return bytes % PAGE === 0 ? `${bytes / PAGE}p` : `0x${bytes.toString(16)}`;
}
