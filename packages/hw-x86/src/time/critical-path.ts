import type { Ledger } from '../costs/ledger.js';
import { HwStep } from '../costs/steps.js';
import { HardwareError } from '../errors.js';
import type { CoreClock } from './core-clock.js';

/**
 * Follows one piece of work (a message, say) from core to core and books every cycle that it takes into one account,
 * so that the account adds up to the measured time exactly, also when the work crosses cores.
 *
 * While the path is on a core, that core's ledger *is* the account. A wake-up of the `destination` makes the path leave
 * the core; it arrives where the destination next runs. What passes in between is booked as transit or, if the receiving
 * core was still doing something else, as that.
 */
export class CriticalPath {
  /** The core the path is on; null while it is between cores or closed. */
  holder: CoreClock | null = null;
  /** What the work goes to next: waking this object takes the path along. */
  destination: object | null = null;
  #account: Ledger | null = null;
  #openedAt = 0;
  #departedAt = 0;
  #departedFrom: CoreClock | null = null;

  get open(): boolean {
    return this.#account !== null;
  }

  /** Starts following: from now on `cpu` books into `account`. */
  start(cpu: CoreClock, account: Ledger, destination: object): void {
    if (this.#account !== null) this.abandon();
    this.#account = account;
    this.#openedAt = cpu.clock;
    this.destination = destination;
    this.holder = cpu;
    cpu.ledger = account;
  }

  /** Goes on in another account, towards another destination. @returns cycles since `start` or the last `turn` */
  turn(cpu: CoreClock, account: Ledger, destination: object): number {
    const elapsed = this.finish(cpu);
    this.start(cpu, account, destination);
    return elapsed;
  }

  /** Ends on `cpu`. @returns the cycles between start and now: exactly what was booked into the account */
  finish(cpu: CoreClock): number {
    if (this.#account === null) throw new HardwareError('PATH_NOT_OPEN', 'the path was finished without having been started');
    if (this.holder === null) this.arrive(cpu, cpu.clock);
    if (this.holder !== cpu) {
      throw new HardwareError(
        'PATH_NOT_OPEN',
        `the path is on core ${this.holder?.id ?? '?'}, not on core ${cpu.id}, where it was finished`,
      );
    }
    const elapsed = cpu.clock - this.#openedAt;
    this.abandon();
    return elapsed;
  }

  /** Stops following, wherever the path is. */
  abandon(): void {
    if (this.holder !== null) this.holder.ledger = this.holder.ownLedger;
    this.holder = null;
    this.#account = null;
  }

  /** The holder has done its part: it woke the destination, or published what the destination waits for. */
  depart(cpu: CoreClock): void {
    if (this.holder !== cpu) return;
    this.#departedAt = cpu.clock;
    this.#departedFrom = cpu;
    this.holder = null;
    cpu.ledger = cpu.ownLedger;
  }

  /**
   * The destination finds the work on `cpu` without having been woken for it, perhaps while the holder is still announcing it. What the
   * holder has booked after that moment stays in its own ledger.
   */
  take(cpu: CoreClock): void {
    const account = this.#account;
    if (account === null || this.holder === cpu) return;
    if (this.holder !== null) this.depart(this.holder);
    const beyond = this.#departedAt - cpu.clock;
    if (beyond > 0) {
      account.book(HwStep.senderBusy, -beyond);
      (this.#departedFrom as CoreClock).ownLedger.book(HwStep.senderBusy, beyond);
      this.#departedAt = cpu.clock;
    }
    this.arrive(cpu, cpu.clock);
  }

  /**
   * The destination's core takes the work up. A core that woke for another reason, before the departure, does not.
   * @param idleSince when that core began to wait; its present clock if it did not
   */
  arrive(cpu: CoreClock, idleSince: number): void {
    const account = this.#account;
    if (account === null || this.holder !== null || cpu.clock < this.#departedAt) return;
    const own = cpu.ownLedger;
    // What the core did after the departure and before it was free is already in its own ledger: it moves over.
    const busy = Math.max(0, idleSince - this.#departedAt);
    account.book(HwStep.receiverBusy, busy);
    // No minus sign: -0 is a number that V8 boxes.
    own.book(HwStep.receiverBusy, 0 - busy);
    const transit = cpu.clock - Math.max(this.#departedAt, idleSince);
    account.book(HwStep.wakeTransit, transit);
    own.book(HwStep.idle, 0 - transit);
    this.holder = cpu;
    cpu.ledger = account;
  }
}
