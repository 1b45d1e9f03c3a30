import { HardwareError } from '../errors.js';
import { hasPart } from './kernel.js';
import type { CpuProfile, Figure } from './profile.js';
import { allSteps, type Primitive, type Step, spread } from './step.js';
import { isExecuted, workOf } from './work.js';

/** Which end of every uncertain figure a machine runs with. */
export type CostLevel = 'low' | 'central' | 'high';

const INDEX = { low: 0, central: 1, high: 2 } as const;
const FASTER = { low: 'high', central: 'central', high: 'low' } as const;

/**
 * The price of every step on one profile, in whole TSC cycles, computed once when a machine is built.
 * Sums of whole numbers below 2^53 are exact, so ledgers close to the cycle.
 */
export class CostModel {
  readonly profile: CpuProfile;
  readonly level: CostLevel;
  /** TSC cycles per core cycle: below 1 when the core runs faster than its nominal clock. */
  readonly tscPerCore: number;
  readonly tscPerNs: number;
  /** Price of each step, by id. */
  readonly step: Float64Array;
  /** Additional price of each byte, by step id. Not rounded: `bytes()` rounds the product. */
  readonly perByte: Float64Array;
  /** What a ledger begins with: see `Ledger.cells`. */
  readonly unbooked: Int32Array;

  constructor(profile: CpuProfile, level: CostLevel = 'central', coreGHz?: number) {
    if (!(level in INDEX)) throw new HardwareError('INVALID_ARGUMENT', `costs: ${level} is not low, central or high`);
    if (coreGHz !== undefined && !(coreGHz > 0 && Number.isFinite(coreGHz))) {
      throw new HardwareError('INVALID_ARGUMENT', `coreGHz: ${coreGHz} is not a clock in GHz; use a number above 0`);
    }
    this.profile = profile;
    this.level = level;
    this.tscPerNs = profile.clock.tscGHz;
    this.tscPerCore = profile.clock.tscGHz / (coreGHz ?? this.rate(profile.clock.coreGHz));
    const steps = allSteps();
    this.step = new Float64Array(steps.length);
    this.perByte = new Float64Array(steps.length);
    for (const step of steps) {
      // The parts of a composite step precede it, and are rounded each: breakdowns must add up.
      this.step[step.id] =
        step.parts === undefined ? Math.round(this.#price(step)) : step.parts.reduce((sum, part) => sum + (this.step[part] as number), 0);
      if (step.perByte !== undefined && isExecuted(step, profile)) {
        this.perByte[step.id] = this.tscPerCore / this.rate(profile.bytesPerCycle[step.perByte]);
      }
    }
    this.unbooked = new Int32Array(2 * steps.length);
    for (let id = 0; id < steps.length; id++) this.unbooked[2 * id] = this.step[id] as number;
  }

  /** TSC cycles of a nanosecond figure at this level, rounded. */
  ns(figure: Figure): number {
    return Math.round(figure[this.level] * this.tscPerNs);
  }

  /** A clock, or bytes per cycle, at this level: more of it costs less, so the low end of cost belongs to its high end. */
  rate(figure: Figure): number {
    return figure[FASTER[this.level]];
  }

  /** TSC cycles of a figure in core cycles at this level, rounded. */
  cycles(figure: Figure): number {
    return Math.round(figure[this.level] * this.tscPerCore);
  }

  /** TSC cycles of one hardware event, not rounded. An indirect call has a price of its own where it goes through a retpoline alone. */
  primitive(name: Primitive): number {
    if (name === 'indirectCall' && !hasPart(this.profile, 'retpoline')) return 0;
    const figure = this.profile.costs[name];
    return figure[this.level] * ('unit' in figure ? this.tscPerNs : this.tscPerCore);
  }

  #price(step: Step): number {
    const override = this.profile.steps?.[step.name];
    if (override !== undefined) return override[this.level] * this.tscPerCore;
    if (!isExecuted(step, this.profile)) return 0;
    const at = INDEX[this.level];
    const cpi = this.profile.cpi[step.mode ?? 'kernel'][this.level];
    let price = spread(step.ns ?? 0)[at] * this.tscPerNs;
    for (const { instructions = 0, events = {} } of workOf(step, this.profile)) {
      price += spread(instructions)[at] * cpi * this.tscPerCore;
      for (const [name, count] of Object.entries(events)) price += count * this.primitive(name as Primitive);
    }
    if (!Number.isFinite(price)) throw new HardwareError('INVALID_PROFILE', `step "${step.name}" has no finite price`);
    return price;
  }
}
