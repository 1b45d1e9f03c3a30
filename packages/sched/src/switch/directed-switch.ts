import { Errno } from '@rpal/uapi';
import { dequeue, enqueue } from '../core/enqueue.js';
import type { RunQueue } from '../core/run-queue.js';
import { WakeAnswer } from '../core/seams.js';
import { type Task, TaskState } from '../core/task.js';
import { activateHere } from '../core/wake-up.js';
import { SchedError } from '../errors.js';
import { Dequeue, Enqueue } from '../fair/cfs-queue.js';
import { finishDelayed, throttleAbove, unthrottleAbove } from '../fair/hierarchy.js';
import { SchedStep } from '../steps.js';
import { announceSwitch, blockTask, putPrevious, setNext, staysAwake, switchAddressSpace } from './schedule.js';

/** See `Scheduler.switchTo`: makes `task` runnable here and has the next `__schedule` pick it. */
export function switchTo(rq: RunQueue, task: Task): number {
  const { cpu, queues } = rq;
  if (task === rq.current || task === rq.idle || !task.affinity.has(cpu.id)) return -Errno.EINVAL;
  const { schedWakePermission } = queues.hooks;
  if (task.state === TaskState.INTERRUPTIBLE && schedWakePermission.tapped) {
    if ((schedWakePermission.call(cpu, task) ?? WakeAnswer.ALLOW) !== WakeAnswer.ALLOW) return -Errno.EAGAIN;
  }
  const from = queues.of(task.cpu);
  // A switch away from it that is under way ends first.
  if (task.onCpu) queues.completeSwitch(from);
  if (task.onCpu || task.state === TaskState.WAKING) return -Errno.EBUSY;
  if (task.state !== TaskState.RUNNING && task.state !== TaskState.INTERRUPTIBLE) return -Errno.EINVAL;
  if (task.onRq && from !== rq) bringHere(rq, from, task);
  if (task.state !== TaskState.RUNNING) activateHere(queues, cpu, task);
  rq.directed = task;
  rq.current.needResched = true;
  return 0;
}

/** A task on another CPU's queue leaves it, and joins `rq` unless it sleeps. */
function bringHere(rq: RunQueue, from: RunQueue, task: Task): void {
  const { cpu } = rq;
  const { delayed } = task.entity;
  cpu.charge(SchedStep.migrate);
  from.acquire(cpu);
  from.updateClock(cpu);
  if (delayed) finishDelayed(from, task);
  else dequeue(from, task, Dequeue.MOVE);
  from.lock.release(cpu);
  if (delayed) return;
  rq.acquire(cpu);
  rq.updateClock(cpu);
  enqueue(cpu, rq, task, Enqueue.MOVE);
  rq.lock.release(cpu);
}

/** What happens to groups that have used up their quota when a switch goes to one of their tasks. */
export const DirectedQuota = {
  /** They go on all the same. */
  WAIVE: 0,
  /** They go on, and are stopped again if they still have no run time: the task runs although its group has left the queue. */
  CHECK: 1,
} as const;

export type DirectedQuota = (typeof DirectedQuota)[keyof typeof DirectedQuota];

/**
 * Switches from the current task to `next`, which must be runnable on this CPU, whatever the order of deadlines says and, unless `quota`
 * says otherwise, whatever quotas `next`'s groups have used up; a current task that is not in the running state leaves the queue. For
 * mechanisms that have changed the user context beforehand: user registers stay as they are and belong to `next`, so that no FPU state is
 * saved or loaded. Interrupts are off throughout, so the switch is one step.
 * @returns false, half way and with the queue locked, if `quota` has stopped the last fair task of the CPU
 */
export function directedSwitch(rq: RunQueue, next: Task, quota: DirectedQuota = DirectedQuota.WAIVE): boolean {
  const { cpu } = rq;
  const prev = rq.current;
  cpu.charge(SchedStep.scheduleBody);
  rq.lock.acquire(cpu);
  rq.updateClock(cpu);
  prev.needResched = false;
  if (prev.state !== TaskState.RUNNING && !staysAwake(rq, prev)) {
    cpu.charge(SchedStep.dequeue);
    blockTask(rq, prev);
  }
  cpu.charge(SchedStep.directedPick);
  rq.account();
  if (!next.onRq || next.cpu !== cpu) {
    throw new SchedError('INVALID_ARGUMENT', `next: task ${next.pid} (${next.name}) is not runnable on CPU ${cpu.id}; wake it there first`);
  }
  if (next.group !== null) {
    unthrottleAbove(rq, next);
    if (quota === DirectedQuota.CHECK) throttleAbove(rq, next);
    if (rq.fair.queued === 0) return false;
  }
  putPrevious(rq, prev);
  setNext(rq, next);
  cpu.charge(SchedStep.switchPressure);
  switchAddressSpace(cpu, prev, next);
  // The live registers become next's; prev's are whatever was saved last, and must be loaded from there.
  prev.fpuInMemory = true;
  next.fpuInMemory = false;
  cpu.charge(SchedStep.switchTo);
  announceSwitch(rq, prev, next);
  cpu.charge(SchedStep.finishSwitch);
  prev.onCpu = false;
  rq.lock.release(cpu);
  return true;
}
