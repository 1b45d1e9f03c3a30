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

/** A CPU that reports locks. The events are its own fields: a hand-over of both in one object would be looked into at every lock. */
export interface LockingCore {
  readonly id: number;
  readonly clock: number;
  readonly lockTaken: EventSeam<[cpu: number, time: number, lock: KernelLock, site: string]>;
  readonly lockReleased: EventSeam<[cpu: number, time: number, lock: KernelLock]>;
}

/** `cpu` has taken `lock`. @param site where, if the system call does not say it: a name of the code, and its patch */
export function tellTaken(cpu: LockingCore, lock: KernelLock, site: string): void {
  // The clock is a sum: it is asked for only if somebody listens.
  if (cpu.lockTaken.observed) cpu.lockTaken.emit(cpu.id, cpu.clock, lock, site);
}

/** `cpu` gives `lock` back. */
export function tellReleased(cpu: LockingCore, lock: KernelLock): void {
  if (cpu.lockReleased.observed) cpu.lockReleased.emit(cpu.id, cpu.clock, lock);
}

/** `cpu` has taken `lock` and given it back in one step, or would have had to: what was done meanwhile takes no other. */
export function tellPassed(cpu: LockingCore, lock: KernelLock, site: string): void {
  tellTaken(cpu, lock, site);
  tellReleased(cpu, lock);
}
