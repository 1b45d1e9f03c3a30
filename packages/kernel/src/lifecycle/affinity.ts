import type { Cpu } from '@rpal/hw-x86';
import type { CpuSet, Scheduler } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { type Operation, Pending } from '@rpal/vfs';
import type { Thread } from '../process/thread.js';

/** Gives up the CPU for a moment, in the middle of an operation that goes on afterwards (Linux: `yield()`). */
export function yieldInKernel(scheduler: Scheduler, cpu: Cpu): number {
  cpu.interruptsEnabled = true;
  scheduler.yieldTask(cpu);
  scheduler.preempt(cpu);
  return Pending.AGAIN;
}

/** sched_setaffinity: as long as a plugin says "not now", the caller yields and tries again. */
export function affinityChange(scheduler: Scheduler, target: Thread, affinity: CpuSet): Operation {
  return {
    step: (cpu) => {
      const result = scheduler.setAffinity(cpu, target, affinity);
      return result === -Errno.EAGAIN ? yieldInKernel(scheduler, cpu) : result;
    },
  };
}
