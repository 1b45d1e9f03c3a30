import { type Cpu, type KernelLock, LockKind, tellPassed, tellReleased, tellTaken } from '@rpal/hw-x86';

/**
 * The lock of an address space (Linux: `mmap_lock`). What it protects is done in single steps, so nobody ever waits for it: it is there
 * for observers of locks, who see the order in which locks are taken. `site` says where, if the system call does not.
 */
export class MmapLock implements KernelLock {
  readonly name = 'mmap_lock';
  readonly kind = LockKind.SLEEPING;

  take(cpu: Cpu, site: string): void {
    tellTaken(cpu, this, site);
  }

  release(cpu: Cpu): void {
    tellReleased(cpu, this);
  }

  /** Around something that takes no other lock. */
  pass(cpu: Cpu, site: string): void {
    tellPassed(cpu, this, site);
  }
}
