import { Touch } from '@rpal/hw-x86';
import { FOREVER, type FutexKey, futexKey, KernelStep, type SyscallHandler } from '@rpal/kernel';
import { Futex } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { lockPi, type PiFutexParts, refuseUnlock, unlockPi } from './futex-pi.js';
import { requeuePi, waitRequeuePi } from './futex-requeue-pi.js';
import { PiFutexTable } from './pi-futexes.js';

/** As FUTEX_LOCK_PI, with a clock of the caller's choice: all of them show the same in the model. */
const LOCK_PI2 = 13;

const WAIT_REQUEUE_PI = 11;
const CMP_REQUEUE_PI = 12;

const COMMANDS: ReadonlySet<number> = new Set([
  Futex.LOCK_PI,
  Futex.TRYLOCK_PI,
  Futex.UNLOCK_PI,
  WAIT_REQUEUE_PI,
  CMP_REQUEUE_PI,
  LOCK_PI2,
]);
/** Those that know the real-time clock. */
const CLOCKED: ReadonlySet<number> = new Set([LOCK_PI2, WAIT_REQUEUE_PI]);

/** futex(2): locks that pass priorities on. The timeout of FUTEX_LOCK_PI is a point in time, where machine code makes the call. */
export function defineFutexCalls(calls: Calls): void {
  const { kernel, hooks, plugin } = calls;
  const { scheduler, futexes, processes } = kernel;
  const piFutexes = new PiFutexTable(scheduler, futexes.handover);
  const parts: PiFutexParts = { scheduler, futexes, processes, piFutexes };
  const key: FutexKey = { address: 0, space: 0, offset: 0 };
  futexes.owned = piFutexes;

  const handler: SyscallHandler = (cpu, thread, registers) => {
    const { args, a0, a1, a3 } = registers;
    const command = a1 & ~(Futex.PRIVATE_FLAG | Futex.CLOCK_REALTIME);
    cpu.charge(KernelStep.futexCall);
    if (command === Futex.UNLOCK_PI) {
      // Whether it is the caller's lock is checked before where the word is.
      const refused = refuseUnlock(cpu, thread, a0) || futexKey(cpu, thread, a0, a1, Touch.STORE, key);
      return refused !== 0 ? refused : unlockPi(parts, cpu, thread, key);
    }
    if (command === CMP_REQUEUE_PI) {
      cpu.charge(KernelStep.futexRequeueCall);
      return requeuePi(parts, cpu, thread, registers);
    }
    const how = command === Futex.TRYLOCK_PI ? 'trylock' : 'lock';
    const timeout = how === 'trylock' ? FOREVER : args.deadline(cpu, thread, a3);
    if (timeout < FOREVER) return timeout;
    if (command === WAIT_REQUEUE_PI) return waitRequeuePi(parts, cpu, thread, registers, timeout);
    const failed = futexKey(cpu, thread, a0, a1, Touch.STORE, key);
    return failed !== 0 ? failed : lockPi(parts, cpu, thread, key, how, timeout);
  };
  calls.extend(
    'futex',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const command = registers.a1 & ~(Futex.PRIVATE_FLAG | Futex.CLOCK_REALTIME);
        const knows = COMMANDS.has(command) && ((registers.a1 & Futex.CLOCK_REALTIME) === 0 || CLOCKED.has(command));
        return (knows ? handler : inner)(cpu, thread, registers);
      },
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
