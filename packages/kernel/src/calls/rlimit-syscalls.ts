import { Errno, Rlimit } from '@rpal/uapi';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import type { ProcessTable } from '../process/process-table.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import { KernelStep } from '../steps.js';

/** RLIMIT_NOFILE cannot be more (fs.nr_open). */
const NOFILE_MAX = 1 << 20;

/** prlimit(2). A limit is one number, soft and hard. */
export function defineLimitCalls(table: SyscallTable, { processes }: { readonly processes: ProcessTable }): void {
  table.define(Nr.prlimit64, (cpu, thread, { args, a0, a1, a2 }) => {
    cpu.charge(KernelStep.getpid);
    const { process: caller } = thread;
    const process = a0 === 0 ? caller : processes.get(a0);
    if (process === undefined || process.exit !== null) return -Errno.ESRCH;
    if (a1 !== Rlimit.NOFILE && a1 !== Rlimit.SIGPENDING) return -Errno.EINVAL;
    if (!caller.mayAffect(process)) return -Errno.EPERM;
    const before = a1 === Rlimit.NOFILE ? process.files.limit : process.pendingLimit;
    const limit = args.limit(cpu, thread, a2);
    if (limit < -1) return limit;
    if (limit < 0) return args.putLimit(cpu, thread, a2, before);
    // Only root may raise a limit, and not even root that of descriptors beyond what the kernel can hold.
    if ((limit > before && caller.credentials.uid !== 0) || (a1 === Rlimit.NOFILE && limit > NOFILE_MAX)) return -Errno.EPERM;
    if (a1 === Rlimit.NOFILE) process.files.limit = limit;
    else process.pendingLimit = limit;
    return args.putLimit(cpu, thread, a2, before);
  });
}
