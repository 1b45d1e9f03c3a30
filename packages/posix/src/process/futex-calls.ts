import { Touch } from '@rpal/hw-x86';
import { FOREVER, type FutexKey, futexKey, KernelStep, type SyscallHandler } from '@rpal/kernel';
import { Futex } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { lockPi, type PiFutexParts, refuseUnlock, unlockPi } from './futex-pi.js';
import { PiFutexTable } from './pi-futexes.js';

/** As FUTEX_LOCK_PI, with a clock of the caller's choice: all of them show the same in the model. */
const LOCK_PI2 = 13;

const COMMANDS: ReadonlySet<number> = new Set([Futex.LOCK_PI, Futex.TRYLOCK_PI, Futex.UNLOCK_PI, LOCK_PI2]);

/** futex(2): locks that pass priorities on. The timeout of FUTEX_LOCK_PI is a point in time, where machine code makes the call. */
export function defineFutexCalls(calls: Calls): void {
  const { kernel, hooks, plugin } = calls;
  const { scheduler, futexes, processes } = kernel;
  const piFutexes = new PiFutexTable(scheduler, futexes.handover);
  const parts: PiFutexParts = { scheduler, futexes, processes, piFutexes };
  const key: FutexKey = { address: 0, space: 0, offset: 0 };
  futexes.owned = piFutexes;

  const handler: SyscallHandler = (cpu, thread, { args, a0, a1, a3 }) => {
    const command = a1 & ~(Futex.PRIVATE_FLAG | Futex.CLOCK_REALTIME);
    cpu.charge(KernelStep.futexCall);
    if (command === Futex.UNLOCK_PI) {
      // Whether it is the caller's lock is checked before where the word is.
      const refused = refuseUnlock(cpu, thread, a0) || futexKey(cpu, thread, a0, a1, Touch.STORE, key);
      return refused !== 0 ? refused : unlockPi(parts, cpu, thread, key);
    }
    const how = command === Futex.TRYLOCK_PI ? 'trylock' : 'lock';
    const timeout = how === 'trylock' ? FOREVER : args.deadline(cpu, thread, a3);
    if (timeout < FOREVER) return timeout;
    const failed = futexKey(cpu, thread, a0, a1, Touch.STORE, key);
    return failed !== 0 ? failed : lockPi(parts, cpu, thread, key, how, timeout);
  };
  calls.extend(
    'futex',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const command = registers.a1 & ~(Futex.PRIVATE_FLAG | Futex.CLOCK_REALTIME);
        // Of these only LOCK_PI2 knows the real-time clock.
        const knows = COMMANDS.has(command) && ((registers.a1 & Futex.CLOCK_REALTIME) === 0 || command === LOCK_PI2);
        return (knows ? handler : inner)(cpu, thread, registers);
      },
    { missing: 'WAIT_REQUEUE_PI and CMP_REQUEUE_PI are ENOSYS' },
  );
  // Behind the robust list of the same thread, as in exit_futex.
  hooks.kernelMemoryRelease.tap(
    plugin,
    (cpu, thread) => {
      if (thread.inheritance !== null) piFutexes.abandon(cpu, thread);
    },
    1,
  );
}
