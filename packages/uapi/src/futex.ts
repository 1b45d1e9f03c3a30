/** Operations of futex(2) (include/uapi/linux/futex.h). */
export const Futex = {
  WAIT: 0,
  WAKE: 1,
  REQUEUE: 3,
  CMP_REQUEUE: 4,
  WAKE_OP: 5,
  LOCK_PI: 6,
  UNLOCK_PI: 7,
  TRYLOCK_PI: 8,
  WAIT_BITSET: 9,
  WAKE_BITSET: 10,
  /** The word is not shared with other processes: cheaper. */
  PRIVATE_FLAG: 128,
  CLOCK_REALTIME: 256,
} as const;

/** The word of a futex that passes priorities on: the owner's thread id, somebody waits, the owner has ended. As 32-bit signed numbers. */
export const FutexWord = { TID_MASK: 0x3fff_ffff, OWNER_DIED: 0x4000_0000, WAITERS: 0x8000_0000 | 0 } as const;
