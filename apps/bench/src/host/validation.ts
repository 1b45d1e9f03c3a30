import { type Mechanism, mechanisms, pingPong } from '@rpal/compare';
import { type CostLevel, type CpuProfile, disturbances } from '@rpal/hw-x86';
import type { IdleStateName } from '@rpal/sched';
import { warmUpOf } from '../compare/comparison.js';
import { cpusFor } from '../rfc-benchmark.js';
import { middleOf, overSeeds } from '../seeds.js';
import type { Composite } from './host-json.js';

/** A round trip as it was measured, and as the model has it. */
export interface Validated extends Omit<Composite, 'samples'> {
  /** Nanoseconds per round trip, with all costs at one end or in the middle: the median of the seeds, as a measured one is of the rounds. */
  readonly predicted: Readonly<Record<CostLevel, number>>;
  /** Nanoseconds per round trip at central costs: all seeds lie within. */
  readonly seeds: { readonly low: number; readonly high: number };
  /** Of the central prediction. */
  readonly relativeError: number;
  /** Shares of the central prediction by cause, largest first. */
  readonly causes: readonly { readonly cause: string; readonly share: number }[];
}

/** On what the model predicts. */
export interface ModelSettings {
  readonly profile: CpuProfile;
  readonly idle: IdleStateName;
  /** Round trips that count, of each run. */
  readonly messages: number;
  /** Runs at each cost level, with other disturbances each. */
  readonly seeds: number;
}

/** The model's round trip beside the measured one; null for a mechanism that the model has not. */
export function validated(composite: Composite, { profile, idle, messages, seeds }: ModelSettings): Validated | null {
  const { samples: _, ...measured } = composite;
  const mechanism: Mechanism | undefined = mechanisms.find(({ name }) => name === composite.mechanism);
  if (mechanism === undefined) return null;
  const cpus = cpusFor(profile, composite.placement);
  const run = (costs: CostLevel, seed: number) =>
    pingPong(mechanism, {
      machine: { profile, idle, costs, seed, disturbance: disturbances },
      size: composite.size,
      cpus,
      waiting: 'sleep',
      messages,
      warmUp: warmUpOf(messages),
    }).roundTrip;
  const at = (costs: CostLevel) => [...overSeeds(seeds, (seed) => run(costs, seed))].sort((a, b) => a.nanoseconds - b.nanoseconds);
  const [low, all, high] = [at('low'), at('central'), at('high')];
  const central = middleOf(all);
  return {
    ...measured,
    predicted: { low: middleOf(low).nanoseconds, central: central.nanoseconds, high: middleOf(high).nanoseconds },
    seeds: { low: (all[0] as typeof central).nanoseconds, high: (all.at(-1) as typeof central).nanoseconds },
    relativeError: central.nanoseconds / measured.median - 1,
    causes: [...central.causes].map(([cause, cycles]) => ({ cause, share: cycles / central.cycles })),
  };
}

/** How far a set of predictions is off: absolute relative errors. */
export interface Accuracy {
  readonly count: number;
  readonly median: number;
  readonly worst: number;
}

/** @param rows one at least */
export function accuracyOf(rows: readonly Validated[]): Accuracy {
  const errors = rows.map(({ relativeError }) => Math.abs(relativeError)).sort((a, b) => a - b);
  const middle = (errors.length - 1) / 2;
  const median = ((errors[Math.floor(middle)] as number) + (errors[Math.ceil(middle)] as number)) / 2;
  return { count: errors.length, median, worst: errors.at(-1) as number };
}
