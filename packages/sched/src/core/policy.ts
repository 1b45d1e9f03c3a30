import type { Cpu } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import { Dequeue, Enqueue } from '../fair/cfs-queue.js';
import { finishDelayed, reweightFair, updateFair } from '../fair/hierarchy.js';
import { IDLE_WEIGHT, niceWeight } from '../fair/sched-entity.js';
import type { TaskGroup } from '../fair/task-group.js';
import { dequeue, enqueue } from './enqueue.js';
import { type RunQueues, resched } from './run-queue.js';
import { MAX_RT_PRIORITY, RR_SLICE, type SchedClass } from './sched-class.js';
import { isRealTime, SchedPolicy, type Task } from './task.js';
import { checkPreempt } from './wake-up.js';

/**
 * sched_setscheduler: gives `task` another policy and, for SCHED_FIFO and SCHED_RR, a priority of 1 .. 99. A call that would change nothing
 * does nothing.
 * @returns 0, or -EINVAL for an unknown policy, a class that the machine does not have, or a priority out of range; what
 *   a tap of `schedPolicy` answers if one refuses
 */
export function setScheduler(queues: RunQueues, cpu: Cpu, task: Task, policy: number, priority: number): number {
  if (queues.classes.of(policy) === undefined) return -Errno.EINVAL;
  if (isRealTime(policy) ? priority < 1 || priority > MAX_RT_PRIORITY : priority !== 0) return -Errno.EINVAL;
  const refused = queues.hooks.schedPolicy.call(task, policy) ?? 0;
  if (refused < 0) return refused;
  if (policy === task.policy && priority === task.ownPriority) return 0;
  const effective = Math.max(priority, task.inheritedPriority);
  const schedClass = effective > 0 ? queues.classes.rt : (queues.classes.of(policy) ?? null);
  changeRank(queues, cpu, task, schedClass, effective, () => {
    task.policy = policy;
    task.ownPriority = priority;
    task.timeSlice = RR_SLICE;
    setWeight(task);
  });
  return 0;
}

/**
 * Lets `task` run with `priority`, 1 .. 99, as long as that is above its own (Linux: `rt_mutex_setprio`); 0 ends it. Its policy stays,
 * and what is asked for by sched_getscheduler.
 */
export function inherit(queues: RunQueues, cpu: Cpu, task: Task, priority: number): void {
  if (task.inheritedPriority === priority) return;
  const effective = Math.max(task.ownPriority, priority);
  const schedClass = classOf(queues, task, effective);
  task.inheritedPriority = priority;
  if (effective === task.rtPriority && schedClass === task.schedClass) return;
  changeRank(queues, cpu, task, schedClass, effective, () => {});
}

/**
 * Changes the class and the real-time priority of a task (Linux: the second half of `__sched_setscheduler`, `rt_mutex_setprio` and
 * `check_class_changed`). A task that is lowered goes before those of its new priority; one that keeps its priority keeps its place. The
 * CPU is taken from it only if somebody else there is now more urgent.
 */
function changeRank(queues: RunQueues, cpu: Cpu, task: Task, schedClass: SchedClass | null, rtPriority: number, apply: () => void): void {
  const rq = queues.of(task.cpu);
  rq.acquire(cpu);
  rq.updateClock(cpu);
  rq.account();
  const { schedClass: oldClass, rtPriority: oldPriority } = task;
  const sameClass = schedClass === oldClass;
  // A sleeper that only works its lag off leaves at once.
  if (task.entity.delayed) finishDelayed(rq, task);
  const queued = task.onRq;
  const runs = rq.current === task;
  const stays = sameClass && schedClass !== null && rtPriority === oldPriority;
  if (stays) {
    apply();
    rq.lock.release(cpu);
    return;
  }
  if (queued) dequeue(rq, task, Dequeue.MOVE);
  if (runs) rq.putPrevious(task);
  task.schedClass = schedClass;
  task.rtPriority = rtPriority;
  apply();
  const lowered = rtPriority < oldPriority;
  if (queued) {
    enqueue(cpu, rq, task, Enqueue.MOVE);
    if (lowered && schedClass === queues.classes.rt) queues.classes.rt.toFront(rq, task);
  }
  if (runs) rq.setNext(task);
  if (queued || runs) reconsider(queues, cpu, task, sameClass, oldPriority);
  rq.lock.release(cpu);
}

/** Must another task run, now that the class or the priority of a task has changed (Linux: `switched_to`, `prio_changed`)? */
function reconsider(queues: RunQueues, cpu: Cpu, task: Task, sameClass: boolean, oldPriority: number): void {
  const rq = queues.of(task.cpu);
  if (rq.current !== task) {
    if (!sameClass || task.rtPriority !== oldPriority) checkPreempt(cpu, rq, task);
  } else if (task.schedClass === queues.classes.rt) {
    if (task.rtPriority < oldPriority && queues.classes.rt.outranked(rq, task)) resched(cpu, rq);
  } else if (!sameClass) {
    resched(cpu, rq);
  }
}

/** The class in which a task runs: with a real-time priority, its own or a lent one, the real-time class, else that of its policy. */
function classOf({ classes }: RunQueues, { policy }: Task, priority: number): SchedClass | null {
  return priority > 0 ? classes.rt : (classes.of(policy) ?? null);
}

/** Moves a task to another control group; null is the root. */
export function setGroup(queues: RunQueues, cpu: Cpu, task: Task, group: TaskGroup | null): void {
  change(queues, cpu, task, () => {
    task.group = group;
  });
}

/** Changes where a task belongs, wherever it is: it leaves its queue before and joins the new one afterwards. */
function change(queues: RunQueues, cpu: Cpu, task: Task, apply: () => void): void {
  const rq = queues.of(task.cpu);
  rq.acquire(cpu);
  rq.updateClock(cpu);
  rq.account();
  // A sleeper that only works its lag off leaves at once.
  if (task.entity.delayed) {
    finishDelayed(rq, task);
  }
  const queued = task.onRq;
  const runs = rq.current === task;
  if (queued) dequeue(rq, task, Dequeue.MOVE);
  if (runs) rq.putPrevious(task);
  apply();
  if (queued) enqueue(cpu, rq, task, Enqueue.MOVE);
  if (runs) {
    rq.setNext(task);
    resched(cpu, rq);
  } else if (queued) {
    checkPreempt(cpu, rq, task);
  }
  rq.lock.release(cpu);
}

/** setpriority, nice. @param nice clamped to -20 .. 19 */
export function setNice(queues: RunQueues, cpu: Cpu, task: Task, nice: number): void {
  const rq = queues.of(task.cpu);
  rq.acquire(cpu);
  rq.updateClock(cpu);
  const before = task.entity.weight;
  task.nice = Math.max(-20, Math.min(19, nice));
  if (task.schedClass === null && task.onRq) {
    if (updateFair(rq)) resched(cpu, rq);
    reweightFair(rq, task, weightOf(task));
    if (rq.current === task) {
      if (task.entity.weight < before) resched(cpu, rq);
    } else if (task.entity.weight > before && !task.entity.delayed) checkPreempt(cpu, rq, task);
  } else {
    setWeight(task);
  }
  rq.lock.release(cpu);
}

function weightOf(task: Task): number {
  return task.policy === SchedPolicy.IDLE ? IDLE_WEIGHT : niceWeight(task.nice);
}

/** Makes a new task ordinary because its parent asked for that: not real-time, and no negative nice value (SCHED_RESET_ON_FORK). */
export function beginOrdinary(task: Task): void {
  if (isRealTime(task.policy)) {
    task.policy = SchedPolicy.NORMAL;
    task.nice = 0;
  }
  task.nice = Math.max(0, task.nice);
  task.schedClass = null;
  task.rtPriority = 0;
  task.ownPriority = 0;
  task.entity.weight = weightOf(task);
}

/** The weight that follows from policy and nice value, of a task that is on no fair queue. */
export function setWeight(task: Task): void {
  const { entity } = task;
  const weight = weightOf(task);
  entity.vlag = Math.trunc((entity.vlag * entity.weight) / weight);
  if (entity.relativeDeadline) entity.deadline = Math.trunc((entity.deadline * entity.weight) / weight);
  entity.weight = weight;
}
