/** Protection bits of mmap and mprotect. */
export const Prot = { NONE: 0, READ: 1, WRITE: 2, EXEC: 4, GROWSDOWN: 0x0100_0000, GROWSUP: 0x0200_0000 } as const;

/** Flags of mmap. */
export const MapFlag = {
  SHARED: 0x01,
  PRIVATE: 0x02,
  SHARED_VALIDATE: 0x03,
  TYPE: 0x0f,
  FIXED: 0x10,
  ANONYMOUS: 0x20,
  BIT32: 0x40,
  GROWSDOWN: 0x100,
  DENYWRITE: 0x800,
  LOCKED: 0x2000,
  NORESERVE: 0x4000,
  POPULATE: 0x8000,
  NONBLOCK: 0x1_0000,
  STACK: 0x2_0000,
  HUGETLB: 0x4_0000,
  FIXED_NOREPLACE: 0x10_0000,
} as const;

/** Rights that pkey_alloc takes and PKRU holds, per key. */
export const Pkey = { DISABLE_ACCESS: 1, DISABLE_WRITE: 2 } as const;

/** Flags of mremap. */
export const Mremap = { MAYMOVE: 1, FIXED: 2, DONTUNMAP: 4 } as const;

/** Advice of madvise. */
export const Madvise = {
  DONTNEED: 4,
  DONTFORK: 10,
  DOFORK: 11,
  HUGEPAGE: 14,
  NOHUGEPAGE: 15,
  POPULATE_READ: 22,
  POPULATE_WRITE: 23,
  COLLAPSE: 25,
  GUARD_INSTALL: 102,
  GUARD_REMOVE: 103,
} as const;
