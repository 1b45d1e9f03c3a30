import { type CostModel, HwStep, Ledger } from '@rpal/hw-x86';

/** Cycles of a step that were booked, in the order in which they passed. */
export interface Booking {
  readonly step: number;
  /** TSC cycles. */
  cycles: number;
  /** The CPU that the path was on; null between two. */
  readonly cpu: number | null;
}

/**
 * A ledger that keeps the order as well. Charging writes straight into a ledger's cells, so the cells themselves record it: far slower than
 * plain cells, and meant for the few messages that are explained.
 */
export class RecordingLedger extends Ledger {
  readonly bookings: Booking[] = [];
  readonly #where: () => number | null;

  /** @param where the CPU that the path is on */
  constructor(costs: CostModel, where: () => number | null) {
    super(costs);
    this.#where = where;
    const { cells, computed } = this;
    Object.assign(this, {
      cells: noted(cells, (index, before, after) => {
        if (index % 2 === 1) this.#note((index - 1) / 2, (after - before) * (cells[index - 1] as number));
      }),
      computed: noted(computed, (index, before, after) => this.#note(index, after - before)),
    });
  }

  #note(step: number, cycles: number): void {
    const { bookings } = this;
    if (cycles < 0 && step === HwStep.senderBusy) {
      this.#takeBack(-cycles);
      return;
    }
    if (cycles === 0) return;
    const cpu = step === HwStep.wakeTransit ? null : this.#where();
    const last = bookings.at(-1);
    if (last !== undefined && last.step === step && last.cpu === cpu) last.cycles += cycles;
    else bookings.push({ step, cycles, cpu });
  }

  /** The receiver had the message before the sender had finished with it: what the sender did afterwards is not on the path. */
  #takeBack(beyond: number): void {
    const { bookings } = this;
    let left = beyond;
    for (let last = bookings.at(-1); last !== undefined && left > 0; last = bookings.at(-1)) {
      const taken = Math.min(left, last.cycles);
      left -= taken;
      last.cycles -= taken;
      if (last.cycles === 0) bookings.pop();
    }
  }
}

/** The same array, but `told` is called for each element that is written. */
function noted<T extends Int32Array | Float64Array>(array: T, told: (index: number, before: number, after: number) => void): T {
  return new Proxy(array, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
    set(target, property, value: number) {
      const index = Number(property);
      const before = target[index] as number;
      target[index] = value;
      told(index, before, value);
      return true;
    },
  });
}
