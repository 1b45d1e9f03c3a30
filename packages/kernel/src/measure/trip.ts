import type { Cause, Ledger, LedgerEntry } from '@rpal/hw-x86';

/** A step of a trip; figures are averages per trip. */
export interface TripStep {
  readonly name: string;
  readonly cause: Cause;
  readonly count: number;
  /** TSC cycles. */
  readonly cycles: number;
}

/** How long messages took one way, or there and back, and where the time went. */
export class Trip {
  /** Messages that were followed. */
  readonly count: number;
  /** TSC cycles of all of them. What is booked in the ledgers adds up to it exactly. */
  readonly totalCycles: number;
  readonly #entries: readonly LedgerEntry[];
  readonly #booked: number;
  readonly #tscPerNs: number;

  constructor(count: number, totalCycles: number, ledgers: readonly Ledger[], tscPerNs: number) {
    this.count = count;
    this.totalCycles = totalCycles;
    this.#entries = ledgers.flatMap(({ entries }) => entries);
    this.#booked = ledgers.reduce((sum, { total }) => sum + total, 0);
    this.#tscPerNs = tscPerNs;
  }

  /** TSC cycles of one message, on average. */
  get cycles(): number {
    return this.totalCycles / this.count;
  }

  get nanoseconds(): number {
    return this.cycles / this.#tscPerNs;
  }

  /** TSC cycles that are booked. */
  get booked(): number {
    return this.#booked;
  }

  /** What was executed, or waited for, on the critical path: most expensive first. */
  get steps(): readonly TripStep[] {
    const sums = new Map<number, { name: string; cause: Cause; count: number; cycles: number }>();
    for (const { step, count, cycles } of this.#entries) {
      const sum = sums.get(step.id) ?? { name: step.name, cause: step.cause, count: 0, cycles: 0 };
      sums.set(step.id, { ...sum, count: sum.count + count / this.count, cycles: sum.cycles + cycles / this.count });
    }
    return [...sums.values()].sort((a, b) => b.cycles - a.cycles);
  }

  /** Cycles by cause, most first. */
  get causes(): ReadonlyMap<Cause, number> {
    const sums = new Map<Cause, number>();
    for (const { cause, cycles } of this.steps) sums.set(cause, (sums.get(cause) ?? 0) + cycles);
    return new Map([...sums].sort(([, a], [, b]) => b - a));
  }

  /** The steps as a table of text, with causes and the sum: for consoles. */
  toString(): string {
    const steps = this.steps.map(({ name, cause, count, cycles }) => row(cycles, count.toFixed(2), cause, name));
    return [row('cycles', 'times', 'cause', 'step'), ...steps, row(this.cycles, '', '', 'in all')].join('\n');
  }
}

function row(cycles: number | string, times: string, cause: string, step: string): string {
  const figure = typeof cycles === 'string' ? cycles : cycles.toFixed(1);
  return `${figure.padStart(10)} ${times.padStart(7)}  ${cause.padEnd(11)} ${step}`;
}
