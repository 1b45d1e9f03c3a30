import type { Cpu, ExecutionContext } from '@rpal/hw-x86';
import { migrateRunning } from '../core/affinity.js';
import { dequeue, setTaskCpu } from '../core/enqueue.js';
import { carryIn } from '../core/handover.js';
import { type RunQueue, type RunQueues, SwitchPhase } from '../core/run-queue.js';
import { PathResult, type Task, TaskState } from '../core/task.js';
import { SchedError } from '../errors.js';
import { Dequeue } from '../fair/cfs-queue.js';
import { pickFair, unthrottleAbove } from '../fair/hierarchy.js';
import { pullTask } from '../placement/balance.js';
import { SchedStep } from '../steps.js';

/**
 * `__schedule` (kernel/sched/core.c), one step at a time. The steps are apart because other CPUs race with each: a wake-up that
 * comes between deactivation and switch finds the task still on its CPU.
 */
export class ContextSwitch {
  step(rq: RunQueue): void {
    switch (rq.phase) {
      case SwitchPhase.DEACTIVATE:
        deactivatePrevious(rq);
        break;
      case SwitchPhase.PICK:
        rq.next = this.#admit(rq, chooseNext(rq));
        rq.phase = SwitchPhase.SWITCH;
        break;
      case SwitchPhase.SWITCH:
        switchContext(rq);
        break;
      default:
        this.#finish(rq);
    }
  }

  /** Lets a switch that is under way run to its end. */
  complete(rq: RunQueue): void {
    while (rq.phase !== SwitchPhase.NONE) this.step(rq);
  }

  /** Core scheduling has a say in what was picked; the stopper threads are exempt. */
  #admit(rq: RunQueue, task: Task): Task {
    const { cores, classes } = rq.queues;
    if (cores === null || task === rq.idle || task.schedClass === classes.stop) return task;
    return cores.admit(rq, task);
  }

  #finish(rq: RunQueue): void {
    const { cpu } = rq;
    cpu.charge(SchedStep.finishSwitch);
    rq.previous.onCpu = false;
    rq.lock.release(cpu);
    rq.phase = SwitchPhase.NONE;
    if (rq.next !== rq.idle) rq.startTick();
    else rq.queues.cores?.released(rq);
  }
}

/** Kernel mode: goes through `schedule()` if the CPU is in it, else on with the current task's path. */
export class KernelMode implements ExecutionContext {
  readonly #queues: RunQueues;
  readonly #switching: ContextSwitch;

  constructor(queues: RunQueues, switching: ContextSwitch) {
    this.#queues = queues;
    this.#switching = switching;
  }

  resume(cpu: Cpu): void {
    const rq = this.#queues.of(cpu);
    do {
      if (rq.phase !== SwitchPhase.NONE) {
        this.#switching.step(rq);
      } else {
        const task = rq.current;
        if (task.path.run(cpu, task) === PathResult.SCHEDULE) this.schedule(rq);
      }
    } while (cpu.hasTime && cpu.context === this && !cpu.halted && !cpu.interruptible);
  }

  /** The current task gives the CPU up if another one is to run, or if it is to sleep: the next turns go through it. */
  schedule(rq: RunQueue): void {
    rq.blocking = true;
    this.#begin(rq);
  }

  /** As `schedule`, for a task that is preempted: it stays runnable, whatever it is about to do (Linux: SM_PREEMPT). */
  preempt(rq: RunQueue): void {
    rq.blocking = false;
    this.#begin(rq);
  }

  #begin(rq: RunQueue): void {
    const { cpu } = rq;
    // As in __schedule: a wake-up by an interrupt would find the task that is leaving still current, and be lost.
    cpu.interruptsEnabled = false;
    rq.phase = SwitchPhase.DEACTIVATE;
    cpu.context = this;
  }
}

function deactivatePrevious(rq: RunQueue): void {
  const { cpu, queues } = rq;
  const prev = rq.current;
  if (queues.hooks.schedEnter.tapped) queues.hooks.schedEnter.call(cpu, prev);
  rq.lock.acquire(cpu);
  rq.updateClock(cpu);
  rq.previous = prev;
  prev.needResched = false;
  if (rq.blocking && prev.state !== TaskState.RUNNING && !staysAwake(rq, prev)) {
    cpu.charge(SchedStep.block);
    blockTask(rq, prev);
  } else {
    cpu.charge(rq.blocking ? SchedStep.scheduleBody : SchedStep.preemptBody);
  }
  rq.phase = SwitchPhase.PICK;
}

/** A task that wants to sleep interruptibly and has a signal pending goes on running. */
export function staysAwake({ cpu, queues }: RunQueue, task: Task): boolean {
  if ((task.state & TaskState.INTERRUPTIBLE) === 0 || !(task.signalPending || task.killPending)) return false;
  task.state = TaskState.RUNNING;
  queues.hooks.schedBlockFailed.call(cpu, task);
  return true;
}

/** Takes a task that sleeps off its queue, or leaves it there as delayed. */
export function blockTask(rq: RunQueue, task: Task): void {
  const { schedDelayDequeue } = rq.queues.hooks;
  const { taskBlock } = rq.queues.events;
  if (taskBlock.observed) taskBlock.emit(rq.cpu.id, rq.cpu.clock, task, task.state);
  const mayDelay = task.state !== TaskState.DEAD && (!schedDelayDequeue.tapped || schedDelayDequeue.call(task) !== false);
  dequeue(rq, task, mayDelay ? Dequeue.SLEEP_DELAYED : Dequeue.SLEEP);
  task.voluntarySwitches++;
}

/** Chooses who runs next, and lets plugins change the choice. */
function chooseNext(rq: RunQueue): Task {
  const { cpu, previous, queues } = rq;
  const picked = pickNext(rq);
  const hook = queues.hooks.schedPickNext;
  if (!hook.tapped || picked.schedClass === queues.classes.stop) return picked;
  const chosen = hook.call(picked, cpu, previous);
  if (chosen !== rq.idle && !runnable(rq, chosen)) {
    const plugins = hook.taps.map(({ plugin }) => plugin).join(', ');
    throw new SchedError(
      'BAD_ANSWER',
      `"schedPickNext" (tapped by ${plugins}) chose task ${chosen.pid} (${chosen.name}), which is not runnable on CPU ${cpu.id}; ` +
        'it may choose a task that is queued there, or the idle task',
    );
  }
  return chosen;
}

/** `task` is on the queue of this CPU, does not sleep, and may run here. */
function runnable({ cpu }: RunQueue, task: Task): boolean {
  return task.onRq && task.cpu === cpu && !task.entity.delayed && task.affinity.has(cpu.id);
}

/** Chooses who runs next (Linux: `pick_next_task_fair`, then idle). Delayed sleepers that are picked leave the queue. */
function pickNext(rq: RunQueue): Task {
  const { cpu, queues } = rq;
  const prev = rq.previous;
  if (prev !== rq.idle && prev.onRq && !prev.affinity.has(cpu.id)) migrateRunning(queues, cpu, prev);
  if (!rq.blocking) rq.account();
  const { directed } = rq;
  rq.directed = null;
  if (directed !== null && runnable(rq, directed)) {
    cpu.charge(SchedStep.directedPick);
    if (directed.group !== null) unthrottleAbove(rq, directed);
    return directed;
  }
  const { classes } = queues;
  if (classes.inUse) {
    const urgent = classes.pickAbove(rq);
    if (urgent !== null) return takeOver(rq, urgent);
  }
  const fair = pickFair(rq);
  if (fair !== null) {
    cpu.charge(rq.blocking ? SchedStep.pickNext : fair === prev ? SchedStep.pickSame : SchedStep.pickPreempting);
    return fair as Task;
  }
  cpu.charge(SchedStep.pickIdle);
  const pulled = pullTask(rq);
  if (pulled !== null) return pulled;
  const last = classes.inUse ? classes.pickBelow(rq) : null;
  return last === null ? rq.idle : takeOver(rq, last);
}

/** A task of another class than the fair one is to run: it is moved here if its class had it elsewhere. */
function takeOver(rq: RunQueue, task: Task): Task {
  rq.cpu.charge(SchedStep.pickNext);
  if (task.cpu !== rq.cpu) {
    rq.cpu.charge(SchedStep.migrate);
    rq.queues.of(task.cpu).lose();
    setTaskCpu(rq.cpu, rq, task);
    rq.gain();
  }
  return task;
}

function switchContext(rq: RunQueue): void {
  const { cpu, next } = rq;
  const prev = rq.previous;
  if (next === prev) {
    rq.lock.release(cpu);
    rq.phase = SwitchPhase.NONE;
    return;
  }
  if (next.onCpu) awaitSwitchAway(rq, next);
  putPrevious(rq, prev);
  setNext(rq, next);
  carryIn(cpu, next, cpu.clock);
  switchAddressSpace(cpu, prev, next);
  switchRegisters(rq, prev, next);
  announceSwitch(rq, prev, next);
  rq.phase = SwitchPhase.FINISH;
}

/** A CPU that has moved `task` here may still be leaving its kernel stack, and not have saved its registers yet (Linux: `on_cpu`). */
function awaitSwitchAway({ queues }: RunQueue, task: Task): void {
  for (const other of queues.all) if (other.previous === task && other.phase !== SwitchPhase.NONE) queues.completeSwitch(other);
}

/** `prev` stops being the one that runs. */
export function putPrevious(rq: RunQueue, prev: Task): void {
  if (prev === rq.idle) {
    rq.accountIdle();
    rq.queues.domains.idle.remove(rq.cpu.id);
    return;
  }
  rq.putPrevious(prev);
  if (prev.onRq && prev.state === TaskState.RUNNING) prev.involuntarySwitches++;
}

/** `next` becomes the one that runs. */
export function setNext(rq: RunQueue, next: Task): void {
  if (next === rq.idle) {
    next.entity.execStart = rq.taskClock;
    rq.queues.domains.idle.add(rq.cpu.id);
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

export function announceSwitch({ cpu, queues }: RunQueue, prev: Task, next: Task): void {
  const { hooks, events } = queues;
  if (events.contextSwitch.observed) events.contextSwitch.emit(cpu.id, cpu.clock, prev, next);
  if (hooks.schedSwitch.tapped) hooks.schedSwitch.call(cpu, prev, next);
}
