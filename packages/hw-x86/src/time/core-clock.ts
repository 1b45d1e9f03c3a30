import type { CostModel } from '../costs/cost-model.js';
import { Ledger } from '../costs/ledger.js';
import { allSteps } from '../costs/step.js';
import { HardwareError } from '../errors.js';

/** The longest turn, TSC cycles: what is spent in one stays a small integer. */
const LONGEST_TURN = 1 << 28;

/** Where a logical processor sits. */
export interface CpuPlace {
  readonly id: number;
  readonly core: number;
  readonly thread: number;
  readonly socket: number;
}

/**
 * The clock of one logical processor, and the books on what its cycles were spent on. Everything that takes time charges it
 * here; caches, the MMU and the devices need no more of a processor than this.
 */
export class CoreClock {
  readonly id: number;
  readonly socket: number;
  /** Physical core: siblings share it. */
  readonly core: number;
  readonly thread: number;
  /** `core + 1`, as the coherence directory stores it. */
  readonly coreTag: number;
  readonly costs: CostModel;
  /** What this core did outside a followed path. */
  readonly ownLedger: Ledger;
  /** Cache lines that came from other cores since boot. */
  linesMoved = 0;

  /** Clock at the beginning of the present turn, and cycles spent since: a small integer, which keeps charging cheap. */
  #turnStart = 0;
  #spent = 0;
  /** How much the present turn may spend. */
  #budget = 0;
  #ledger: Ledger;
  /** Where that ledger keeps its figures: charging goes straight there. */
  #cells: Int32Array;
  #computed: Float64Array;
  readonly #perByte: Float64Array;

  constructor(place: CpuPlace, costs: CostModel) {
    this.id = place.id;
    this.socket = place.socket;
    this.core = place.core;
    this.thread = place.thread;
    this.coreTag = place.core + 1;
    this.costs = costs;
    this.#perByte = costs.perByte;
    this.ownLedger = new Ledger(costs);
    this.#ledger = this.ownLedger;
    this.#cells = this.ownLedger.cells;
    this.#computed = this.ownLedger.computed;
  }

  /** TSC cycles. Advances by what is charged, and by waiting. */
  get clock(): number {
    return this.#turnStart + this.#spent;
  }

  /** False when the running context must give the machine its turn, because something else could touch it from here on. */
  get hasTime(): boolean {
    return this.#spent < this.#budget;
  }

  /** Cycles that the present turn may still spend. */
  get timeLeft(): number {
    return this.#budget - this.#spent;
  }

  /**
   * Begins a turn that ends when the clock reaches `limit`. It has time for one step even if another core has the same
   * clock: otherwise two cores with equal clocks would give way to each other for ever.
   */
  beginTurn(limit: number): void {
    this.#turnStart += this.#spent;
    this.#spent = 0;
    this.#budget = Math.max(1, Math.min(LONGEST_TURN, limit - this.#turnStart)) | 0;
  }

  /** Makes the present turn end no later than at `time`. */
  endTurnBy(time: number): void {
    const left = time - this.#turnStart;
    if (left < this.#budget) this.#budget = Math.max(0, left) | 0;
  }

  /** Sets the clock forward to `time`. The caller books what passes. */
  advanceTo(time: number): void {
    this.#turnStart = time - this.#spent;
  }

  /** The ledger that is being booked into: the core's own, or the account of the path that the core is on. */
  get ledger(): Ledger {
    return this.#ledger;
  }

  set ledger(ledger: Ledger) {
    this.#ledger = ledger;
    this.#cells = ledger.cells;
    this.#computed = ledger.computed;
  }

  /**
   * Spends the price of a step. What is in a typed array is a number to V8, so that a check for `undefined` costs nothing.
   * @throws HardwareError UNKNOWN_STEP, as do the others, for a step that was not defined when the machine was built
   */
  charge(step: number): void {
    const cells = this.#cells;
    const price = cells[2 * step];
    if (price === undefined) throw unknownStep(step);
    this.#spent += price;
    cells[2 * step + 1] = (cells[2 * step + 1] as number) + 1;
  }

  /** Spends the price of a step `times` times over. */
  chargeTimes(step: number, times: number): void {
    const cells = this.#cells;
    const price = cells[2 * step];
    if (price === undefined) throw unknownStep(step);
    const cycles = price * times;
    if (cycles < LONGEST_TURN) this.#spent += cycles;
    else this.#turnStart += cycles;
    cells[2 * step + 1] = (cells[2 * step + 1] as number) + times;
  }

  /** Spends the price of a step on `length` bytes. */
  chargeBytes(step: number, length: number): void {
    this.charge(step);
    this.chargeCycles(step, ((this.#perByte[step] as number) * length + 0.5) | 0);
  }

  /** Spends a computed amount, in whole TSC cycles, on a step. */
  chargeCycles(step: number, cycles: number): void {
    const computed = this.#computed;
    const sum = computed[step];
    if (sum === undefined) throw unknownStep(step);
    if (cycles < LONGEST_TURN) this.#spent += cycles;
    else this.#turnStart += cycles;
    computed[step] = sum + cycles;
  }
}

function unknownStep(step: number): HardwareError {
  const name = allSteps()[step]?.name;
  if (name === undefined) return new HardwareError('UNKNOWN_STEP', `step: ${step} is not a step that defineSteps has returned`);
  return new HardwareError(
    'UNKNOWN_STEP',
    `step "${name}" was defined after this machine was built, and has no price on it; import the module that defines it before`,
  );
}
