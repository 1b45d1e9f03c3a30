import { type Cpu, TimedEvent, Vector } from '@rpal/hw-x86';
import type { Task, WaitTarget } from '../core/task.js';
import type { Scheduler } from '../scheduler.js';
import { SchedStep } from '../steps.js';

/**
 * A high-resolution timer: when it is due, the CPU that armed it is interrupted and runs `callback`. One with slack is due that
 * much later, unless a timer interrupt comes meanwhile: then it goes along (Linux: `hrtimer_set_expires_range_ns`).
 */
export class SleepTimer extends TimedEvent implements WaitTarget {
  readonly #scheduler: Scheduler;
  readonly #callback: (cpu: Cpu) => void;
  #cpu: Cpu | null = null;
  /** When it may expire, TSC cycles; with slack it is armed for later. */
  soft = 0;
  /** Due, and waiting for the interrupt to be taken. */
  expired = false;

  constructor(scheduler: Scheduler, callback: (cpu: Cpu) => void) {
    super();
    this.#scheduler = scheduler;
    this.#callback = callback;
  }

  /** Starts it, `ns` nanoseconds from now, on `cpu`. @param slack ns that it may be late */
  start(cpu: Cpu, ns: number, slack = 0): void {
    this.stop();
    cpu.charge(SchedStep.timerArm);
    this.#arm(cpu, cpu.clock + Math.round(ns * cpu.costs.tscPerNs), slack);
  }

  /** Starts it on `cpu`, after it was stopped, for when it would have been due. @param slack ns that it may be late */
  resume(cpu: Cpu, slack = 0): void {
    cpu.charge(SchedStep.timerArm);
    this.#arm(cpu, this.soft, slack);
  }

  #arm(cpu: Cpu, soft: number, slack: number): void {
    this.#cpu = cpu;
    this.soft = soft;
    if (slack > 0) this.#scheduler.runQueue(cpu).slackTimers.add(this);
    this.#scheduler.platform.arm(this, this.soft + Math.round(slack * cpu.costs.tscPerNs));
  }

  /** Takes it back; nothing happens if it is not running. */
  stop(): void {
    this.#scheduler.platform.queue.cancel(this);
    if (this.#cpu !== null) this.#scheduler.runQueue(this.#cpu).slackTimers.delete(this);
    if (this.expired && this.#cpu !== null) {
      const { expired } = this.#scheduler.runQueue(this.#cpu);
      const at = expired.indexOf(this);
      if (at >= 0) expired.splice(at, 1);
    }
    this.expired = false;
  }

  override fire(): void {
    const cpu = this.#cpu as Cpu;
    this.#scheduler.runQueue(cpu).slackTimers.delete(this);
    this.expired = true;
    this.#scheduler.runQueue(cpu).expired.push(this);
    cpu.raise(Vector.localTimer, this.time);
  }

  describe(): string {
    return `timer due at cycle ${this.soft}`;
  }

  /** Called by the timer interrupt. */
  run(cpu: Cpu): void {
    this.expired = false;
    cpu.charge(SchedStep.timerExpire);
    this.#callback(cpu);
  }
}

/** How late a sleep of `task` may end, ns. A real-time task is punctual. */
export function sleepSlack(task: Task): number {
  return task.rtPriority > 0 ? 0 : task.timerSlack;
}

/** How late a timeout of poll, select or epoll_wait may end, ns: a thousandth of it at least (Linux: `select_estimate_accuracy`). */
export function timeoutSlack(task: Task, ns: number): number {
  if (task.rtPriority > 0) return 0;
  const share = Math.floor(ns / (task.nice > 0 ? 200 : 1000));
  return Math.max(task.timerSlack, Math.min(share, 100_000_000));
}
