import { PAGE_SIZE } from '@rpal/hw-x86';
import { brk, madvise, mlock, mmap, mprotect, munlock, munmap, pkeyAlloc, pkeyFree, unsigned } from '@rpal/mm';
import type { Waker } from '@rpal/sched';
import { Errno, MapFlag } from '@rpal/uapi';
import type { SyscallHandler, SyscallTable } from '../dispatch/syscall-table.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import { underMmapLock } from './mmap-lock.js';

/** Where flags have the binary logarithm of a huge page's size, and which there are: the default, 2 MiB, 1 GiB. */
const HUGE_SHIFT = 26;
const HUGE_SIZES: ReadonlySet<number> = new Set([0, 21, 30]);

/** What a request for huge pages comes to: nobody has set any aside, of whatever size. @param flags of mmap, shmget or memfd_create */
export function refuseHuge(flags: number): number {
  return HUGE_SIZES.has(flags >>> HUGE_SHIFT) ? -Errno.ENOMEM : -Errno.EINVAL;
}

/** What programs do to their address space. */
export function defineMemoryCalls(table: SyscallTable, { scheduler }: { readonly scheduler: Waker }): void {
  const define = (nr: number, call: SyscallHandler): void => table.define(nr, underMmapLock(scheduler, call));

  define(Nr.mmap, (cpu, thread, { a0, a1, a2, a3, a4, a5 }) => {
    if (a5 % PAGE_SIZE !== 0) return -Errno.EINVAL;
    const huge = (a3 & MapFlag.HUGETLB) !== 0;
    if ((a3 & MapFlag.ANONYMOUS) !== 0) {
      if (!huge) return mmap(cpu, thread.memory, a0, a1, a2, a3);
      return refuseHuge(a3);
    }
    const file = thread.process.files.lookUp(cpu, a4);
    if (file === null) return -Errno.EBADF;
    return huge ? -Errno.EINVAL : file.mmap(cpu, thread, a0, a1, a2, a3, unsigned(a5));
  });

  define(Nr.munmap, (cpu, thread, { a0, a1 }) => munmap(cpu, thread.memory, a0, a1));
  define(Nr.mprotect, (cpu, thread, { a0, a1, a2 }) => mprotect(cpu, thread.memory, a0, a1, a2));
  define(Nr.brk, (cpu, thread, { a0 }) => brk(cpu, thread.memory, a0));
  define(Nr.madvise, (cpu, thread, { a0, a1, a2 }) => madvise(cpu, thread.memory, a0, a1, a2));
  define(Nr.mlock, (cpu, thread, { a0, a1 }) => mlock(cpu, thread.memory, a0, a1));
  define(Nr.munlock, (cpu, thread, { a0, a1 }) => munlock(cpu, thread.memory, a0, a1));

  define(Nr.pkey_mprotect, (cpu, thread, { a0, a1, a2, a3 }) => {
    const key = a3 | 0;
    // A processor without keys has none that is allocated, not even the first.
    return mprotect(cpu, thread.memory, a0, a1, a2, key);
  });
  define(Nr.pkey_alloc, (cpu, thread, { a0, a1 }) => pkeyAlloc(cpu, thread.memory, a0, a1));
  define(Nr.pkey_free, (cpu, thread, { a0 }) => pkeyFree(cpu, thread.memory, a0 | 0));
}
