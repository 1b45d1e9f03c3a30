import type { Cpu } from '@rpal/hw-x86';
import type { Kernel, Thread, UserContext } from '@rpal/kernel';
import { CoreScheduling } from '@rpal/sched';
import { Errno, SchedCore, SchedCoreScope } from '@rpal/uapi';
import { mayAttach } from '../identity/may-attach.js';
import type { TraitTable } from '../identity/traits.js';
import { PosixStep } from '../steps.js';
import { putLong } from '../user-memory.js';

const COMMANDS = 4;

/**
 * prctl(PR_SCHED_CORE, command, pid, scope, address): cookies of core scheduling (Linux: `sched_core_share_pid`). The number that GET stores
 * is the cookie itself, where Linux has a hash of its address: equal for equal cookies, and 0 without one.
 * @returns -ENODEV on a machine whose cores have one thread each
 */
export function coreCookies(
  kernel: Kernel,
  traits: TraitTable,
  cpu: Cpu,
  caller: Thread,
  { a1, a2, a3, a4: address }: UserContext,
): number {
  const command = a1 >>> 0;
  const pid = a2 | 0;
  const scope = a3 >>> 0;
  const { processes, platform } = kernel;
  if (new Set(platform.cpus.map(({ core }) => core)).size === platform.cpus.length) return -Errno.ENODEV;
  if (scope > SchedCoreScope.PROCESS_GROUP || command >= COMMANDS || pid < 0) return -Errno.EINVAL;
  if (command !== SchedCore.GET && address !== 0) return -Errno.EINVAL;
  const target = pid === 0 ? caller : (processes.thread(pid) ?? processes.get(pid)?.leader);
  if (target === undefined) return -Errno.ESRCH;
  const may = ({ process }: Thread): boolean => mayAttach(caller.process, process, traits);
  if (!may(target)) return -Errno.EPERM;

  if (command === SchedCore.GET) {
    if (scope !== SchedCoreScope.THREAD || address % 8 !== 0) return -Errno.EINVAL;
    return putLong(cpu, caller, address, target.coreCookie);
  }
  if (command === SchedCore.SHARE_FROM) {
    if (scope !== SchedCoreScope.THREAD) return -Errno.EINVAL;
    give(kernel, cpu, [caller], target.coreCookie);
    return 0;
  }
  const receivers = [...threadsOf(kernel, target, scope)];
  if (!receivers.every(may)) return -Errno.EPERM;
  give(kernel, cpu, receivers, command === SchedCore.CREATE ? inUse(kernel, cpu).createCookie() : caller.coreCookie);
  return 0;
}

/** The threads that a scope has from one of them on. */
function* threadsOf({ processes }: Kernel, thread: Thread, scope: number): Generator<Thread> {
  if (scope === SchedCoreScope.THREAD) yield thread;
  else if (scope === SchedCoreScope.THREAD_GROUP) yield* thread.process.threads;
  else for (const { group, threads } of processes) if (group === thread.process.group) yield* threads;
}

function give(kernel: Kernel, cpu: Cpu, threads: readonly Thread[], cookie: number): void {
  for (const thread of threads) {
    cpu.charge(PosixStep.coreCookie);
    // Nobody has one yet, and nobody gets one.
    if (thread.coreCookie !== cookie) inUse(kernel, cpu).setCookie(cpu, thread, cookie);
  }
}

/** Core scheduling, switched on by the first cookie of the machine (Linux: `sched_core_get`). It stays on. */
function inUse({ scheduler }: Kernel, cpu: Cpu): CoreScheduling {
  if (scheduler.queues.cores === null) cpu.charge(PosixStep.coreSchedulingOn);
  return CoreScheduling.of(scheduler);
}
