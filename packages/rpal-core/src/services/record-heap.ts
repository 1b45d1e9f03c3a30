/**
 * What the series allocates from the kernel's heap for a thread or a mapping. Like other kernel objects these take no memory of the
 * machine; they are counted, and allocating them can be made to fail.
 */
export const RecordKind = {
  /** `rpal_sender_data`, `rpal_receiver_data` (patch 08). */
  role: 0,
  /** `set_affinity_pending`: each thread with a role has one of its own, so that a CPU lock never allocates (patch 16). */
  affinity: 1,
  /** `rpal_shared_page` (patch 07). */
  sharedPages: 2,
} as const;

/** The records in use on one machine. */
export class RecordHeap {
  /** Records in use, by `RecordKind`. */
  readonly inUse: number[] = [0, 0, 0];
  /**
   * Makes an allocation fail, as `/proc/self/fail-nth` does in Linux: of the allocations that /proc/rpal makes from now on, the n-th
   * fails as if no memory were left. 0: none does.
   */
  failNth = 0;

  /** Makes a record. @returns false if there is no memory for it: the failure was asked for */
  allocate(kind: number): boolean {
    if (this.fails()) return false;
    this.inUse[kind] = (this.inUse[kind] as number) + 1;
    return true;
  }

  free(kind: number): void {
    this.inUse[kind] = (this.inUse[kind] as number) - 1;
  }

  /** Counts an allocation of something else. @returns true if it is the one that fails */
  fails(): boolean {
    return this.failNth > 0 && --this.failNth === 0;
  }
}
