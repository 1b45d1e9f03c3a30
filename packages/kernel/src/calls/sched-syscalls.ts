import type { Platform } from '@rpal/hw-x86';
import { CpuSet, isRealTime, MAX_RT_PRIORITY, RESET_ON_FORK, SchedPolicy, type Scheduler } from '@rpal/sched';
import { Errno, Prio, Rlimit, Rusage } from '@rpal/uapi';
import { begin } from '@rpal/vfs';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import { affinityChange } from '../lifecycle/affinity.js';
import { Capability, isWithin } from '../process/credentials.js';
import type { Process } from '../process/process.js';
import type { ProcessTable } from '../process/process-table.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import { addThreadUsage, noUsage, putUsage, usageOf } from '../process/usage.js';
import { KernelStep } from '../steps.js';

const KNOWN: ReadonlySet<number> = new Set(Object.values(SchedPolicy));

/** What the calls need from a kernel. */
export interface SchedCallParts {
  readonly platform: Platform;
  readonly scheduler: Scheduler;
  readonly processes: ProcessTable;
}

/** Scheduling parameters and resource usage. */
export function defineSchedCalls(table: SyscallTable, kernel: SchedCallParts): void {
  table.define(Nr.sched_setscheduler, (cpu, thread, { args, a0, a1, a2 }) => {
    cpu.charge(KernelStep.setScheduler);
    const policy = a1 | 0;
    if ((a0 | 0) < 0 || policy < 0) return -Errno.EINVAL;
    const priority = args.word(cpu, thread, a2);
    if (priority < 0) return priority === -Errno.EFAULT && a2 === 0 ? -Errno.EINVAL : priority;
    const target = kernel.processes.target(thread, a0);
    if (target === undefined) return -Errno.ESRCH;
    const resets = (policy & RESET_ON_FORK) !== 0;
    const wanted = { policy: policy & ~RESET_ON_FORK, priority: priority | 0, nice: target.nice, resetOnFork: resets };
    const refused = refuseScheduling(thread, target, wanted);
    if (refused < 0) return refused;
    const result = kernel.scheduler.setScheduler(cpu, target, wanted.policy, wanted.priority);
    if (result === 0) target.resetOnFork = resets;
    return result;
  });

  table.define(Nr.sched_getscheduler, (cpu, thread, { a0 }) => {
    cpu.charge(KernelStep.getpid);
    if ((a0 | 0) < 0) return -Errno.EINVAL;
    const target = kernel.processes.target(thread, a0);
    return target === undefined ? -Errno.ESRCH : target.policy | (target.resetOnFork ? RESET_ON_FORK : 0);
  });

  table.define(Nr.sched_setaffinity, (cpu, thread, { args, a0, a1, a2 }) => {
    const set = args.affinity(cpu, thread, a2, a1, kernel.platform.cpus.length);
    if (set === -Errno.EFAULT) return set;
    const target = kernel.processes.target(thread, a0);
    if (target === undefined) return -Errno.ESRCH;
    if (!owns(thread.process, target.process) || !hasNoMore(target.process, thread.process)) return -Errno.EPERM;
    // Without a CPU that there is.
    if (typeof set === 'number') return set;
    return begin(cpu, thread, affinityChange(kernel.scheduler, target, set));
  });

  table.define(Nr.sched_getaffinity, (cpu, thread, { args, a0, a1, a2 }) => {
    cpu.charge(KernelStep.getpid);
    const room = args.affinityRoom(a1, kernel.platform.cpus.length);
    if (room < 0) return room;
    const target = kernel.processes.target(thread, a0);
    if (target === undefined) return -Errno.ESRCH;
    const set = new CpuSet(kernel.platform.cpus.length);
    set.words.set(target.affinity.words);
    return args.putAffinity(cpu, thread, a2, a1, set);
  });

  table.define(Nr.setpriority, (cpu, thread, { a0, a1, a2 }) => {
    cpu.charge(KernelStep.setNice);
    const meant = thoseMeant(kernel, thread, a0 | 0, a1);
    if (typeof meant === 'number') return meant;
    const nice = Math.max(-20, Math.min(19, a2 | 0));
    let result = -Errno.ESRCH;
    for (const target of meant) {
      const refused = refuseNice(thread, target, nice);
      if (refused < 0) {
        result = refused;
        continue;
      }
      if (result === -Errno.ESRCH) result = 0;
      kernel.scheduler.setNice(cpu, target, nice);
    }
    return result;
  });

  table.define(Nr.getrusage, (cpu, thread, { a0, a1 }) => {
    cpu.charge(KernelStep.getrusage);
    const { process } = thread;
    const who = a0 | 0;
    if (who === Rusage.CHILDREN) return putUsage(cpu, thread, a1, process.childrenUsage);
    if (who !== Rusage.SELF && who !== Rusage.THREAD) return -Errno.EINVAL;
    kernel.scheduler.settle(cpu, cpu.clock);
    if (who === Rusage.SELF) return putUsage(cpu, thread, a1, usageOf(process));
    const own = { ...noUsage(), minorFaults: process.mm.minorFaults };
    addThreadUsage(own, thread);
    return putUsage(cpu, thread, a1, own);
  });
}

/**
 * The threads that getpriority and setpriority concern: one thread, or all of a process group or a user (0: the caller's). @public for
 * packages that define system calls
 */
export function thoseMeant(kernel: SchedCallParts, caller: Thread, which: number, who: number): readonly Thread[] | number {
  if (which < Prio.PROCESS || which > Prio.USER) return -Errno.EINVAL;
  if (which === Prio.PROCESS) {
    const target = kernel.processes.target(caller, who);
    return target === undefined ? -Errno.ESRCH : [target];
  }
  const { group, credentials } = caller.process;
  const wanted = which === Prio.PGRP ? who | 0 || group : who >>> 0 || credentials.uid;
  return [...kernel.processes.threads()].filter(
    ({ process }) => (which === Prio.PGRP ? process.group : process.credentials.uid) === wanted,
  );
}

/** The same user, or one who may schedule other users' threads (Linux: `check_same_owner`, CAP_SYS_NICE). */
function owns(caller: Process, target: Process): boolean {
  const { euid } = caller.credentials;
  return euid === target.credentials.euid || euid === target.credentials.uid || caller.capable(Capability.SYS_NICE);
}

/** Without the capability nobody changes another user's threads, and nobody makes a thread more urgent (Linux: `set_one_prio`). */
function refuseNice({ process: caller }: Thread, target: Thread, nice: number): number {
  if (!owns(caller, target.process)) return -Errno.EPERM;
  if (nice < target.nice && !mayRaise(caller, target, nice)) return -Errno.EACCES;
  return hasNoMore(target.process, caller) ? 0 : -Errno.EPERM;
}

/** RLIMIT_NICE counts from 1 for the nice value 19 to 40 for -20. */
function mayRaise(caller: Process, target: Thread, nice: number): boolean {
  return 20 - nice <= target.process.limits.of(Rlimit.NICE) || caller.capable(Capability.SYS_NICE);
}

/** What a thread is to be scheduled by. */
export interface WantedScheduling {
  readonly policy: number;
  readonly priority: number;
  readonly nice: number;
  readonly resetOnFork: boolean;
}

/**
 * Linux: `user_check_sched_setscheduler`, and what is checked before and behind it. @returns 0, -EINVAL or -EPERM. @public for packages
 * that define system calls
 */
export function refuseScheduling({ process: caller }: Thread, target: Thread, wanted: WantedScheduling): number {
  const { policy, priority, nice, resetOnFork } = wanted;
  if (!KNOWN.has(policy) || priority < 0 || priority > MAX_RT_PRIORITY || isRealTime(policy) !== (priority !== 0)) return -Errno.EINVAL;
  if (caller.capable(Capability.SYS_NICE)) return 0;
  const limit = target.process.limits.of(Rlimit.RTPRIO);
  const gentler = !isRealTime(policy) && nice < target.nice && !mayRaise(caller, target, nice);
  const more = isRealTime(policy) && ((policy !== target.policy && limit === 0) || (priority > target.ownPriority && priority > limit));
  const awakes = target.policy === SchedPolicy.IDLE && policy !== SchedPolicy.IDLE && !mayRaise(caller, target, target.nice);
  const forgets = target.resetOnFork && !resetOnFork;
  return gentler || more || awakes || forgets || !owns(caller, target.process) || !hasNoMore(target.process, caller) ? -Errno.EPERM : 0;
}

/** No capability that a caller lacks is permitted to the target; or the caller may schedule all (Linux: `cap_safe_nice`). */
function hasNoMore(target: Process, caller: Process): boolean {
  return isWithin(target.credentials.permitted, caller.credentials.permitted) || caller.capable(Capability.SYS_NICE);
}
