import type { Cpu } from '@rpal/hw-x86';
import { pullTask } from '../cpus/balance.js';
import { pickFair } from '../fair/hierarchy.js';
import type { Scheduler } from '../scheduler.js';
import { SchedStep } from '../steps.js';
import { dequeue } from './enqueue.js';
import { type RunQueue, SwitchPhase } from './run-queue.js';
import { type Task, TaskState } from './task.js';

/**
 * One step of `__schedule` (kernel/sched/core.c). The steps are apart because other CPUs race with each: a wake-up that
 * comes between deactivation and switch finds the task still on its CPU.
 */
export function switchStep(scheduler: Scheduler, rq: RunQueue): void {
  switch (rq.phase) {
    case SwitchPhase.DEACTIVATE:
      deactivatePrevious(scheduler, rq);
      break;
    case SwitchPhase.PICK:
      rq.next = pickNext(scheduler, rq);
      if (scheduler.cores.inUse) rq.next = admit(scheduler, rq, rq.next);
      rq.phase = SwitchPhase.SWITCH;
      break;
    case SwitchPhase.SWITCH:
      switchTo(scheduler, rq);
      break;
    default:
      finishSwitch(scheduler, rq);
  }
}

function deactivatePrevious(scheduler: Scheduler, rq: RunQueue): void {
  const { cpu } = rq;
  const prev = rq.current;
  if (scheduler.hooks.schedEnter.tapped) scheduler.hooks.schedEnter.call(cpu, prev);
  rq.lock.acquire(cpu);
  scheduler.updateClock(rq, cpu);
  rq.previous = prev;
  prev.needResched = false;
  if (rq.blocking && prev.state !== TaskState.RUNNING && !staysAwake(scheduler, cpu, prev)) {
    cpu.charge(SchedStep.block);
    blockTask(scheduler, rq, prev);
  } else {
    cpu.charge(rq.blocking ? SchedStep.scheduleBody : SchedStep.preemptBody);
  }
  rq.phase = SwitchPhase.PICK;
}

/** A task that wants to sleep interruptibly and has a signal pending goes on running. */
export function staysAwake(scheduler: Scheduler, cpu: Cpu, task: Task): boolean {
  if ((task.state & TaskState.INTERRUPTIBLE) === 0 || !(task.signalPending || task.killPending)) return false;
  task.state = TaskState.RUNNING;
  scheduler.hooks.schedBlockFailed.call(cpu, task);
  return true;
}

/** Takes a task that sleeps off its queue, or leaves it there as delayed. */
export function blockTask(scheduler: Scheduler, rq: RunQueue, task: Task): void {
  const { schedDelayDequeue } = scheduler.hooks;
  const mayDelay = task.state !== TaskState.DEAD && (!schedDelayDequeue.tapped || schedDelayDequeue.call(task) !== false);
  dequeue(scheduler, rq, task, true, mayDelay);
  task.voluntarySwitches++;
}

/** Chooses who runs next (Linux: `pick_next_task_fair`, then idle). Delayed sleepers that are picked leave the queue. */
function pickNext(scheduler: Scheduler, rq: RunQueue): Task {
  const { cpu } = rq;
  const prev = rq.previous;
  if (prev !== rq.idle && prev.onRq && !prev.affinity.has(cpu.id)) scheduler.migrateRunning(cpu, prev);
  if (!rq.blocking) rq.account();
  const { classes } = scheduler;
  if (classes.inUse) {
    const urgent = classes.pickAbove(rq);
    if (urgent !== null) return takeOver(scheduler, rq, urgent);
  }
  const fair = pickFair(rq);
  if (fair !== null) {
    cpu.charge(rq.blocking ? SchedStep.pickNext : SchedStep.pickPreempting);
    return fair;
  }
  cpu.charge(SchedStep.pickIdle);
  const pulled = pullTask(scheduler, rq);
  if (pulled !== null) return pulled;
  const last = classes.inUse ? classes.pickBelow(rq) : null;
  return last === null ? rq.idle : takeOver(scheduler, rq, last);
}

/** Core scheduling has a say in what was picked; the stopper threads are exempt. */
function admit({ cores, classes }: Scheduler, rq: RunQueue, task: Task): Task {
  return task === rq.idle || task.schedClass === classes.stop ? task : cores.admit(rq, task);
}

/** A task of another class than the fair one is to run: it is moved here if its class had it elsewhere. */
function takeOver(scheduler: Scheduler, rq: RunQueue, task: Task): Task {
  rq.cpu.charge(SchedStep.pickNext);
  if (task.cpu !== rq.cpu) {
    rq.cpu.charge(SchedStep.migrate);
    scheduler.runQueue(task.cpu).lose();
    task.cpu = rq.cpu;
    rq.gain();
  }
  return task;
}

function switchTo(scheduler: Scheduler, rq: RunQueue): void {
  const { cpu, next } = rq;
  const prev = rq.previous;
  if (next === prev) {
    rq.lock.release(cpu);
    rq.phase = SwitchPhase.NONE;
    return;
  }
  putPrevious(rq, prev);
  setNext(rq, next);
  if (cpu.path.destination === next) cpu.path.arrive(cpu, cpu.clock);
  switchAddressSpace(cpu, prev, next);
  switchRegisters(rq, prev, next);
  announceSwitch(scheduler, rq, prev, next);
  rq.phase = SwitchPhase.FINISH;
}

function finishSwitch(scheduler: Scheduler, rq: RunQueue): void {
  const { cpu } = rq;
  cpu.charge(SchedStep.finishSwitch);
  rq.previous.onCpu = false;
  rq.lock.release(cpu);
  rq.phase = SwitchPhase.NONE;
  if (rq.next !== rq.idle) scheduler.startTick(rq);
  else if (scheduler.cores.inUse) scheduler.cores.released(rq);
}

/** `prev` stops being the one that runs. */
export function putPrevious(rq: RunQueue, prev: Task): void {
  if (prev === rq.idle) {
    rq.accountIdle();
    rq.idles(false);
    return;
  }
  rq.putPrevious(prev);
  if (prev.onRq && prev.state === TaskState.RUNNING) prev.involuntarySwitches++;
}

/** `next` becomes the one that runs. */
export function setNext(rq: RunQueue, next: Task): void {
  if (next === rq.idle) {
    next.entity.execStart = rq.taskClock;
    rq.idles(true);
  } else rq.setNext(next);
  rq.current = next;
  next.onCpu = true;
  rq.switches++;
}

/** Address space of `next`; a task without one borrows what is loaded. */
export function switchAddressSpace(cpu: Cpu, prev: Task, next: Task): void {
  if (next.mm !== null) next.mm.activate(cpu);
  else if (prev.mm !== null) prev.mm.enterLazy(cpu);
}

/** User registers that belong to the thread: segment bases, PKRU, FPU state. */
function switchRegisters(rq: RunQueue, prev: Task, next: Task): void {
  const { cpu } = rq;
  if (prev.mm !== null) {
    prev.fsBase = cpu.fsBase;
    prev.gsBase = cpu.gsBase;
    prev.pkru = cpu.mmu.pkru;
    prev.fpuInMemory = true;
    cpu.charge(rq.blocking ? SchedStep.switchUser : SchedStep.switchUserPreempted);
  } else {
    cpu.charge(rq.blocking ? SchedStep.switchPressure : SchedStep.preemptPressure);
    cpu.charge(SchedStep.switchTo);
  }
  if (next.mm !== null) {
    cpu.fsBase = next.fsBase;
    cpu.gsBase = next.gsBase;
    cpu.mmu.pkru = next.pkru;
  }
  next.switched = true;
}

export function announceSwitch(scheduler: Scheduler, rq: RunQueue, prev: Task, next: Task): void {
  const { hooks, events } = scheduler;
  if (events.contextSwitch.observed) events.contextSwitch.emit(rq.cpu.id, rq.cpu.clock, prev, next);
  if (hooks.schedSwitch.tapped) hooks.schedSwitch.call(rq.cpu, prev, next);
}
