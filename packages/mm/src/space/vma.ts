import type { Cpu } from '@rpal/hw-x86';
import { Prot } from '@rpal/uapi';
import type { MmStruct } from './mm-struct.js';

/** Flags of a virtual memory area, with Linux's values (include/linux/mm.h). */
export const VmFlag = {
  READ: 0x1,
  WRITE: 0x2,
  EXEC: 0x4,
  SHARED: 0x8,
  MAYREAD: 0x10,
  MAYWRITE: 0x20,
  MAYEXEC: 0x40,
  MAYSHARE: 0x80,
  GROWSDOWN: 0x100,
  PFNMAP: 0x400,
  LOCKED: 0x2000,
  SEQ_READ: 0x8000,
  RAND_READ: 0x1_0000,
  DONTCOPY: 0x2_0000,
  DONTEXPAND: 0x4_0000,
  LOCKONFAULT: 0x8_0000,
  ACCOUNT: 0x10_0000,
  NORESERVE: 0x20_0000,
  WIPEONFORK: 0x200_0000,
  DONTDUMP: 0x400_0000,
  HUGEPAGE: 0x2000_0000,
  NOHUGEPAGE: 0x4000_0000,
  /** Protection bits proper. */
  PROT: 0x7,
  /** Areas that never merge with others: PFNMAP, DONTEXPAND. */
  SPECIAL: 0x4_0400,
} as const;

/** Memory behind a mapping that is not private and anonymous. Pages are looked up by page offset. */
export interface MappedObject {
  /** Shown in maps; empty for anonymous shared memory. */
  readonly name: string;
  /** It was opened for reading, for writing; both if absent. */
  readonly readable?: boolean;
  readonly writable?: boolean;
  /** Areas that map it are counted one by one: none is given up for another (Linux: `vm_ops->close`). */
  readonly countsAreas?: boolean;
  /** False: there is no such mapping at all (ENODEV). */
  readonly mappable?: boolean;
  /**
   * Frame of page `offset`, made on demand on behalf of `cpu`; -1 if it lies beyond the object's end (SIGBUS), -2 if no
   * memory is left.
   */
  frame(offset: number, cpu: Cpu): number;
  /** As `frame`, but -1 unless the page is there already: faults map such pages around the one they are for. */
  cachedFrame?(offset: number, cpu: Cpu): number;
  /** One area of `mm` more maps it, or one less: also by fork, exit, split and merge. */
  mapped?(change: 1 | -1, vma: Vma, mm: MmStruct): void;
}

/**
 * What the anonymous pages of related areas have in common (Linux: `struct anon_vma`). The model has no reverse map; it
 * needs the identity alone, because areas with different ones do not merge.
 *
 * Linux lets a fork inherit an ancestor's that no area calls its own any more (`anon_vma_clone`); here each fork makes a new one.
 * No program sees the difference: what is inherited is nobody else's within the process, as a new one is, and the chain of its
 * area is longer than one either way.
 */
export class AnonVma {}

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
  /** Set once private pages have been made here. */
  anonVma: AnonVma | null = null;
  /** The own `anonVma` and those inherited from parents (Linux: length of `anon_vma_chain`). */
  anonChain = 0;

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

  /** Some access is allowed (Linux: `vma_is_accessible`). */
  get accessible(): boolean {
    return (this.flags & VmFlag.PROT) !== 0;
  }

  /** An area with the same attributes for [start, end). */
  copy(start: number, end: number, offset: number): Vma {
    const copy = new Vma(start, end, this.flags, this.key, this.object, offset);
    copy.anonVma = this.anonVma;
    copy.anonChain = this.anonChain;
    return copy;
  }
}

/** VM flags for protection bits of mmap and mprotect. */
export function protFlags(prot: number): number {
  return prot & (Prot.READ | Prot.WRITE | Prot.EXEC);
}
