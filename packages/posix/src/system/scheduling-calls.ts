import { KernelStep, thoseMeant } from '@rpal/kernel';
import { isRealTime, MAX_RT_PRIORITY, RR_SLICE, SchedPolicy } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { putTime, Unit } from '../user-memory.js';

const KNOWN: ReadonlySet<number> = new Set(Object.values(SchedPolicy));
/** A policy of Linux that the model's classes do not have, but that has priorities. */
const DEADLINE = 6;

/** What programs ask about policies. */
export function defineSchedulingCalls(calls: Calls): void {
  const { processes, scheduler } = calls.kernel;
  calls.define(
    'sched_get_priority_max',
    (cpu, _thread, { a0 }) => {
      cpu.charge(KernelStep.getpid);
      const policy = a0 | 0;
      return isRealTime(policy) ? MAX_RT_PRIORITY : KNOWN.has(policy) || policy === DEADLINE ? 0 : -Errno.EINVAL;
    },
    { signature: 'policy' },
  );

  calls.define(
    'sched_get_priority_min',
    (cpu, _thread, { a0 }) => {
      cpu.charge(KernelStep.getpid);
      const policy = a0 | 0;
      return isRealTime(policy) ? 1 : KNOWN.has(policy) || policy === DEADLINE ? 0 : -Errno.EINVAL;
    },
    { signature: 'policy' },
  );

  calls.define(
    'sched_rr_get_interval',
    (cpu, thread, { a0, a1 }) => {
      cpu.charge(KernelStep.getpid);
      if ((a0 | 0) < 0) return -Errno.EINVAL;
      const target = processes.target(thread, a0);
      if (target === undefined) return -Errno.ESRCH;
      const { policy } = target;
      const ns = policy === SchedPolicy.RR ? RR_SLICE : policy === SchedPolicy.FIFO ? 0 : scheduler.baseSlice;
      return putTime(cpu, thread, a1, ns, Unit.TIMESPEC);
    },
    { signature: 'pid interval*' },
  );

  // As the kernel's own call, not the C library's: 20 - nice, so that no result is negative.
  calls.define(
    'getpriority',
    (cpu, thread, { a0, a1 }) => {
      cpu.charge(KernelStep.getpid);
      const meant = thoseMeant(calls.kernel, thread, a0 | 0, a1);
      if (typeof meant === 'number') return meant;
      return meant.reduce((highest, { nice }) => Math.max(highest, 20 - nice), -Errno.ESRCH);
    },
    { signature: 'which who' },
  );
}
