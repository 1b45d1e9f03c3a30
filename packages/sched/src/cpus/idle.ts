import { type Cpu, HwStep } from '@rpal/hw-x86';
import { type KernelPath, PathResult, type Task } from '../core/task.js';
import { receiveWakeUps } from '../core/wake-up.js';
import type { Scheduler } from '../scheduler.js';
import { SchedStep } from '../steps.js';
import { pullTask } from './balance.js';

/** An idle state as the idle loop uses it; times in TSC cycles. */
export interface IdleState {
  readonly name: string;
  /** The core waits by polling or MWAIT, so a store to its need-resched word wakes it without an interrupt. */
  readonly monitored: boolean;
  /** From the waking event to the first instruction. */
  readonly wake: number;
}

/** Chooses the state a CPU goes idle in. */
export interface IdlePolicy {
  choose(cpu: Cpu): IdleState;
}

/** What the idle task of one CPU does (Linux: `do_idle`). */
export class IdlePath implements KernelPath {
  readonly #scheduler: Scheduler;
  #entered = false;
  /** The state the core is in; null unless it halts. */
  state: IdleState | null = null;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  run(cpu: Cpu, task: Task): PathResult {
    const rq = this.#scheduler.runQueue(cpu);
    cpu.interruptsEnabled = true;
    if (this.state !== null) this.leaveHalt(cpu);
    if (rq.balanceRequested) {
      rq.balanceRequested = false;
      if (pullTask(this.#scheduler, rq) !== null) task.needResched = true;
    }
    if (rq.wakeList !== null || task.needResched) {
      if (this.#entered) {
        cpu.charge(SchedStep.idleLeave);
        this.#scheduler.startTick(rq);
      }
      this.#entered = false;
      if (rq.wakeList !== null) receiveWakeUps(this.#scheduler, rq);
      if (task.needResched) return PathResult.SCHEDULE;
    }
    if (!this.#entered) {
      this.#entered = true;
      cpu.charge(SchedStep.idleEnter);
      this.#scheduler.stopTick(rq);
      return PathResult.CONTINUE;
    }
    if (cpu.interruptible) return PathResult.CONTINUE;
    this.state = this.#scheduler.seams.slots.idlePolicy.value.choose(cpu);
    cpu.halt();
    return PathResult.CONTINUE;
  }

  /** The core has been woken: the exit latency passes. A path that comes with the wake-up arrives here. */
  leaveHalt(cpu: Cpu): void {
    const state = this.state;
    if (state === null) return;
    this.state = null;
    const rq = this.#scheduler.runQueue(cpu);
    for (let task = rq.wakeList; task !== null; task = task.nextWake) {
      if (task === cpu.path.destination) cpu.path.arrive(cpu, cpu.haltedAt);
    }
    if (state.wake > 0) cpu.chargeCycles(HwStep.idleExit, state.wake);
  }
}
