import { type Cpu, Vector } from '@rpal/hw-x86';
import { preemptsInGroups, requeueFair, updateFair } from '../fair/hierarchy.js';
import type { Scheduler } from '../scheduler.js';
import { SchedStep } from '../steps.js';
import { enqueue } from './enqueue.js';
import type { RunQueue } from './run-queue.js';
import { SchedPolicy, type Task, TaskState } from './task.js';

/**
 * Makes a sleeping task runnable (Linux: `try_to_wake_up`).
 * @param mask states it may be woken from
 * @param sync the waker says that it is about to sleep itself
 * @returns true if the task was woken
 */
export function wakeUp(scheduler: Scheduler, cpu: Cpu, task: Task, mask: number, sync: boolean): boolean {
  cpu.charge(SchedStep.wakeBody);
  const { hooks, events } = scheduler;
  if ((task.state & mask) === 0) return false;
  if (hooks.schedWakePermission.tapped) {
    if (hooks.schedWakePermission.call(cpu, task) === false) return false;
    // Another waker may have come between while a tap let others have their turn: under the task's lock only one of them wakes it.
    if ((task.state & mask) === 0) return false;
  }
  if (events.wakeUp.observed) events.wakeUp.emit(cpu.id, cpu.clock, task, task.cpu.id);
  const here = scheduler.runQueue(cpu);
  if (task === here.current) {
    // It prepares to sleep, and is told not to.
    task.state = TaskState.RUNNING;
    return true;
  }
  if (task.onRq) {
    const rq = scheduler.runQueue(task.cpu);
    scheduler.lock(rq, cpu);
    // Only under the lock is it certain: a switch that was under way may have taken the sleeper off the queue.
    if (task.onRq) {
      scheduler.updateClock(rq, cpu);
      task.state = TaskState.RUNNING;
      if (task.entity.delayed) {
        cpu.charge(SchedStep.wakePressure);
        cpu.charge(SchedStep.wakeRunnable);
        // As in Linux, the running task's time is not accounted for before the place in the queue is decided, but right after.
        requeueFair(rq, task);
        checkPreempt(scheduler, cpu, rq, task);
      }
      rq.lock.release(cpu);
      if (task.cpu !== cpu && cpu.path.destination === task) cpu.path.depart(cpu);
      return true;
    }
    rq.lock.release(cpu);
  }
  if (task.onCpu) scheduler.completeSwitch(task.cpu);
  task.state = TaskState.WAKING;
  cpu.charge(SchedStep.wakePressure);
  const target = task.affinitySize === 1 ? scheduler.cpuOf(task.affinity.first) : chooseCpu(scheduler, cpu, task, sync);
  const rq = scheduler.runQueue(target);
  if (target !== cpu && (!scheduler.sharesCache(cpu, target) || rq.running === 0)) {
    queueRemotely(scheduler, cpu, rq, task, sync);
    return true;
  }
  scheduler.lock(rq, cpu);
  scheduler.updateClock(rq, cpu);
  activate(scheduler, cpu, rq, task);
  rq.lock.release(cpu);
  // From here on the work that the woken task waits for is its own affair.
  if (target !== cpu && cpu.path.destination === task) cpu.path.depart(cpu);
  return true;
}

/**
 * `cpu` has made something available that others may take without being woken. If the path's destination is awake on
 * another CPU, the work is on its way to it from here on.
 */
export function published(cpu: Cpu): void {
  const { path } = cpu;
  if (path.holder !== cpu) return;
  const task = path.destination as Task;
  const asleep = (task.state & (TaskState.INTERRUPTIBLE | TaskState.UNINTERRUPTIBLE)) !== 0;
  if (!asleep && task.cpu !== cpu) path.depart(cpu);
}

/**
 * The running task takes up what the path brings, if it is its destination. It may even do so before the other side has
 * announced it.
 */
export function taken(cpu: Cpu, task: Task): void {
  const { path } = cpu;
  if (path.destination !== task || path.holder === cpu) return;
  if (path.holder !== null) path.depart(path.holder);
  path.take(cpu);
}

/** Puts a task that is off the queues onto `rq`, which is locked, and lets it take the CPU if it should. */
export function activate(scheduler: Scheduler, cpu: Cpu, rq: RunQueue, task: Task): void {
  cpu.charge(SchedStep.wakeRunnable);
  enqueue(scheduler, cpu, rq, task, false);
  task.state = TaskState.RUNNING;
  checkPreempt(scheduler, cpu, rq, task);
}

/**
 * Makes a sleeping task runnable on `cpu`, whatever its affinity and whoever may refuse wake-ups, without asking whether it
 * should run first: for callers that switch to it at once (`directedSwitch`).
 */
export function activateHere(scheduler: Scheduler, cpu: Cpu, task: Task): void {
  cpu.charge(SchedStep.wakeBody);
  cpu.charge(SchedStep.wakeEnqueue);
  if (task.onCpu === true) scheduler.completeSwitch(task.cpu);
  const rq = scheduler.runQueue(cpu);
  rq.lock.acquire(cpu);
  scheduler.updateClock(rq, cpu);
  if (!task.onRq) {
    enqueue(scheduler, cpu, rq, task, false);
  } else if (task.entity.delayed) {
    requeueFair(rq, task);
  }
  task.state = TaskState.RUNNING;
  rq.lock.release(cpu);
}

/** Does `task`, just made runnable, take the CPU from the one that runs (Linux: `wakeup_preempt`)? */
export function checkPreempt(scheduler: Scheduler, cpu: Cpu, rq: RunQueue, task: Task): void {
  const current = rq.current;
  if (current === rq.idle) {
    resched(scheduler, cpu, rq);
    return;
  }
  if (current.needResched) return;
  if (task.schedClass !== null || current.schedClass !== null) {
    if (preemptsByClass(scheduler, rq, task)) resched(scheduler, cpu, rq);
    return;
  }
  const idlePolicy = task.policy === SchedPolicy.IDLE;
  if (idlePolicy !== (current.policy === SchedPolicy.IDLE)) {
    if (!idlePolicy) resched(scheduler, cpu, rq);
    return;
  }
  // Tasks of the batch and idle policies do not preempt each other.
  if (task.policy !== SchedPolicy.NORMAL) return;
  cpu.charge(SchedStep.wakePreempt);
  const { fair } = rq;
  if (updateFair(rq)) {
    resched(scheduler, cpu, rq);
    return;
  }
  if (task.group !== null || fair.current?.group != null) {
    if (preemptsInGroups(rq, task)) resched(scheduler, cpu, rq);
    return;
  }
  const running = fair.current;
  // PREEMPT_SHORT: a shorter request that is eligible may break into a slice.
  if (running !== null && task.entity.slice < running.slice && fair.eligible(task.entity)) fair.cancelParity();
  if (fair.pick() === task.entity) resched(scheduler, cpu, rq);
}

/** A task of a higher class preempts; within one class the class decides. */
function preemptsByClass({ classes }: Scheduler, rq: RunQueue, task: Task): boolean {
  const { schedClass } = task;
  const { current } = rq;
  if (schedClass === null || schedClass !== current.schedClass) return classes.rank(schedClass) > classes.rank(current.schedClass);
  return classes.queue(schedClass, rq).preempts(task, current);
}

/** The running task of `rq` is to be rescheduled; its CPU is told if it would not notice (Linux: `resched_curr`). */
export function resched(scheduler: Scheduler, cpu: Cpu, rq: RunQueue): void {
  const { current } = rq;
  if (current.needResched) return;
  current.needResched = true;
  if (rq.cpu === cpu) return;
  if (!kickPolling(scheduler, cpu, rq)) {
    cpu.charge(SchedStep.kickByIpi);
    cpu.sendInterrupt(rq.cpu, Vector.reschedule);
  }
}

/** Leaves the enqueueing to the task's CPU (Linux: `ttwu_queue_wakelist`). */
function queueRemotely(scheduler: Scheduler, cpu: Cpu, rq: RunQueue, task: Task, sync: boolean): void {
  cpu.charge(SchedStep.wakeQueueRemote);
  task.wakeSync = sync;
  task.nextWake = null;
  const first = rq.wakeList === null;
  if (rq.wakeListTail === null) rq.wakeList = task;
  else rq.wakeListTail.nextWake = task;
  rq.wakeListTail = task;
  if (first) {
    if (kickPolling(scheduler, cpu, rq)) rq.idle.needResched = true;
    else {
      cpu.charge(SchedStep.kickByIpi);
      cpu.sendInterrupt(rq.cpu, Vector.callFunctionSingle);
    }
  }
  if (cpu.path.destination === task) cpu.path.depart(cpu);
}

/** True if the CPU idles and watches its need-resched word: a store suffices, no interrupt is sent. */
function kickPolling(_scheduler: Scheduler, cpu: Cpu, rq: RunQueue): boolean {
  if (rq.current !== rq.idle) return false;
  const { state } = rq.idlePath;
  if (state !== null && !state.monitored) return false;
  cpu.triggerMonitor(rq.cpu);
  return true;
}

/** Enqueues what other CPUs have woken for this one (Linux: `sched_ttwu_pending`). */
export function receiveWakeUps(scheduler: Scheduler, rq: RunQueue): void {
  const { cpu } = rq;
  const { hooks } = scheduler;
  let task = rq.wakeList;
  rq.wakeList = null;
  rq.wakeListTail = null;
  if (task === null) return;
  cpu.charge(SchedStep.wakeReceive);
  rq.lock.acquire(cpu);
  scheduler.updateClock(rq, cpu);
  while (task !== null) {
    const next: Task | null = task.nextWake;
    task.nextWake = null;
    // A refused task is left as it is, in the waking state, as the RFC's series has it.
    if (!hooks.schedWakePermission.tapped || hooks.schedWakePermission.call(cpu, task) !== false) {
      // Linux would put it into the tree a second time.
      if (task.onRq) throw new Error(`task ${task.pid} (${task.name}), whose wake-up CPU ${cpu.id} receives, is on a run queue already`);
      if (cpu.path.destination === task) cpu.path.arrive(cpu, cpu.clock);
      if (task.onCpu) scheduler.completeSwitch(task.cpu);
      activate(scheduler, cpu, rq, task);
    }
    task = next;
  }
  rq.lock.release(cpu);
}

/** Where a woken task should run (Linux: `select_task_rq_fair`, reduced to wake affinity and the search for an idle core). */
function selectCpu(scheduler: Scheduler, cpu: Cpu, task: Task, sync: boolean): Cpu {
  cpu.charge(SchedStep.selectRq);
  const previous = task.cpu;
  const allowed = task.affinity;
  let target = previous;
  if (allowed.has(cpu.id)) {
    if (sync && scheduler.runQueue(cpu).running === 1) target = cpu;
    else if (scheduler.runQueue(cpu).isIdle && scheduler.sharesCache(cpu, previous)) target = cpu;
    if (target === cpu && scheduler.sharesCache(cpu, previous) && scheduler.runQueue(previous).isIdle && allowed.has(previous.id))
      target = previous;
  }
  if (!allowed.has(target.id)) target = scheduler.cpuOf(allowed.first);
  if (scheduler.runQueue(target).isIdle) return target;
  if (allowed.has(previous.id) && scheduler.sharesCache(previous, target) && scheduler.runQueue(previous).isIdle) return previous;
  return scheduler.idleCpuNear(target, allowed) ?? target;
}

/** As `selectCpu`, and what plugins make of it. */
function chooseCpu(scheduler: Scheduler, cpu: Cpu, task: Task, sync: boolean): Cpu {
  const target = task.schedClass === null ? selectCpu(scheduler, cpu, task, sync) : task.schedClass.selectCpu(scheduler, cpu, task, sync);
  const { schedSelectCpu } = scheduler.hooks;
  if (!schedSelectCpu.tapped) return target;
  const chosen = schedSelectCpu.call(target, cpu, task, sync);
  if (!task.affinity.has(chosen.id)) {
    const plugins = schedSelectCpu.taps.map(({ plugin }) => plugin).join(', ');
    throw new RangeError(
      `"schedSelectCpu" (tapped by ${plugins}) chose CPU ${chosen.id}, where task ${task.pid} (${task.name}) may not run`,
    );
  }
  return chosen;
}
