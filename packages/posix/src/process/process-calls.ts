import { Capability, type SyscallHandler, UNLIMITED, UserBuffer, usageOf } from '@rpal/kernel';
import { TASK_SIZE } from '@rpal/mm';
import { Errno, RLIM_NLIMITS, Rlimit } from '@rpal/uapi';
import { type Calls, nowOf } from '../calls.js';
import { PosixStep } from '../steps.js';
import { putLong } from '../user-memory.js';

const ArchPrctl = {
  SET_GS: 0x1001,
  SET_FS: 0x1002,
  GET_GS: 0x1004,
  GET_CPUID: 0x1011,
  GET_XCOMP_SUPP: 0x1021,
  GET_XCOMP_PERM: 0x1022,
} as const;

/** Clock ticks per second, as times counts them (USER_HZ). */
const USER_HZ = 100;
const NOFILE_MAX = 1 << 20;
/** Bytes of `struct tms`, and of `struct rlimit`. */
const TMS = 32;
const RLIMIT = 16;

/** Limits the old way, arch_prctl, and what processes have used. */
export function defineProcessCalls(calls: Calls): void {
  const { kernel } = calls;
  const buffer = new UserBuffer(TMS);

  calls.extend(
    'arch_prctl',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const { a0: option, a1: address } = registers;
        switch (option) {
          case ArchPrctl.SET_FS:
            return address < 0 || address >= TASK_SIZE ? -Errno.EPERM : inner(cpu, thread, registers);
          case ArchPrctl.SET_GS:
            if (address < 0 || address >= TASK_SIZE) return -Errno.EPERM;
            cpu.gsBase = address;
            return 0;
          case ArchPrctl.GET_GS:
            return putLong(cpu, thread, address, cpu.gsBase);
          case ArchPrctl.GET_CPUID:
            return 1;
          case ArchPrctl.GET_XCOMP_SUPP:
          case ArchPrctl.GET_XCOMP_PERM:
            return putLong(cpu, thread, address, xfeatures(kernel.platform.profile.features.pku));
          default:
            return inner(cpu, thread, registers);
        }
      },
    { missing: 'CPUID faulting, shadow stacks, linear address masking, and features of XSAVE on request' },
  );

  calls.define('getrlimit', (cpu, thread, { a0: register, a1 }) => {
    cpu.charge(PosixStep.identity);
    const a0 = register >>> 0;
    if (a0 >= RLIM_NLIMITS) return -Errno.EINVAL;
    const { soft, hard } = thread.process.limits;
    setLimit(buffer, 0, soft[a0] as number);
    setLimit(buffer, 8, hard[a0] as number);
    return buffer.store(cpu, thread, a1, RLIMIT) < 0 ? -Errno.EFAULT : 0;
  });

  calls.define(
    'setrlimit',
    (cpu, thread, { a0: register, a1 }) => {
      cpu.charge(PosixStep.identity);
      const { process } = thread;
      const a0 = register >>> 0;
      if (buffer.load(cpu, thread, a1, RLIMIT) < 0) return -Errno.EFAULT;
      const [soft, hard] = [limitAt(buffer, 0), limitAt(buffer, 8)];
      if (a0 >= RLIM_NLIMITS || soft > hard) return -Errno.EINVAL;
      if (a0 === Rlimit.NOFILE && hard > NOFILE_MAX) return -Errno.EPERM;
      if (hard > (process.limits.hard[a0] as number) && !process.capable(Capability.SYS_RESOURCE)) return -Errno.EPERM;
      process.limits.soft[a0] = soft;
      process.limits.hard[a0] = hard;
      process.applyLimits();
      return 0;
    },
    { missing: 'CORE, LOCKS, CPU and RTTIME are kept, and limit nothing' },
  );

  calls.define('times', (cpu, thread, { a0 }) => {
    cpu.charge(PosixStep.processTimes);
    const own = usageOf(thread.process);
    const { childrenUsage } = thread.process;
    const ticks = (ns: number): number => Math.floor((ns * USER_HZ) / 1e9);
    [own.user, own.system, childrenUsage.user, childrenUsage.system].forEach((ns, index) => {
      buffer.set64(8 * index, ticks(ns));
    });
    if (a0 !== 0 && buffer.store(cpu, thread, a0, TMS) < 0) return -Errno.EFAULT;
    return ticks(nowOf(cpu));
  });
}

/** Features of XSAVE that a thread may use: x87, SSE, AVX, the three parts of AVX-512, and PKRU. */
function xfeatures(pku: boolean): number {
  return 0xe7 + (pku ? 0x200 : 0);
}

/** RLIM_INFINITY is all ones, which a double rounds up. */
function limitAt(buffer: UserBuffer, offset: number): number {
  const value = buffer.u64(offset);
  return value >= 2 ** 64 ? UNLIMITED : value;
}

function setLimit(buffer: UserBuffer, offset: number, value: number): void {
  if (value === UNLIMITED) buffer.set32(offset, -1).set32(offset + 4, -1);
  else buffer.set64(offset, value);
}
