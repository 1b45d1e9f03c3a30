import type { Cpu, Platform } from '@rpal/hw-x86';
import { putUser64 } from '@rpal/mm';
import { CpuSet, MAX_RT_PRIORITY, RR_SLICE, SchedPolicy, type Scheduler } from '@rpal/sched';
import { Errno, Prio, Rusage } from '@rpal/uapi';
import { begin } from '@rpal/vfs';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import { affinityChange } from '../lifecycle/affinity.js';
import type { ProcessTable } from '../process/process-table.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import { addThreadUsage, noUsage, putUsage, usageOf } from '../process/usage.js';
import { KernelStep } from '../steps.js';

/** The thread with an id, 0 for the caller; where a main thread has ended, the next of its process. Undefined if there is none. */
function findThread(processes: ProcessTable, caller: Thread, id: number): Thread | undefined {
  if (id === 0 || id === caller.pid) return caller;
  return processes.thread(id) ?? processes.get(id)?.threads[0];
}

const isRealTime = (policy: number): boolean => policy === SchedPolicy.FIFO || policy === SchedPolicy.RR;
const isKnown = (policy: number): boolean => Object.values<number>(SchedPolicy).includes(policy);

/** What the calls need of a kernel. */
export interface SchedCallParts {
  readonly platform: Platform;
  readonly scheduler: Scheduler;
  readonly processes: ProcessTable;
}

/** Scheduling parameters and resource usage. Callers may do everything, as root. */
export function defineSchedCalls(table: SyscallTable, kernel: SchedCallParts): void {
  table.define(Nr.sched_setscheduler, (cpu, thread, { args, a0, a1, a2 }) => {
    cpu.charge(KernelStep.setScheduler);
    if (a0 < 0) return -Errno.EINVAL;
    const priority = args.word(cpu, thread, a2);
    if (priority < 0) return priority;
    const target = findThread(kernel.processes, thread, a0);
    return target === undefined ? -Errno.ESRCH : kernel.scheduler.setScheduler(cpu, target, a1, priority | 0);
  });

  table.define(Nr.sched_getscheduler, (cpu, thread, { a0 }) => {
    cpu.charge(KernelStep.getpid);
    if (a0 < 0) return -Errno.EINVAL;
    return findThread(kernel.processes, thread, a0)?.policy ?? -Errno.ESRCH;
  });

  table.define(Nr.sched_get_priority_max, (cpu, _thread, { a0 }) => {
    cpu.charge(KernelStep.getpid);
    return isRealTime(a0) ? MAX_RT_PRIORITY : isKnown(a0) ? 0 : -Errno.EINVAL;
  });

  table.define(Nr.sched_get_priority_min, (cpu, _thread, { a0 }) => {
    cpu.charge(KernelStep.getpid);
    return isRealTime(a0) ? 1 : isKnown(a0) ? 0 : -Errno.EINVAL;
  });

  table.define(Nr.sched_rr_get_interval, (cpu, thread, { a0, a1 }) => {
    cpu.charge(KernelStep.getpid);
    if (a0 < 0) return -Errno.EINVAL;
    const target = findThread(kernel.processes, thread, a0);
    if (target === undefined) return -Errno.ESRCH;
    const ns = target.policy === SchedPolicy.RR ? RR_SLICE : target.policy === SchedPolicy.FIFO ? 0 : kernel.scheduler.baseSlice;
    return putTime(cpu, thread, a1, ns, 1);
  });

  table.define(Nr.sched_setaffinity, (cpu, thread, { args, a0, a1, a2 }) => {
    const set = args.affinity(cpu, thread, a2, a1, kernel.platform.cpus.length);
    if (typeof set === 'number') return set;
    const target = findThread(kernel.processes, thread, a0);
    return target === undefined ? -Errno.ESRCH : begin(cpu, thread, affinityChange(kernel.scheduler, target, set));
  });

  table.define(Nr.sched_getaffinity, (cpu, thread, { args, a0, a1, a2 }) => {
    cpu.charge(KernelStep.getpid);
    const target = findThread(kernel.processes, thread, a0);
    if (target === undefined) return -Errno.ESRCH;
    const set = new CpuSet(kernel.platform.cpus.length);
    set.words.set(target.affinity.words);
    return args.putAffinity(cpu, thread, a2, a1, set);
  });

  // As the kernel's own call, not the C library's: 20 - nice, so that no result is negative.
  table.define(Nr.getpriority, (cpu, thread, { a0, a1 }) => {
    cpu.charge(KernelStep.getpid);
    if (a0 !== Prio.PROCESS) return -Errno.EINVAL;
    const target = findThread(kernel.processes, thread, a1);
    return target === undefined ? -Errno.ESRCH : 20 - target.nice;
  });

  table.define(Nr.setpriority, (cpu, thread, { a0, a1, a2 }) => {
    cpu.charge(KernelStep.setScheduler);
    if (a0 !== Prio.PROCESS) return -Errno.EINVAL;
    const target = findThread(kernel.processes, thread, a1);
    if (target === undefined) return -Errno.ESRCH;
    kernel.scheduler.setNice(cpu, target, a2 | 0);
    return 0;
  });

  table.define(Nr.getrusage, (cpu, thread, { a0, a1 }) => {
    cpu.charge(KernelStep.getrusage);
    const { process } = thread;
    if (a0 === Rusage.CHILDREN) return putUsage(cpu, thread, a1, process.childrenUsage);
    if (a0 !== Rusage.SELF && a0 !== Rusage.THREAD) return -Errno.EINVAL;
    kernel.scheduler.settle(cpu, cpu.clock);
    if (a0 === Rusage.SELF) return putUsage(cpu, thread, a1, usageOf(process));
    const own = { ...noUsage(), minorFaults: process.mm.minorFaults };
    addThreadUsage(own, thread);
    return putUsage(cpu, thread, a1, own);
  });
}

/** Writes a struct timespec (`unit` 1) or timeval (`unit` 1000). @returns 0 or -EFAULT */
function putTime(cpu: Cpu, thread: Thread, address: number, ns: number, unit: number): number {
  const { memory } = thread;
  return putUser64(cpu, memory, address, Math.floor(ns / 1e9)) || putUser64(cpu, memory, address + 8, Math.floor((ns % 1e9) / unit));
}
