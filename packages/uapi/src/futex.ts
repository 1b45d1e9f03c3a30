/** Operations of futex(2) (include/uapi/linux/futex.h). */
export const Futex = {
  WAIT: 0,
  WAKE: 1,
  REQUEUE: 3,
  CMP_REQUEUE: 4,
  WAKE_OP: 5,
  WAIT_BITSET: 9,
  WAKE_BITSET: 10,
  /** The word is not shared with other processes: cheaper. */
  PRIVATE_FLAG: 128,
  CLOCK_REALTIME: 256,
} as const;
