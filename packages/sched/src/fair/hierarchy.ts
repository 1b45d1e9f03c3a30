import { type CfsQueue, Dequeue, Enqueue } from './cfs-queue.js';
import type { FairTask, SchedEntity } from './sched-entity.js';
import type { FairRunQueue, GroupQueue } from './task-group.js';

/**
 * Fair scheduling through task groups: what `CfsQueue` does on one level, done on all levels from a task up to the CPU's own
 * queue (the `for_each_sched_entity` loops of kernel/sched/fair.c). Tasks outside all groups take the direct way.
 */

/** The queue that an entity competes in. */
function levelOf(rq: FairRunQueue, entity: SchedEntity): CfsQueue {
  return entity.parent === null ? rq.fair : (entity.parent.group as GroupQueue);
}

/** Accounts for the running task's time on all levels. @returns true if it is to be rescheduled */
export function updateFair(rq: FairRunQueue): boolean {
  const { fair, taskClock } = rq;
  const { current } = fair;
  if (current === null || current.group === null) return fair.update(taskClock);
  let expired = false;
  let queue: CfsQueue | null = fair;
  while (queue !== null && queue.current !== null) {
    const running: SchedEntity = queue.current;
    const before = running.sumExec;
    if (queue.update(taskClock)) expired = true;
    const below: GroupQueue | null = running.group;
    if (below?.group.bandwidth?.charge(below, running.sumExec - before) === true) expired = true;
    queue = below;
  }
  return expired;
}

/** Puts a task onto the fair queues of `rq`. */
export function enqueueFair(rq: FairRunQueue, task: FairTask, why: Enqueue): void {
  const { entity, group } = task;
  if (group === null) {
    entity.parent = null;
    rq.fair.enqueue(entity, why);
    rq.gain();
    return;
  }
  const queue = group.on(rq);
  entity.parent = queue.entity;
  queue.enqueue(entity, why);
  join(rq, queue);
  count(rq, entity.parent, 1);
}

/**
 * Takes a task off the fair queues, or leaves it delayed.
 * @returns true if it is off
 */
export function dequeueFair(rq: FairRunQueue, task: FairTask, why: Dequeue): boolean {
  const { entity } = task;
  const off = levelOf(rq, entity).dequeue(entity, why);
  count(rq, entity.parent, -1);
  if (off) leave(rq, entity.parent);
  return off;
}

/** A delayed task has worked its lag off, or must not wait for that: it leaves. */
export function finishDelayed(rq: FairRunQueue, task: FairTask): void {
  levelOf(rq, task.entity).dequeue(task.entity, Dequeue.SLEEP);
  leave(rq, task.entity.parent);
  task.onRq = false;
}

/** A delayed task is woken. */
export function requeueFair(rq: FairRunQueue, task: FairTask): void {
  levelOf(rq, task.entity).requeue(task.entity);
  count(rq, task.entity.parent, 1);
}

/** The fair task to run next; null if there is none. Delayed sleepers that are picked leave, groups out of time stop. */
export function pickFair(rq: FairRunQueue): FairTask | null {
  const { fair } = rq;
  search: while (fair.queued > 0) {
    let entity = fair.pick();
    while (entity !== null && entity.group !== null) {
      const queue: GroupQueue = entity.group;
      if (queue.group.bandwidth?.exhausted(queue) === true) {
        throttle(rq, queue);
        continue search;
      }
      entity = queue.pick();
    }
    if (entity === null) return null;
    const task = entity.task as FairTask;
    if (!entity.delayed) return task;
    finishDelayed(rq, task);
  }
  return null;
}

/** `task` stops running. */
export function putPreviousFair(rq: FairRunQueue, task: FairTask): void {
  updateFair(rq);
  for (let entity: SchedEntity | null = task.entity; entity !== null; entity = entity.parent) {
    const queue = levelOf(rq, entity);
    if (queue.current === entity) queue.putPrevious(entity);
  }
}

/** `task` begins to run. */
export function setNextFair(rq: FairRunQueue, task: FairTask): void {
  for (let entity: SchedEntity | null = task.entity; entity !== null; entity = entity.parent) {
    levelOf(rq, entity).setNext(entity, rq.taskClock);
  }
}

/** The task's weight, as a fraction of its CPU's load (Linux: `task_h_load`). */
export function loadOf(entity: SchedEntity): number {
  let load = entity.weight;
  for (let group = entity.parent; group !== null; group = group.parent) {
    load = (load * group.weight) / Math.max(1, (group.group as GroupQueue).load);
  }
  return load;
}

/** Waiting task entities of a CPU, whatever groups they are in. */
export function* waitingEntities(queue: CfsQueue): Generator<SchedEntity> {
  for (const entity of queue.tree) {
    if (entity.group === null) yield entity;
    else yield* waitingEntities(entity.group);
  }
  const below = queue.current?.group ?? null;
  if (below !== null && !below.throttled) yield* waitingEntities(below);
}

/** Does `task`, just made runnable, preempt: on the level on which its way up meets that of the running task? */
export function preemptsInGroups(rq: FairRunQueue, task: FairTask): boolean {
  let { entity } = task;
  // Upwards to the topmost group that the running task is not in (Linux: `find_matching_se`).
  for (let parent = entity.parent; parent !== null; parent = parent.parent) {
    if (parent.group?.throttled === true) return false;
    if (levelOf(rq, parent).current !== parent) entity = parent;
  }
  const queue = levelOf(rq, entity);
  const running = queue.current;
  if (running !== null && entity.slice < running.slice && queue.eligible(entity)) queue.cancelParity();
  return queue.pick() === entity;
}

/** sched_yield within the task's own group. */
export function yieldFair(rq: FairRunQueue, task: FairTask): void {
  updateFair(rq);
  levelOf(rq, task.entity).yieldCurrent(rq.taskClock);
}

/** Changes the weight of a queued task. */
export function reweightFair(rq: FairRunQueue, task: FairTask, weight: number): void {
  levelOf(rq, task.entity).reweight(task.entity, weight);
  reshareAbove(rq, task.entity.parent);
}

/** A group that has got something to run joins the queue above, and so on upwards. */
function join(rq: FairRunQueue, from: GroupQueue): void {
  let queue = from;
  while (!queue.throttled) {
    const { entity } = queue;
    const above = levelOf(rq, entity);
    reshare(above, queue);
    if (entity.onRq) {
      reshareAbove(rq, entity.parent);
      return;
    }
    above.update(rq.taskClock);
    above.enqueue(entity, Enqueue.WAKE_UP);
    if (entity.parent === null) return;
    queue = entity.parent.group as GroupQueue;
  }
}

/** Groups that have become empty leave the queues above. */
function leave(rq: FairRunQueue, from: SchedEntity | null): void {
  for (let entity = from; entity !== null; entity = entity.parent) {
    const queue = entity.group as GroupQueue;
    const above = levelOf(rq, entity);
    if (queue.queued > 0 || !entity.onRq) {
      if (entity.onRq) reshareAbove(rq, entity);
      return;
    }
    above.update(rq.taskClock);
    above.dequeue(entity, Dequeue.SLEEP);
    queue.group.weightOn(queue);
  }
}

function reshareAbove(rq: FairRunQueue, from: SchedEntity | null): void {
  for (let entity = from; entity?.onRq === true; entity = entity.parent) reshare(levelOf(rq, entity), entity.group as GroupQueue);
}

/** Gives a group's entity the weight that its load on this CPU deserves (Linux: `update_cfs_group`). */
function reshare(above: CfsQueue, queue: GroupQueue): void {
  const { entity } = queue;
  const weight = queue.group.weightOn(queue);
  if (weight === entity.weight) return;
  if (entity.onRq) {
    above.update(queue.rq.taskClock);
    above.reweight(entity, weight);
  } else {
    entity.vlag = Math.trunc((entity.vlag * entity.weight) / weight);
    entity.weight = weight;
  }
}

/** One runnable task more or less, from `from` upwards; the CPU counts it unless a group above is throttled. */
function count(rq: FairRunQueue, from: SchedEntity | null, change: 1 | -1): void {
  for (let entity = from; entity !== null; entity = entity.parent) {
    const queue = entity.group as GroupQueue;
    queue.runnable += change;
    if (queue.throttled) return;
  }
  if (change > 0) rq.gain();
  else rq.lose();
}

/** A group has used up its run time on this CPU: it leaves the queue above until it gets more (Linux: `throttle_cfs_rq`). */
function throttle(rq: FairRunQueue, queue: GroupQueue): void {
  queue.group.bandwidth?.throttled(queue);
  const { runnable } = queue;
  const above = levelOf(rq, queue.entity);
  above.update(rq.taskClock);
  if (queue.entity.onRq) above.dequeue(queue.entity, Dequeue.SLEEP);
  leave(rq, queue.entity.parent);
  for (let i = 0; i < runnable; i++) count(rq, queue.entity.parent, -1);
  queue.throttled = true;
}

/** `task` is to run whatever its groups have left: those that are out of run time go on all the same. */
export function unthrottleAbove(rq: FairRunQueue, task: FairTask): void {
  for (let entity = task.entity.parent; entity !== null; entity = entity.parent) {
    const queue = entity.group as GroupQueue;
    if (!queue.throttled) continue;
    queue.group.bandwidth?.released(queue);
    unthrottle(rq, queue);
  }
}

/** Groups above `task` that are out of run time, and that the pool has none for, stop (Linux: `check_cfs_rq_runtime`). */
export function throttleAbove(rq: FairRunQueue, task: FairTask): void {
  for (let entity = task.entity.parent; entity !== null; entity = entity.parent) {
    const queue = entity.group as GroupQueue;
    if (!queue.throttled && queue.group.bandwidth?.exhausted(queue) === true) throttle(rq, queue);
  }
}

/** A group has run time again: its tasks compete from now on (Linux: `unthrottle_cfs_rq`). */
export function unthrottle(rq: FairRunQueue, queue: GroupQueue): void {
  queue.throttled = false;
  if (queue.queued > 0) join(rq, queue);
  for (let i = 0; i < queue.runnable; i++) count(rq, queue.entity.parent, 1);
}
