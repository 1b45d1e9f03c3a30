import type { EventSeam } from '@rpal/bus';

/** What a CPU does while it waits for a lock. */
export const LockKind = {
  SPIN: 0,
  /** It may sleep (a mutex, a semaphore). */
  SLEEPING: 1,
} as const;

/** A lock of the kernel, as those who observe locks know it. */
export interface KernelLock {
  /** What it protects, in a few words. Locks of one name are a class: they are used alike (Linux: `struct lock_class`). */
  readonly name: string;
  /** One of `LockKind`. */
  readonly kind: number;
}

/** Where a CPU reports locks: the events `lockTaken` and `lockReleased`. */
export interface LockEvents {
  readonly taken: EventSeam<[cpu: number, time: number, lock: KernelLock, site: string]>;
  readonly released: EventSeam<[cpu: number, time: number, lock: KernelLock]>;
}

/** A CPU that reports locks. */
export interface LockingCore {
  readonly id: number;
  readonly clock: number;
  readonly locks: LockEvents;
}

/** `cpu` has taken `lock`. @param site where, if the system call does not say it: a name of the code, and its patch */
export function tellTaken(cpu: LockingCore, lock: KernelLock, site: string): void {
  const { taken } = cpu.locks;
  // The clock is a sum: it is asked for only if somebody listens.
  if (taken.observed) taken.emit(cpu.id, cpu.clock, lock, site);
}

/** `cpu` gives `lock` back. */
export function tellReleased(cpu: LockingCore, lock: KernelLock): void {
  const { released } = cpu.locks;
  if (released.observed) released.emit(cpu.id, cpu.clock, lock);
}

/** `cpu` has taken `lock` and given it back in one step, or would have had to: what was done meanwhile takes no other. */
export function tellPassed(cpu: LockingCore, lock: KernelLock, site: string): void {
  tellTaken(cpu, lock, site);
  tellReleased(cpu, lock);
}
