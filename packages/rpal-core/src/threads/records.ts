import type { Rpal } from '../rpal.js';

/**
 * What the series allocates from the kernel's heap for a thread or a mapping. Like other objects of the kernel these take no memory of
 * the machine; they are counted, and allocating them can be made to fail.
 */
export const RecordKind = {
  /** `rpal_sender_data`, `rpal_receiver_data` (patch 08). */
  role: 0,
  /** `set_affinity_pending`: each thread with a role has one of its own, so that a CPU lock never allocates (patch 16). */
  affinity: 1,
  /** `rpal_shared_page` (patch 07). */
  sharedPages: 2,
} as const;

/** A record is made. @returns false if there is no memory for it: the failure was ordered */
export function allocateRecord(rpal: Rpal, kind: number): boolean {
  if (allocationFails(rpal)) return false;
  rpal.records[kind] = (rpal.records[kind] as number) + 1;
  return true;
}

export function freeRecord(rpal: Rpal, kind: number): void {
  rpal.records[kind] = (rpal.records[kind] as number) - 1;
}

/** Is this the allocation that is to fail? */
export function allocationFails(rpal: Rpal): boolean {
  return rpal.failNth > 0 && --rpal.failNth === 0;
}
