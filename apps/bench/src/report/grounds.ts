import {
  type CostModel,
  type CostStatus,
  type CpuProfile,
  type Figure,
  instructionsOf,
  type LedgerEntry,
  type Primitive,
  spread,
  workOf,
} from '@rpal/hw-x86';
import { sourceOf } from './step-sources.js';

/** One of the things that the price of a step consists of, and how well it is known. */
export interface Ground {
  /** What is priced: instructions, a hardware event, a time. */
  readonly what: string;
  /** TSC cycles. */
  readonly cycles: number;
  /** How we know how much of it there is. */
  readonly amount: CostStatus;
  /** How we know what one of it costs. */
  readonly price: CostStatus;
  /** Where the price comes from. */
  readonly source: string;
}

type IdleStateName = CpuProfile['idle'][number]['name'];

/** The profile's figure behind a hardware step that is charged by amount; undefined if its length follows from other steps. */
function figureOf(step: string, profile: CpuProfile, idle: IdleStateName): Figure | undefined {
  const state = profile.idle.find(({ name }) => name === idle);
  switch (step) {
    case '@rpal/hw-x86:idleExit':
      return state?.wake;
    case '@rpal/hw-x86:vmExit':
      return state?.kick;
    case '@rpal/hw-x86:wakeTransit': {
      const monitored = idle === 'poll' || (profile.features.mwait && state?.mwaitHint !== undefined);
      return monitored ? profile.costs.monitorWake : profile.costs.ipiDelivery;
    }
    case '@rpal/hw-x86:lineSameCache':
      return profile.line.sameCache;
    case '@rpal/hw-x86:lineSameSocket':
      return profile.line.sameSocket;
    case '@rpal/hw-x86:lineCrossSocket':
      return profile.line.crossSocket;
    case '@rpal/hw-x86:runFromL2':
      return profile.bytesPerCycle.fromL2?.copy;
    case '@rpal/hw-x86:stlbHit':
      return profile.costs.stlbHit;
    case '@rpal/hw-x86:pageWalk':
    case '@rpal/hw-x86:dirtyAssist':
      return profile.costs.walkLevel;
    default:
      return undefined;
  }
}

/** Takes the cycles of a ledger entry apart. The parts add up to them, apart from rounding in the last digits. */
export function groundsOf({ step, count, cycles }: LedgerEntry, costs: CostModel, idle: IdleStateName): readonly Ground[] {
  const { profile, level } = costs;
  // What was executed at the fixed price, and amounts that were computed.
  const fixed = count * (costs.step[step.id] as number);
  const computed = cycles - fixed;
  const grounds: Ground[] = [];
  if (computed !== 0) {
    const figure = step.perByte === undefined ? figureOf(step.name, profile, idle) : profile.bytesPerCycle[step.perByte];
    const { status, source } = figure ?? { status: 'derived', source: sourceOf(step) };
    grounds.push({ what: step.perByte === undefined ? step.cause : 'bytes', cycles: computed, amount: 'counted', price: status, source });
  }
  if (fixed !== 0) grounds.push(...fixedGrounds());
  return grounds;

  function fixedGrounds(): Ground[] {
    const override = profile.steps?.[step.name];
    if (override !== undefined) {
      const { status, source } = override;
      return [{ what: 'step', cycles: fixed, amount: 'counted', price: status, source }];
    }
    const at = { low: 0, central: 1, high: 2 }[level] as 0 | 1 | 2;
    const parts: Ground[] = [];
    const instructions = instructionsOf(step, profile)[at];
    const cpi = profile.cpi[step.mode ?? 'kernel'];
    if (instructions > 0) {
      const what = `${instructions} instructions`;
      const price = instructions * cpi[level] * costs.tscPerCore;
      parts.push({ what, cycles: price, amount: step.status, price: cpi.status, source: `${sourceOf(step)}; cycles each: ${cpi.source}` });
    }
    const ns = spread(step.ns ?? 0)[at];
    if (ns > 0)
      parts.push({ what: `${ns} ns`, cycles: ns * costs.tscPerNs, amount: 'counted', price: step.status, source: sourceOf(step) });
    for (const [name, times] of workOf(step, profile).flatMap(({ events = {} }) => Object.entries(events))) {
      const { status, source } = profile.costs[name as Primitive];
      const price = times * costs.primitive(name as Primitive);
      if (price > 0) parts.push({ what: `${times} x ${name}`, cycles: price, amount: step.status, price: status, source });
    }
    // A step's price is a whole number of cycles; its parts are not.
    const exact = parts.reduce((sum, part) => sum + part.cycles, 0);
    return parts.map((part) => ({ ...part, cycles: (part.cycles / exact) * fixed }));
  }
}
