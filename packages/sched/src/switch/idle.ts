import type { Cpu } from '@rpal/hw-x86';
import type { RunQueue } from '../core/run-queue.js';
import { type KernelPath, PathResult, type Task } from '../core/task.js';
import { receiveWakeUps } from '../core/wake-up.js';
import { pullTask } from '../placement/balance.js';
import { SchedStep } from '../steps.js';

/** What the idle task of one CPU does (Linux: `do_idle`). */
export class IdlePath implements KernelPath {
  readonly #rq: RunQueue;
  #entered = false;

  constructor(rq: RunQueue) {
    this.#rq = rq;
  }

  run(cpu: Cpu, task: Task): PathResult {
    const rq = this.#rq;
    cpu.interruptsEnabled = true;
    rq.leaveHalt();
    if (rq.balanceRequested) {
      rq.balanceRequested = false;
      if (pullTask(rq) !== null) task.needResched = true;
    }
    if (rq.wakeList !== null || task.needResched) {
      if (this.#entered) {
        cpu.charge(SchedStep.idleLeave);
        rq.startTick();
      }
      this.#entered = false;
      if (rq.wakeList !== null) receiveWakeUps(rq);
      if (task.needResched) return PathResult.SCHEDULE;
    }
    if (!this.#entered) {
      this.#entered = true;
      cpu.charge(SchedStep.idleEnter);
      rq.stopTick();
      return PathResult.CONTINUE;
    }
    if (cpu.interruptible) return PathResult.CONTINUE;
    const state = rq.queues.seams.slots.idlePolicy.value.choose(cpu);
    rq.idleState = state;
    const { idleEnter } = rq.queues.events;
    if (idleEnter.observed) idleEnter.emit(cpu.id, cpu.clock, state);
    cpu.halt();
    return PathResult.CONTINUE;
  }
}
