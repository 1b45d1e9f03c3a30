import type { EventSeam } from '@rpal/bus';
import { type Cpu, type Platform, TimedEvent, Vector } from '@rpal/hw-x86';
import { SchedStep } from '../steps.js';
import type { Task, WaitTarget } from './task.js';

/** Where timers are kept. */
export interface TimerHost {
  readonly platform: Platform;
  timers(cpu: Cpu): CpuTimers;
}

/** The timers of one CPU (Linux: `struct hrtimer_cpu_base`). */
export class CpuTimers {
  /** Due, and waiting for this CPU's interrupt. */
  readonly expired: SleepTimer[] = [];
  /** Armed here, and may expire earlier than they must. */
  readonly slack: Set<SleepTimer> = new Set();
  readonly #expire: EventSeam<[cpu: number, time: number, timer: SleepTimer]>;

  constructor(expire: EventSeam<[cpu: number, time: number, timer: SleepTimer]>) {
    this.#expire = expire;
  }

  /** What the timer interrupt does first: runs what is due, and what may run already. */
  run(cpu: Cpu): void {
    while (this.expired.length > 0) this.#run(cpu, this.expired.shift() as SleepTimer);
    for (const timer of this.slack) {
      if (timer.soft > cpu.clock) continue;
      timer.stop();
      this.#run(cpu, timer);
    }
  }

  #run(cpu: Cpu, timer: SleepTimer): void {
    if (this.#expire.observed) this.#expire.emit(cpu.id, cpu.clock, timer);
    timer.run(cpu);
  }
}

/**
 * A high-resolution timer: when it is due, the CPU that armed it is interrupted and runs `callback`. One with slack is due that
 * much later, unless a timer interrupt comes meanwhile: then it goes along (Linux: `hrtimer_set_expires_range_ns`).
 */
export class SleepTimer extends TimedEvent implements WaitTarget {
  readonly #host: TimerHost;
  readonly #callback: (cpu: Cpu) => void;
  #cpu: Cpu | null = null;
  /** When it may expire, TSC cycles; with slack it is armed for later. */
  soft = 0;
  /** Due, and waiting for the interrupt to be taken. */
  expired = false;

  constructor(host: TimerHost, callback: (cpu: Cpu) => void) {
    super();
    this.#host = host;
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
    if (slack > 0) this.#host.timers(cpu).slack.add(this);
    this.#host.platform.arm(this, this.soft + Math.round(slack * cpu.costs.tscPerNs));
  }

  /** Takes it back; nothing happens if it is not running. */
  stop(): void {
    this.#host.platform.queue.cancel(this);
    if (this.#cpu !== null) {
      const timers = this.#host.timers(this.#cpu);
      timers.slack.delete(this);
      if (this.expired) timers.expired.splice(timers.expired.indexOf(this), 1);
    }
    this.expired = false;
  }

  override fire(): void {
    const cpu = this.#cpu as Cpu;
    const timers = this.#host.timers(cpu);
    timers.slack.delete(this);
    this.expired = true;
    timers.expired.push(this);
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
