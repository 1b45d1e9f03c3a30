import type { Cpu } from '@rpal/hw-x86';
import type { Kernel, Process, Thread } from '@rpal/kernel';
import { cpuTime } from '@rpal/sched';
import { Clock, Errno } from '@rpal/uapi';
import { nowOf } from '../calls.js';
import { PosixStep } from '../steps.js';

/** A clock that a call names: what it shows, and whose CPU time it is, if it is that. */
export interface ClockReading {
  /** Nanoseconds. */
  readonly now: number;
  /** Nanoseconds between two readings that may differ. */
  readonly resolution: number;
}

/** Which CPU time a clock of a process or thread counts (CPUCLOCK_*). */
const CpuClock = { PROF: 0, VIRT: 1, SCHED: 2, FD: 3, PERTHREAD: 4, MASK: 3 } as const;

const nanoseconds = (now: number): ClockReading => ({ now, resolution: 1 });

/**
 * The clock with an id, at the present time. The real-time clock of the model began at its boot, with the others; TAI is no second off.
 * There are no alarm clocks: nothing could wake a machine that is suspended. @returns a negative errno if there is no such clock
 */
export function readClock(kernel: Kernel, cpu: Cpu, thread: Thread, id: number): ClockReading | number {
  switch (id) {
    case Clock.REALTIME:
    case Clock.MONOTONIC:
    case Clock.MONOTONIC_RAW:
    case Clock.BOOTTIME:
    case Clock.TAI:
      return nanoseconds(nowOf(cpu));
    case Clock.REALTIME_COARSE:
    case Clock.MONOTONIC_COARSE: {
      const tick = kernel.scheduler.tickNs;
      return { now: nowOf(cpu) - (nowOf(cpu) % tick), resolution: tick };
    }
    case Clock.PROCESS_CPUTIME_ID:
      cpu.charge(PosixStep.cpuTimeRead);
      return nanoseconds(processTime(kernel, cpu, thread.process).total);
    case Clock.THREAD_CPUTIME_ID:
      return nanoseconds(threadTime(kernel, cpu, thread));
    default:
      return id < 0 ? readCpuClock(kernel, cpu, thread, id) : -Errno.EINVAL;
  }
}

/** The CPU time of another process or thread (Linux: posix-cpu-timers.c): its number and what is counted are in the id. */
function readCpuClock(kernel: Kernel, cpu: Cpu, caller: Thread, id: number): ClockReading | number {
  const which = id & CpuClock.MASK;
  if (which === CpuClock.FD) return -Errno.EINVAL;
  const pid = ~(id >> 3);
  const resolution = which === CpuClock.SCHED ? 1 : kernel.scheduler.tickNs;
  if ((id & CpuClock.PERTHREAD) !== 0) {
    const thread = pid === 0 ? caller : kernel.processes.thread(pid);
    if (thread?.process !== caller.process) return -Errno.EINVAL;
    const total = threadTime(kernel, cpu, thread);
    const { user } = cpuTime(thread);
    return { now: which === CpuClock.VIRT ? user : total, resolution };
  }
  const process = pid === 0 ? caller.process : kernel.processes.get(pid);
  if (process === undefined || process.threads.length === 0) return -Errno.EINVAL;
  const { total, user } = processTime(kernel, cpu, process);
  return { now: which === CpuClock.VIRT ? user : total, resolution };
}

/** CPU time of a thread up to now, ns. */
export function threadTime(kernel: Kernel, cpu: Cpu, thread: Thread): number {
  settle(kernel, cpu, thread);
  const { user, system } = cpuTime(thread);
  return user + system;
}

/** CPU time of a process with the threads that have ended, up to now, ns. */
export function processTime(kernel: Kernel, cpu: Cpu, process: Process): { readonly total: number; readonly user: number } {
  let { user, system } = process.ended;
  for (const thread of process.threads) {
    settle(kernel, cpu, thread);
    const time = cpuTime(thread);
    user += time.user;
    system += time.system;
  }
  return { total: user + system, user };
}

/** A thread that runs is accounted for up to now. */
function settle(kernel: Kernel, cpu: Cpu, thread: Thread): void {
  if (thread.onCpu) kernel.scheduler.settle(thread.cpu, cpu.clock);
}
