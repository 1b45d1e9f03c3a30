import { HwStep } from '../costs/steps.js';
import type { CoreClock } from '../time/core-clock.js';
import { type EventQueue, TimedEvent } from '../time/event-queue.js';

/** A stretch of computing; see `Cpu.work`. */
export interface Work {
  /** TSC cycles left, a positive whole number. */
  cycles: number;
}

/**
 * Whether one processor takes turns. It does not while it is in HLT or MWAIT, nor while it computes and touches nothing that
 * another could see.
 */
export class Halt {
  active: boolean = true;
  /** When it began, TSC cycles. */
  since: number;
  readonly #clock: CoreClock;
  readonly #queue: EventQueue;
  readonly #arm: (event: TimedEvent, time: number) => void;
  readonly #changed: () => void;
  /** A store to the monitored line is on its way, or the present work is done. */
  readonly #end: End;
  #work: Work | null = null;
  #workStep = 0;

  /**
   * @param end called when a monitored store or the end of the work ends the halt, with the time; it must call `end`
   * @param changed called whenever `active` has changed
   */
  constructor(
    clock: CoreClock,
    queue: EventQueue,
    arm: (event: TimedEvent, time: number) => void,
    end: (time: number) => void,
    changed: () => void,
  ) {
    this.since = clock.clock;
    this.#clock = clock;
    this.#queue = queue;
    this.#arm = arm;
    this.#changed = changed;
    this.#end = new End(end);
  }

  /** HLT or MWAIT. */
  begin(): void {
    this.active = true;
    this.since = this.#clock.clock;
    this.#changed();
  }

  /** Computes for `work.cycles` cycles, which `end` books under `step`. */
  beginWork(step: number, work: Work): void {
    this.#work = work;
    this.#workStep = step;
    this.#arm(this.#end, this.#clock.clock + work.cycles);
    this.begin();
  }

  /** A store to the monitored line arrives at `time`. */
  expectStore(time: number): void {
    if (this.active && !this.#end.armed) this.#arm(this.#end, time);
  }

  /** The processor goes on at `time`; what has passed is booked. @returns true if it was halted, and did not work */
  end(time: number): boolean {
    this.#queue.cancel(this.#end);
    this.active = false;
    const clock = this.#clock;
    const passed = Math.max(0, time - clock.clock);
    const work = this.#work;
    if (work === null) {
      clock.advanceTo(clock.clock + passed);
      clock.ledger.book(HwStep.idle, passed);
    } else {
      this.#work = null;
      clock.chargeCycles(this.#workStep, passed);
      work.cycles = Math.max(0, work.cycles - passed);
    }
    this.#changed();
    return work === null;
  }
}

class End extends TimedEvent {
  readonly #then: (time: number) => void;

  constructor(then: (time: number) => void) {
    super();
    this.#then = then;
  }

  override fire(): void {
    this.#then(this.time);
  }
}
