import { type Cpu, type KernelLock, LockKind, tellPassed, tellReleased, tellTaken } from '@rpal/hw-x86';

/** Who has a lock: a task. */
export interface LockHolder {
  readonly pid: number;
  readonly name: string;
}

/**
 * The lock of an address space (Linux: `mmap_lock`). Nearly all that it protects is done in the step in which it is taken, and then nobody
 * can find it taken; observers of locks are told all the same. Who keeps it over several steps is its `holder`, and others wait. `site`
 * says where, if the system call does not.
 */
export class MmapLock implements KernelLock {
  readonly name = 'mmap_lock';
  readonly kind = LockKind.SLEEPING;
  /** Who has it beyond a step; nearly always null. */
  holder: LockHolder | null = null;
  #sleepers: ((cpu: Cpu) => void)[] = [];

  take(cpu: Cpu, site: string): void {
    tellTaken(cpu, this, site);
  }

  release(cpu: Cpu): void {
    tellReleased(cpu, this);
    if (this.holder === null) return;
    this.holder = null;
    const sleepers = this.#sleepers;
    this.#sleepers = [];
    for (const wake of sleepers) wake(cpu);
  }

  /** Around something that takes no other lock. */
  pass(cpu: Cpu, site: string): void {
    // Looked at here, as every copy to or from a program comes by.
    if (cpu.lockTaken.observed || cpu.lockReleased.observed) tellPassed(cpu, this, site);
  }

  /** Once the holder gives it back, `wake` is called: all who wait try again. */
  onRelease(wake: (cpu: Cpu) => void): void {
    this.#sleepers.push(wake);
  }
}
