import type { CpuSet } from '@rpal/sched';
import { Futex, Prio } from '@rpal/uapi';
import { SyscallNumber } from '../process/syscall-numbers.js';
import type { Call } from './call.js';
import { requireObject } from './checks.js';
import { ProgramBase } from './program-base.js';

/** Scheduling, sleeping, and the futex. */
export class SchedCalls extends ProgramBase {
  schedYield(): Call {
    return this.syscall(SyscallNumber.sched_yield);
  }

  /** sched_setscheduler. @param pid 0 for the caller @param priority 1 .. 99 for FIFO and RR, else 0 */
  setScheduler(pid: number, policy: number, priority = 0): Call {
    return this.syscall(SyscallNumber.sched_setscheduler, pid, policy, priority);
  }

  /** setpriority(PRIO_PROCESS). @param pid 0 for the caller */
  setNice(pid: number, nice: number): Call {
    return this.syscall(SyscallNumber.setpriority, Prio.PROCESS, pid, nice);
  }

  /** sched_setaffinity. @param pid 0 for the calling thread */
  setAffinity(cpus: CpuSet | readonly number[], pid = 0): Call {
    this.context.args.cpus = requireObject(this.context, 'the affinity', cpus, 'a CpuSet or an array of CPU numbers');
    return this.syscall(SyscallNumber.sched_setaffinity, pid);
  }

  /** @param who of `Rusage` @param usage room for a struct rusage, 144 bytes */
  getrusage(who: number, usage: number): Call {
    return this.syscall(SyscallNumber.getrusage, who, usage);
  }

  /** Sleeps. @param ns nanoseconds */
  sleep(ns: number): Call {
    return this.syscall(SyscallNumber.nanosleep, ns);
  }

  /**
   * futex(FUTEX_WAIT).
   * @param timeout ns from now; negative for none
   * @param flags 0: the word may be shared with other processes, as in Linux; `Futex.PRIVATE_FLAG`: only threads of this one wait, which is cheaper
   */
  futexWait(address: number, value: number, timeout = -1, flags = 0): Call {
    return this.syscall(SyscallNumber.futex, address, Futex.WAIT | flags, value, timeout);
  }

  /** futex(FUTEX_WAKE). @param flags as those of the waiters @returns how many were woken */
  futexWake(address: number, count: number, flags = 0): Call {
    return this.syscall(SyscallNumber.futex, address, Futex.WAKE | flags, count);
  }
}
