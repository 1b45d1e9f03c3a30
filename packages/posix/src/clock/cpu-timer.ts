import type { Cpu } from '@rpal/hw-x86';
import { type Scheduler, SleepTimer } from '@rpal/sched';

/** Time that a timer counts, as it stands, ns. */
export type Reading = (cpu: Cpu) => number;

/**
 * A timer on any clock: of time that passes, or of CPU time. CPU time passes no faster than a CPU's clock (for each thread of its owner): the
 * timer looks when it can be due at the earliest, and again, until it is.
 */
export class ClockTimer {
  readonly #timer: SleepTimer;
  /** Its clock. */
  readonly read: Reading;
  readonly #threads: () => number;
  #due = 0;
  armed = false;
  interval = 0;

  /** @param threads how many may use up CPU time at once; 0: the clock is one of time that passes @param expired called at each expiry with how many periods are over */
  constructor(scheduler: Scheduler, read: Reading, threads: () => number, expired: (cpu: Cpu, periods: number) => void) {
    this.read = read;
    this.#threads = threads;
    this.#timer = new SleepTimer(scheduler, (cpu) => {
      const now = read(cpu);
      if (now < this.#due) return this.#arm(cpu, now);
      let periods = 1;
      this.armed = this.interval > 0;
      if (this.armed) {
        periods += Math.floor((now - this.#due) / this.interval);
        this.#due += periods * this.interval;
        this.#arm(cpu, now);
      }
      expired(cpu, periods);
    });
  }

  /** @param due when it expires by its clock, ns @param interval ns between expiries; 0: only one */
  start(cpu: Cpu, due: number, interval: number): void {
    this.#due = due;
    this.interval = interval;
    this.armed = true;
    this.#arm(cpu, this.read(cpu));
  }

  #arm(cpu: Cpu, now: number): void {
    const left = Math.max(0, this.#due - now);
    // A fraction of a nanosecond early would be a turn in vain.
    this.#timer.start(cpu, Math.max(1, Math.ceil(left / Math.max(1, this.#threads()))));
  }

  stop(): void {
    this.armed = false;
    this.#timer.stop();
  }

  /** Nanoseconds until it expires; 0 if it is not armed, 1 at least if it is. */
  left(cpu: Cpu): number {
    return this.armed ? Math.max(1, this.#due - this.read(cpu)) : 0;
  }
}
