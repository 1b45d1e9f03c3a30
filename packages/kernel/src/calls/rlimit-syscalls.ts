import { Errno, RLIM_NLIMITS, Rlimit } from '@rpal/uapi';
import { NR_OPEN } from '@rpal/vfs';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import type { Limit } from '../process/call-arguments.js';
import { Capability } from '../process/credentials.js';
import type { ProcessTable } from '../process/process-table.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import { KernelStep } from '../steps.js';

/** What the call being made is told. */
const wanted: Limit = { soft: 0, hard: 0 };

/** prlimit(2). */
export function defineLimitCalls(table: SyscallTable, { processes }: { readonly processes: ProcessTable }): void {
  table.define(
    Nr.prlimit64,
    (cpu, thread, { args, a0, a1: register, a2 }) => {
      cpu.charge(KernelStep.getLimit);
      const a1 = register >>> 0;
      const given = args.limit(cpu, thread, a2, wanted);
      if (given < 0) return given;
      const process = processes.target(thread, a0)?.process;
      if (process === undefined) return -Errno.ESRCH;
      if (!thread.process.mayInspect(process, Capability.SYS_RESOURCE)) return -Errno.EPERM;
      if (a1 >= RLIM_NLIMITS) return -Errno.EINVAL;
      const { soft, hard } = process.limits;
      const before = { soft: soft[a1] as number, hard: hard[a1] as number };
      if (given > 0) {
        if (wanted.soft > wanted.hard) return -Errno.EINVAL;
        // Not even root may have more descriptors than the kernel can hold.
        if (a1 === Rlimit.NOFILE && wanted.hard > NR_OPEN) return -Errno.EPERM;
        if (wanted.hard > before.hard && !thread.process.capable(Capability.SYS_RESOURCE)) return -Errno.EPERM;
        soft[a1] = wanted.soft;
        hard[a1] = wanted.hard;
        process.applyLimits();
      }
      return args.putLimit(cpu, thread, before);
    },
    { missing: 'CORE, LOCKS, CPU and RTTIME are kept, and limit nothing' },
  );
}
