import { Capability, type SyscallHandler, UserBuffer } from '@rpal/kernel';
import { Errno, Prctl as KernelPrctl, Signal } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { Cap, changed, hasCapability } from '../identity/capabilities.js';
import type { Traits, TraitTable } from '../identity/traits.js';
import { coreCookies } from '../sched/core-cookies.js';
import { PosixStep } from '../steps.js';
import { putInt, putLong } from '../user-memory.js';
import type { ThreadLife } from './thread-life.js';

/** Options of prctl besides those that the kernel has (include/uapi/linux/prctl.h). */
export const Prctl = {
  SET_PDEATHSIG: 1,
  GET_PDEATHSIG: 2,
  GET_DUMPABLE: 3,
  SET_DUMPABLE: 4,
  GET_KEEPCAPS: 7,
  SET_KEEPCAPS: 8,
  GET_TIMING: 13,
  SET_TIMING: 14,
  SET_NAME: 15,
  GET_NAME: 16,
  GET_SECCOMP: 21,
  CAPBSET_READ: 23,
  CAPBSET_DROP: 24,
  GET_TSC: 25,
  SET_TSC: 26,
  GET_SECUREBITS: 27,
  SET_SECUREBITS: 28,
  TASK_PERF_EVENTS_DISABLE: 31,
  TASK_PERF_EVENTS_ENABLE: 32,
  MCE_KILL: 33,
  MCE_KILL_GET: 34,
  SET_CHILD_SUBREAPER: 36,
  GET_CHILD_SUBREAPER: 37,
  SET_NO_NEW_PRIVS: 38,
  GET_NO_NEW_PRIVS: 39,
  GET_TID_ADDRESS: 40,
  SET_THP_DISABLE: 41,
  GET_THP_DISABLE: 42,
  CAP_AMBIENT: 47,
  SET_IO_FLUSHER: 57,
  GET_IO_FLUSHER: 58,
  SET_MDWE: 65,
  GET_MDWE: 66,
  SET_MEMORY_MERGE: 67,
  GET_MEMORY_MERGE: 68,
} as const;

const Ambient = { IS_SET: 1, RAISE: 2, LOWER: 3, CLEAR_ALL: 4 } as const;
/** Bytes of a thread's name, with the zero behind it (TASK_COMM_LEN). */
const NAME = 16;
const TSC_ENABLE = 1;

const KEEP_CAPS = 1 << 4;
const KEEP_CAPS_LOCKED = 1 << 5;
const NO_CAP_AMBIENT_RAISE = 1 << 6;
/** Every second bit of the secure bits locks the one below it. */
const SECURE_BITS = 0x555;
const SECURE_LOCKS = 0xaaa;

const isCapability = (number: number): boolean => number >= 0 && number <= Cap.LAST;

/** prctl(2). */
export function definePrctl(calls: Calls, traits: TraitTable, life: ThreadLife): void {
  const name = new UserBuffer(NAME);

  const handler =
    (inner: SyscallHandler): SyscallHandler =>
    (cpu, thread, registers) => {
      const { a0: option, a1, a2, a3, a4 } = registers;
      const { process } = thread;
      const own = traits.of(process);
      const old = process.credentials;
      const rest = a2 !== 0 || a3 !== 0 || a4 !== 0;
      cpu.charge(PosixStep.identity);
      switch (option) {
        case Prctl.SET_PDEATHSIG:
          if (!(a1 >= 0 && a1 <= Signal.RTMAX)) return -Errno.EINVAL;
          own.parentDeathSignal = a1;
          return 0;
        case Prctl.GET_PDEATHSIG:
          return putInt(cpu, thread, a1, own.parentDeathSignal);
        case Prctl.GET_DUMPABLE:
          return own.dumpable;
        case Prctl.SET_DUMPABLE:
          return setTo(own, 'dumpable', a1, [0, 1]);
        case Prctl.GET_KEEPCAPS:
          return (old.secureBits & KEEP_CAPS) === 0 ? 0 : 1;
        case Prctl.SET_KEEPCAPS:
          if (a1 !== 0 && a1 !== 1) return -Errno.EINVAL;
          if ((old.secureBits & KEEP_CAPS_LOCKED) !== 0) return -Errno.EPERM;
          process.credentials = { ...old, secureBits: a1 === 1 ? old.secureBits | KEEP_CAPS : old.secureBits & ~KEEP_CAPS };
          return 0;
        case Prctl.GET_TIMING:
        case Prctl.GET_SECCOMP:
        case Prctl.TASK_PERF_EVENTS_DISABLE:
        case Prctl.TASK_PERF_EVENTS_ENABLE:
          return 0;
        case Prctl.SET_TIMING:
          return a1 === 0 ? 0 : -Errno.EINVAL;
        case Prctl.SET_NAME: {
          cpu.charge(PosixStep.taskName);
          let length = 0;
          for (; length < NAME - 1; length++) {
            if (name.load(cpu, thread, a1 + length, 1) < 0) return -Errno.EFAULT;
            const byte = name.view.getUint8(0);
            if (byte === 0) break;
            name.view.setUint8(1 + length, byte);
          }
          thread.name = name.text(1, length);
          if (thread === process.leader) process.name = thread.name;
          return 0;
        }
        case Prctl.GET_NAME:
          cpu.charge(PosixStep.taskName);
          name.clear(NAME);
          for (let i = 0; i < Math.min(NAME - 1, thread.name.length); i++) name.view.setUint8(i, thread.name.charCodeAt(i));
          return name.store(cpu, thread, a1, NAME) < 0 ? -Errno.EFAULT : 0;
        case Prctl.CAPBSET_READ:
          return isCapability(a1) ? Number(hasCapability(old.bounding, a1)) : -Errno.EINVAL;
        case Prctl.CAPBSET_DROP:
          if (!process.capable(Cap.SETPCAP)) return -Errno.EPERM;
          if (!isCapability(a1)) return -Errno.EINVAL;
          process.credentials = { ...old, bounding: changed(old.bounding, a1, false) };
          return 0;
        case Prctl.GET_TSC:
          return putInt(cpu, thread, a1, TSC_ENABLE);
        case Prctl.SET_TSC:
          return a1 === TSC_ENABLE ? 0 : -Errno.EINVAL;
        case Prctl.GET_SECUREBITS:
          return old.secureBits;
        case Prctl.SET_SECUREBITS: {
          const locked = (old.secureBits & SECURE_LOCKS) >> 1;
          const refused =
            (locked & (old.secureBits ^ a1)) !== 0 ||
            (old.secureBits & SECURE_LOCKS & ~a1) !== 0 ||
            (a1 & ~(SECURE_BITS | SECURE_LOCKS)) !== 0 ||
            !process.capable(Cap.SETPCAP);
          if (refused) return -Errno.EPERM;
          process.credentials = { ...old, secureBits: a1 };
          return 0;
        }
        case Prctl.MCE_KILL:
          if (a3 !== 0 || a4 !== 0) return -Errno.EINVAL;
          if (a1 === 0) return a2 === 0 ? setTo(own, 'machineCheckKill', 2, [2]) : -Errno.EINVAL;
          return a1 === 1 ? setTo(own, 'machineCheckKill', a2, [0, 1, 2]) : -Errno.EINVAL;
        case Prctl.MCE_KILL_GET:
          return a1 !== 0 || rest ? -Errno.EINVAL : own.machineCheckKill;
        case Prctl.SET_CHILD_SUBREAPER:
          process.subReaper = a1 !== 0;
          return 0;
        case Prctl.GET_CHILD_SUBREAPER:
          return putInt(cpu, thread, a1, Number(process.subReaper));
        case Prctl.SET_NO_NEW_PRIVS:
          if (a1 !== 1 || rest) return -Errno.EINVAL;
          own.noNewPrivileges = true;
          return 0;
        case Prctl.GET_NO_NEW_PRIVS:
          return a1 !== 0 || rest ? -Errno.EINVAL : Number(own.noNewPrivileges);
        case Prctl.GET_TID_ADDRESS:
          return putLong(cpu, thread, a1, life.clearTidOf(thread));
        case Prctl.SET_THP_DISABLE:
          if (rest) return -Errno.EINVAL;
          own.hugePagesDisabled = a1 !== 0;
          return 0;
        case Prctl.GET_THP_DISABLE:
          return a1 !== 0 || rest ? -Errno.EINVAL : Number(own.hugePagesDisabled);
        case Prctl.CAP_AMBIENT: {
          if (a1 === Ambient.CLEAR_ALL) {
            if (rest) return -Errno.EINVAL;
            process.credentials = { ...old, ambient: { low: 0, high: 0 } };
            return 0;
          }
          if (a3 !== 0 || a4 !== 0 || !isCapability(a2)) return -Errno.EINVAL;
          if (a1 === Ambient.IS_SET) return Number(hasCapability(old.ambient, a2));
          if (a1 !== Ambient.RAISE && a1 !== Ambient.LOWER) return -Errno.EINVAL;
          const may =
            hasCapability(old.permitted, a2) && hasCapability(old.inheritable, a2) && (old.secureBits & NO_CAP_AMBIENT_RAISE) === 0;
          if (a1 === Ambient.RAISE && !may) return -Errno.EPERM;
          process.credentials = { ...old, ambient: changed(old.ambient, a2, a1 === Ambient.RAISE) };
          return 0;
        }
        case KernelPrctl.SCHED_CORE:
          return coreCookies(calls.kernel, traits, cpu, thread, registers);
        case Prctl.SET_IO_FLUSHER:
          if (!process.capable(Capability.SYS_RESOURCE)) return -Errno.EPERM;
          if (rest || (a1 !== 0 && a1 !== 1)) return -Errno.EINVAL;
          own.ioFlusher = a1 === 1;
          return 0;
        case Prctl.GET_IO_FLUSHER:
          if (!process.capable(Capability.SYS_RESOURCE)) return -Errno.EPERM;
          return a1 !== 0 || rest ? -Errno.EINVAL : Number(own.ioFlusher);
        case Prctl.SET_MDWE: {
          const [REFUSE_EXEC_GAIN, NO_INHERIT] = [1, 2];
          if (rest || (a1 & ~(REFUSE_EXEC_GAIN | NO_INHERIT)) !== 0) return -Errno.EINVAL;
          if ((a1 & NO_INHERIT) !== 0 && (a1 & REFUSE_EXEC_GAIN) === 0) return -Errno.EINVAL;
          if (own.writeOrExecute !== 0 && own.writeOrExecute !== a1) return -Errno.EPERM;
          own.writeOrExecute = a1;
          return 0;
        }
        case Prctl.GET_MDWE:
          return a1 !== 0 || rest ? -Errno.EINVAL : own.writeOrExecute;
        case Prctl.SET_MEMORY_MERGE:
          if (rest) return -Errno.EINVAL;
          own.memoryMerge = a1 !== 0;
          return 0;
        case Prctl.GET_MEMORY_MERGE:
          return a1 !== 0 || rest ? -Errno.EINVAL : Number(own.memoryMerge);
        default:
          return inner(cpu, thread, registers);
      }
    };
  calls.extend('prctl', handler, {
    missing:
      'SET_MM, SET_SECCOMP, SET_TSC(SIGSEGV), SET_SYSCALL_USER_DISPATCH, SET_VMA, GET_AUXV and speculation control are EINVAL; THP_DISABLE, MDWE, MEMORY_MERGE and IO_FLUSHER are kept and do nothing',
  });
}

/** Keeps a value that is one of several. */
function setTo(own: Traits, trait: 'dumpable' | 'machineCheckKill', value: number, allowed: readonly number[]): number {
  if (!allowed.includes(value)) return -Errno.EINVAL;
  own[trait] = value;
  return 0;
}
