import { type Cpu, TimedEvent, Vector } from '@rpal/hw-x86';
import type { Scheduler } from './scheduler.js';
import { SchedStep } from './steps.js';

/** A high-resolution timer: when it is due, the CPU that armed it is interrupted and runs `callback`. */
export class SleepTimer extends TimedEvent {
  readonly #scheduler: Scheduler;
  readonly #callback: (cpu: Cpu) => void;
  #cpu: Cpu | null = null;
  /** Due, and waiting for the interrupt to be taken. */
  expired = false;

  constructor(scheduler: Scheduler, callback: (cpu: Cpu) => void) {
    super();
    this.#scheduler = scheduler;
    this.#callback = callback;
  }

  /** Starts it, `ns` nanoseconds from now, on `cpu`. */
  start(cpu: Cpu, ns: number): void {
    this.stop();
    cpu.charge(SchedStep.timerArm);
    this.#cpu = cpu;
    this.#scheduler.platform.arm(this, cpu.clock + Math.round(ns * cpu.costs.tscPerNs));
  }

  /** Takes it back; nothing happens if it is not running. */
  stop(): void {
    this.#scheduler.platform.queue.cancel(this);
    if (this.expired && this.#cpu !== null) {
      const { expired } = this.#scheduler.runQueue(this.#cpu);
      const at = expired.indexOf(this);
      if (at >= 0) expired.splice(at, 1);
    }
    this.expired = false;
  }

  override fire(): void {
    const cpu = this.#cpu as Cpu;
    this.expired = true;
    this.#scheduler.runQueue(cpu).expired.push(this);
    cpu.raise(Vector.localTimer, this.time);
  }

  /** Called by the timer interrupt. */
  run(cpu: Cpu): void {
    this.expired = false;
    cpu.charge(SchedStep.timerExpire);
    this.#callback(cpu);
  }
}
