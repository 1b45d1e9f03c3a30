import type { SyscallHandler } from '@rpal/kernel';
import { Futex } from '@rpal/uapi';
import type { Calls } from '../calls.js';

/** As FUTEX_LOCK_PI, with a clock of the caller's choice: all of them show the same in the model. */
const LOCK_PI2 = 13;

/** futex(2): the lock whose timeout is of either clock. */
export function defineFutexCalls(calls: Calls): void {
  calls.extend(
    'futex',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const operation = registers.a1;
        if ((operation & ~(Futex.PRIVATE_FLAG | Futex.CLOCK_REALTIME)) !== LOCK_PI2) return inner(cpu, thread, registers);
        registers.a1 = Futex.LOCK_PI | (operation & Futex.PRIVATE_FLAG);
        const result = inner(cpu, thread, registers);
        registers.a1 = operation;
        return result;
      },
    { missing: 'WAIT_REQUEUE_PI and CMP_REQUEUE_PI are ENOSYS' },
  );
}
