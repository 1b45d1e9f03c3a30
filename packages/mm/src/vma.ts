import { Prot } from '@rpal/uapi';

/** Flags of a virtual memory area, with Linux's values (include/linux/mm.h). */
export const VmFlag = {
  READ: 0x1,
  WRITE: 0x2,
  EXEC: 0x4,
  SHARED: 0x8,
  MAYREAD: 0x10,
  MAYWRITE: 0x20,
  MAYEXEC: 0x40,
  GROWSDOWN: 0x100,
  PFNMAP: 0x400,
  LOCKED: 0x2000,
  DONTCOPY: 0x2_0000,
  DONTEXPAND: 0x4_0000,
  ACCOUNT: 0x10_0000,
  NORESERVE: 0x20_0000,
  DONTDUMP: 0x400_0000,
  /** Protection bits proper. */
  PROT: 0x7,
} as const;

/** Memory behind a mapping that is not private and anonymous. Pages are looked up by page offset. */
export interface MappedObject {
  /** Shown in maps; empty for anonymous shared memory. */
  readonly name: string;
  /** Frame of page `offset`, made on demand; -1 if it lies beyond the object's end (SIGBUS), -2 if no memory is left. */
  frame(offset: number): number;
  /** A mapping of `pages` pages from page `offset` came (`1`) or went (`-1`), also by split, merge and fork. */
  mapped?(change: 1 | -1, vma: Vma): void;
}

/** One range of a process's address space with uniform attributes. */
export class Vma {
  start: number;
  end: number;
  flags: number;
  /** Protection key of its pages. */
  key: number;
  /** What is mapped; null for private anonymous memory. */
  readonly object: MappedObject | null;
  /** Offset of `start` in the object, in pages; for private anonymous memory its first address, in pages, as in Linux. */
  offset: number;
  /** Private anonymous pages have been made here, or inherited (Linux: has an `anon_vma`); such areas merge only with kin. */
  anonymous: object | null = null;

  constructor(start: number, end: number, flags: number, key: number, object: MappedObject | null, offset: number) {
    this.start = start;
    this.end = end;
    this.flags = flags;
    this.key = key;
    this.object = object;
    this.offset = offset;
  }

  get pages(): number {
    return (this.end - this.start) / 4096;
  }

  /** True if `next`, which begins where this one ends, may become part of it. */
  mergesWith(next: Vma): boolean {
    return (
      this.end === next.start &&
      this.flags === next.flags &&
      this.key === next.key &&
      this.object === next.object &&
      this.offset + this.pages === next.offset &&
      (this.anonymous === next.anonymous || this.anonymous === null || next.anonymous === null)
    );
  }
}

/** VM flags for protection bits of mmap and mprotect. */
export function protFlags(prot: number): number {
  return prot & (Prot.READ | Prot.WRITE | Prot.EXEC);
}
