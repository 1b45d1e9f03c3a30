import { type Cpu, ModelBug, Vector } from '@rpal/hw-x86';
import { SchedError } from '../errors.js';
import { Enqueue } from '../fair/cfs-queue.js';
import { preemptsInGroups, requeueFair, updateFair } from '../fair/hierarchy.js';
import { SchedStep } from '../steps.js';
import { enqueue } from './enqueue.js';
import { carryAway, carryIn } from './handover.js';
import { kickPolling, leaveForHypervisor, type RunQueue, type RunQueues, resched } from './run-queue.js';
import { WakeAnswer } from './seams.js';
import { SchedPolicy, type Task, TaskState } from './task.js';

/** Wakes tasks. */
export interface Waker {
  /**
   * Makes a sleeping task runnable.
   * @param mask states it may be woken from; by default both kinds of sleep
   * @param sync the waker says that it is about to sleep itself
   * @returns true if the task was woken
   */
  wakeUp(cpu: Cpu, task: Task, mask?: number, sync?: boolean): boolean;
}

/**
 * Makes a sleeping task runnable (Linux: `try_to_wake_up`).
 * @param mask states it may be woken from
 * @param sync the waker says that it is about to sleep itself
 * @returns true if the task was woken, or a tap of `schedWakePermission` says that the waker is to believe so
 */
export function wakeUp(queues: RunQueues, cpu: Cpu, task: Task, mask: number, sync: boolean): boolean {
  cpu.charge(SchedStep.wakeBody);
  const { hooks } = queues;
  if ((task.state & mask) === 0) return false;
  if (hooks.schedWakePermission.tapped) {
    const answer = hooks.schedWakePermission.call(cpu, task);
    if (answer === WakeAnswer.REFUSE) return false;
    if (answer === WakeAnswer.REFUSE_UNNOTICED) return true;
    // Another waker may have come first while a tap let other CPUs run: under the task's lock only one of them wakes it.
    if ((task.state & mask) === 0) return false;
  }
  const here = queues.of(cpu);
  if (task === here.current) {
    announceWakeUp(queues, cpu, task, cpu);
    // It is preparing to sleep; the wake-up cancels that.
    task.state = TaskState.RUNNING;
    return true;
  }
  if (task.onRq) {
    const rq = queues.of(task.cpu);
    rq.acquire(cpu);
    // Only under the lock is it certain: a switch that was under way may have taken the sleeper off the queue.
    if (task.onRq) {
      announceWakeUp(queues, cpu, task, task.cpu);
      rq.updateClock(cpu);
      task.state = TaskState.RUNNING;
      if (task.entity.delayed) {
        cpu.charge(SchedStep.wakePressure);
        cpu.charge(SchedStep.wakeRunnable);
        // As in Linux, the running task's time is not accounted for before the place in the queue is decided, but right after.
        requeueFair(rq, task);
        checkPreempt(cpu, rq, task);
      }
      rq.lock.release(cpu);
      if (task.cpu !== cpu) carryAway(cpu, task);
      return true;
    }
    rq.lock.release(cpu);
  }
  if (task.onCpu) queues.completeSwitch(queues.of(task.cpu));
  task.state = TaskState.WAKING;
  const target = task.affinitySize === 1 ? queues.cpuOf(task.affinity.first) : chooseCpu(queues, cpu, task, sync);
  announceWakeUp(queues, cpu, task, target);
  const rq = queues.of(target);
  if (target !== cpu && (!queues.domains.sharesCache(cpu, target) || rq.running === 0)) {
    cpu.charge(SchedStep.wakePressure);
    queueRemotely(cpu, rq, task, sync);
    return true;
  }
  rq.acquire(cpu);
  rq.updateClock(cpu);
  cpu.charge(SchedStep.wakePressure);
  activate(cpu, rq, task, Enqueue.WAKE_UP);
  rq.lock.release(cpu);
  if (target !== cpu) carryAway(cpu, task);
  return true;
}

/** Puts a task that is off the queues onto `rq`, which is locked, and lets it take the CPU if it should. */
export function activate(cpu: Cpu, rq: RunQueue, task: Task, why: Enqueue): void {
  cpu.charge(SchedStep.wakeRunnable);
  enqueue(cpu, rq, task, why);
  task.state = TaskState.RUNNING;
  checkPreempt(cpu, rq, task);
}

function announceWakeUp({ events }: RunQueues, cpu: Cpu, task: Task, target: Cpu): void {
  if (events.wakeUp.observed) events.wakeUp.emit(cpu.id, cpu.clock, task, target.id);
}

/**
 * Makes a sleeping task runnable on `cpu`, whatever its affinity and whoever may refuse wake-ups, without asking whether it
 * should run first: for callers that switch to it at once (`directedSwitch`).
 */
export function activateHere(queues: RunQueues, cpu: Cpu, task: Task): void {
  cpu.charge(SchedStep.wakeBody);
  cpu.charge(SchedStep.wakeEnqueue);
  if (task.onCpu) queues.completeSwitch(queues.of(task.cpu));
  announceWakeUp(queues, cpu, task, cpu);
  const rq = queues.of(cpu);
  rq.lock.acquire(cpu);
  rq.updateClock(cpu);
  if (!task.onRq) {
    enqueue(cpu, rq, task, Enqueue.WAKE_UP);
  } else if (task.entity.delayed) {
    requeueFair(rq, task);
  }
  task.state = TaskState.RUNNING;
  rq.lock.release(cpu);
}

/** Does `task`, just made runnable, take the CPU from the one that runs (Linux: `wakeup_preempt`)? */
export function checkPreempt(cpu: Cpu, rq: RunQueue, task: Task): void {
  const current = rq.current;
  if (current === rq.idle) {
    resched(cpu, rq);
    return;
  }
  if (current.needResched) return;
  if (task.schedClass !== null || current.schedClass !== null) {
    if (preemptsByClass(rq, task)) resched(cpu, rq);
    return;
  }
  const idlePolicy = task.policy === SchedPolicy.IDLE;
  if (idlePolicy !== (current.policy === SchedPolicy.IDLE)) {
    if (!idlePolicy) resched(cpu, rq);
    return;
  }
  // Tasks of the batch and idle policies do not preempt each other.
  if (task.policy !== SchedPolicy.NORMAL) return;
  cpu.charge(SchedStep.wakePreempt);
  const { fair } = rq;
  if (updateFair(rq)) {
    resched(cpu, rq);
    return;
  }
  if (task.group !== null || fair.current?.group != null) {
    if (preemptsInGroups(rq, task)) resched(cpu, rq);
    return;
  }
  const running = fair.current;
  // PREEMPT_SHORT: a shorter request that is eligible may break into a slice.
  if (running !== null && task.entity.slice < running.slice && fair.eligible(task.entity)) fair.cancelParity();
  if (fair.pick() === task.entity) resched(cpu, rq);
}

/** A task of a higher class preempts; within one class the class decides. */
function preemptsByClass(rq: RunQueue, task: Task): boolean {
  const { classes } = rq.queues;
  const { schedClass } = task;
  const { current } = rq;
  if (schedClass === null || schedClass !== current.schedClass) return classes.rank(schedClass) > classes.rank(current.schedClass);
  return classes.queue(schedClass, rq).preempts(task, current);
}

/** Leaves the enqueueing to the task's CPU (Linux: `ttwu_queue_wakelist`). */
function queueRemotely(cpu: Cpu, rq: RunQueue, task: Task, sync: boolean): void {
  cpu.charge(SchedStep.wakeQueueRemote);
  task.wakeSync = sync;
  task.nextWake = null;
  const first = rq.wakeList === null;
  if (rq.wakeListTail === null) rq.wakeList = task;
  else rq.wakeListTail.nextWake = task;
  rq.wakeListTail = task;
  if (first) {
    if (kickPolling(cpu, rq)) rq.idle.needResched = true;
    else {
      cpu.charge(SchedStep.kickByIpi);
      cpu.sendInterrupt(rq.cpu, Vector.callFunctionSingle);
      carryAway(cpu, task);
      leaveForHypervisor(cpu, rq);
      return;
    }
  }
  carryAway(cpu, task);
}

/** Enqueues what other CPUs have woken for this one (Linux: `sched_ttwu_pending`). */
export function receiveWakeUps(rq: RunQueue): void {
  const { cpu, queues } = rq;
  const { hooks } = queues;
  let task = rq.wakeList;
  rq.wakeList = null;
  rq.wakeListTail = null;
  if (task === null) return;
  cpu.charge(SchedStep.wakeReceive);
  rq.lock.acquire(cpu);
  rq.updateClock(cpu);
  while (task !== null) {
    const next: Task | null = task.nextWake;
    task.nextWake = null;
    // A refused task is left as it is, in the waking state, as the RFC's series has it.
    if (!hooks.schedWakePermission.tapped || (hooks.schedWakePermission.call(cpu, task) ?? WakeAnswer.ALLOW) === WakeAnswer.ALLOW) {
      // Linux would put it into the tree a second time.
      if (task.onRq)
        throw new ModelBug('a task whose wake-up a CPU receives is on a run queue already', {
          pid: task.pid,
          task: task.name,
          cpu: cpu.id,
        });
      carryIn(cpu, task, cpu.clock);
      if (task.onCpu) queues.completeSwitch(queues.of(task.cpu));
      activate(cpu, rq, task, Enqueue.WAKE_UP);
    }
    task = next;
  }
  rq.lock.release(cpu);
}

/** Where a woken task should run (Linux: `select_task_rq_fair`, reduced to wake affinity and the search for an idle core). */
function selectCpu(queues: RunQueues, cpu: Cpu, task: Task, sync: boolean): Cpu {
  cpu.charge(SchedStep.selectRq);
  const previous = task.cpu;
  const allowed = task.affinity;
  let target = previous;
  if (allowed.has(cpu.id)) {
    if (sync && queues.of(cpu).running === 1) target = cpu;
    else if (queues.of(cpu).isIdle && queues.domains.sharesCache(cpu, previous)) target = cpu;
    if (target === cpu && queues.domains.sharesCache(cpu, previous) && queues.of(previous).isIdle && allowed.has(previous.id))
      target = previous;
  }
  if (!allowed.has(target.id)) target = queues.cpuOf(allowed.first);
  if (queues.of(target).isIdle) return target;
  if (allowed.has(previous.id) && queues.domains.sharesCache(previous, target) && queues.of(previous).isIdle) return previous;
  return queues.idleNear(target, allowed) ?? target;
}

/** As `selectCpu`, and lets plugins change the choice. */
function chooseCpu(queues: RunQueues, cpu: Cpu, task: Task, sync: boolean): Cpu {
  const target = task.schedClass === null ? selectCpu(queues, cpu, task, sync) : task.schedClass.selectCpu(queues, cpu, task, sync);
  const { schedSelectCpu } = queues.hooks;
  if (!schedSelectCpu.tapped) return target;
  const chosen = schedSelectCpu.call(target, cpu, task, sync);
  if (!task.affinity.has(chosen.id)) {
    const plugins = schedSelectCpu.taps.map(({ plugin }) => plugin).join(', ');
    throw new SchedError(
      'BAD_ANSWER',
      `"schedSelectCpu" (tapped by ${plugins}) chose CPU ${chosen.id}, where task ${task.pid} (${task.name}) may not run`,
    );
  }
  return chosen;
}
