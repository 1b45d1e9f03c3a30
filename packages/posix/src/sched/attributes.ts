import { PAGE_SIZE } from '@rpal/hw-x86';
import { refuseScheduling, UserBuffer } from '@rpal/kernel';
import { isRealTime, SchedPolicy } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { PosixStep } from '../steps.js';
import { putInt } from '../user-memory.js';

/** Bytes of `struct sched_attr` in its first and its second form. */
const FIRST = 48;
const SECOND = 56;
const Offset = { size: 0, policy: 4, flags: 8, nice: 16, priority: 20, runtime: 24 } as const;
const AttrFlag = { RESET_ON_FORK: 1, RECLAIM: 2, DL_OVERRUN: 4, KEEP_POLICY: 8, KEEP_PARAMS: 16, UTIL_CLAMP: 0x60, ALL: 0x7f } as const;
/** The slice that a fair task may ask for, ns; other values are clamped. */
const SLICE_MIN = 100_000;
const SLICE_MAX = 100_000_000;

const isFair = (policy: number): boolean => policy === SchedPolicy.NORMAL || policy === SchedPolicy.BATCH || policy === SchedPolicy.IDLE;

/** sched_setattr, sched_getattr, sched_setparam and sched_getparam. */
export function defineSchedAttributes(calls: Calls): void {
  const { scheduler, processes } = calls.kernel;
  const buffer = new UserBuffer(PAGE_SIZE);

  calls.define('sched_setparam', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.attributes);
    if ((a0 | 0) < 0 || a1 === 0) return -Errno.EINVAL;
    if (buffer.load(cpu, thread, a1, 4) < 0) return -Errno.EFAULT;
    const priority = buffer.i32(0);
    const target = processes.target(thread, a0);
    if (target === undefined) return -Errno.ESRCH;
    const { policy, nice, resetOnFork } = target;
    const refused = refuseScheduling(thread, target, { policy, priority, nice, resetOnFork });
    return refused < 0 ? refused : scheduler.setScheduler(cpu, target, target.policy, priority);
  });

  calls.define('sched_getparam', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.identity);
    if ((a0 | 0) < 0 || a1 === 0) return -Errno.EINVAL;
    const target = processes.target(thread, a0);
    return target === undefined ? -Errno.ESRCH : buffer.set32(0, target.ownPriority).copy(cpu, thread, a1, 4);
  });

  calls.define(
    'sched_setattr',
    (cpu, thread, { a0, a1, a2 }) => {
      cpu.charge(PosixStep.attributes);
      if (a1 === 0 || (a0 | 0) < 0 || (a2 | 0) !== 0) return -Errno.EINVAL;
      if (buffer.load(cpu, thread, a1, 4) < 0) return -Errno.EFAULT;
      const size = buffer.u32(Offset.size) || FIRST;
      const tooBig = (): number => (putInt(cpu, thread, a1, SECOND) < 0 ? -Errno.EFAULT : -Errno.E2BIG);
      if (size < FIRST || size > PAGE_SIZE) return tooBig();
      const unread = buffer.loadExtensible(cpu, thread, a1, size, SECOND);
      if (unread < 0) return unread === -Errno.E2BIG ? tooBig() : unread;
      const flags = buffer.u32(Offset.flags);
      if ((flags & AttrFlag.UTIL_CLAMP) !== 0) return size < SECOND ? -Errno.EINVAL : -Errno.EOPNOTSUPP;
      const nice = Math.max(-20, Math.min(19, buffer.i32(Offset.nice)));
      const asked = buffer.i32(Offset.policy);
      if (asked < 0) return -Errno.EINVAL;
      const target = processes.target(thread, a0);
      if (target === undefined) return -Errno.ESRCH;
      const keeps = (flags & AttrFlag.KEEP_PARAMS) !== 0;
      const keepsPolicy = (flags & AttrFlag.KEEP_POLICY) !== 0;
      const policy = keepsPolicy ? target.policy : asked;
      const priority = keeps ? target.ownPriority : buffer.u32(Offset.priority);
      if ((!isRealTime(policy) && !isFair(policy)) || (flags & ~AttrFlag.ALL) !== 0) return -Errno.EINVAL;
      const resetOnFork = keepsPolicy ? target.resetOnFork : (flags & AttrFlag.RESET_ON_FORK) !== 0;
      const refused = refuseScheduling(thread, target, { policy, priority, nice: keeps ? target.nice : nice, resetOnFork });
      if (refused < 0) return refused;
      const runtime = buffer.u64(Offset.runtime);
      const failed = scheduler.setScheduler(cpu, target, policy, priority);
      if (failed < 0) return failed;
      target.resetOnFork = resetOnFork;
      if (isFair(policy) && !keeps) {
        if (nice !== target.nice) scheduler.setNice(cpu, target, nice);
        const { entity } = target;
        entity.customSlice = runtime !== 0;
        entity.slice = runtime === 0 ? scheduler.baseSlice : Math.max(SLICE_MIN, Math.min(SLICE_MAX, runtime));
      }
      return 0;
    },
    { missing: 'SCHED_DEADLINE is EINVAL, and clamps of utilisation EOPNOTSUPP' },
  );

  calls.define('sched_getattr', (cpu, thread, { a0, a1, a2, a3 }) => {
    cpu.charge(PosixStep.structure);
    const size = a2 >>> 0;
    if (a1 === 0 || (a0 | 0) < 0 || size > PAGE_SIZE || size < FIRST || (a3 | 0) !== 0) return -Errno.EINVAL;
    const target = processes.target(thread, a0);
    if (target === undefined) return -Errno.ESRCH;
    const bytes = Math.min(size, SECOND);
    buffer.clear(Math.max(size, SECOND)).set32(Offset.size, bytes).set32(Offset.policy, target.policy);
    if (target.resetOnFork) buffer.set32(Offset.flags, AttrFlag.RESET_ON_FORK);
    if (isRealTime(target.policy)) buffer.set32(Offset.priority, target.ownPriority);
    else buffer.set32(Offset.nice, target.nice).set64(Offset.runtime, target.entity.slice);
    if (bytes === SECOND) buffer.set32(SECOND - 4, UCLAMP_MAX);
    return buffer.store(cpu, thread, a1, size) < 0 ? -Errno.EFAULT : 0;
  });
}

/** No task's utilisation is clamped. */
const UCLAMP_MAX = 1024;
