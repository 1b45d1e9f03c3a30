import type { CostModel } from './cost-model.js';
import { allSteps, type Step } from './step.js';

/** One line of a breakdown. */
export interface LedgerEntry {
  readonly step: Step;
  /** How often the step was executed at its fixed price. */
  readonly count: number;
  /** TSC cycles booked. */
  readonly cycles: number;
}

/**
 * Where cycles are booked, by step. Executions at the fixed price are counted, which keeps charging to three integer
 * operations on one cache line; amounts that were computed are added up. Counts are exact up to 2^31 per step.
 */
export class Ledger {
  /** Price and count of step `id`, at 2 x id and 2 x id + 1. */
  readonly cells: Int32Array;
  /** Computed amounts, by step. */
  readonly computed: Float64Array;

  constructor(costs: CostModel) {
    this.cells = costs.unbooked.slice();
    this.computed = new Float64Array(costs.step.length);
  }

  /** Cycles booked under a step's own name. */
  booked(id: number): number {
    return (this.cells[2 * id] as number) * (this.cells[2 * id + 1] as number) + (this.computed[id] as number);
  }

  /** Books a computed amount (negative takes back). */
  book(id: number, cycles: number): void {
    this.computed[id] = (this.computed[id] as number) + cycles;
  }

  /** Everything booked. */
  get total(): number {
    let sum = 0;
    for (let id = 0; id < this.computed.length; id++) sum += this.booked(id);
    return sum;
  }

  /** The steps that were executed, most expensive first; those that are made of others appear as these. */
  get entries(): readonly LedgerEntry[] {
    const count = new Float64Array(this.computed.length);
    const cycles = new Float64Array(this.computed.length);
    const add = (id: number, times: number, amount: number): void => {
      count[id] = (count[id] as number) + times;
      cycles[id] = (cycles[id] as number) + amount;
    };
    const steps = allSteps().slice(0, this.computed.length);
    for (const { id, parts } of steps) {
      const times = this.cells[2 * id + 1] as number;
      add(id, 0, this.computed[id] as number);
      if (parts === undefined) add(id, times, times * (this.cells[2 * id] as number));
      else for (const part of parts) add(part, times, times * (this.cells[2 * part] as number));
    }
    return steps
      .map((step) => ({ step, count: count[step.id] as number, cycles: cycles[step.id] as number }))
      .filter((entry) => entry.cycles !== 0)
      .sort((a, b) => b.cycles - a.cycles);
  }

  /** Forgets what was booked. */
  clear(): void {
    for (let i = 1; i < this.cells.length; i += 2) this.cells[i] = 0;
    this.computed.fill(0);
  }
}
