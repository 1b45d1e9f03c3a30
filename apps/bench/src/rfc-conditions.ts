import type { CpuProfile } from '@rpal/hw-x86';
import type { IdleStateName } from '@rpal/sched';
import { type Phase, type Placement, RfcBenchmark } from './rfc-benchmark.js';
import { inSlices } from './rfc-range.js';
import { experimentOf, type RfcSettings } from './rfc-settings.js';

/** Messages per phase under each condition. */
const MESSAGES = 2000;
const PLACEMENTS: readonly Placement[] = ['same-cpu', 'same-socket', 'cross-socket'];
/** Idle states that a CPU can be in between two messages, if nobody forbids them. */
const IDLE_STATES: readonly IdleStateName[] = ['poll', 'C1', 'C1E'];
/** Where a CPU is never idle between two messages, its idle state makes no difference. */
const ANY_STATE: IdleStateName = 'C1E';

/** What the RFC leaves open. */
export interface Place {
  readonly placement: Placement;
  readonly idle: IdleStateName;
}

/** The benchmark under one condition: TSC cycles per message, one way and there and back. */
export interface Condition extends Place {
  readonly phases: readonly { readonly phase: Phase; readonly messages: number; readonly oneWay: number; readonly roundTrip: number }[];
}

/** The conditions that there are on a profile. @param asked is among the idle states, whichever it is */
export function placesOf({ topology: { sockets, coresPerSocket }, idle }: CpuProfile, asked: IdleStateName): readonly Place[] {
  const states = idle.map(({ name }) => name).filter((name) => name === asked || IDLE_STATES.includes(name));
  const there = (placement: Placement): boolean =>
    placement === 'same-cpu' || (placement === 'same-socket' ? coresPerSocket > 1 : sockets > 1);
  return PLACEMENTS.filter(there).flatMap((placement): readonly Place[] =>
    placement === 'same-cpu'
      ? [{ placement, idle: idle.some(({ name }) => name === ANY_STATE) ? ANY_STATE : asked }]
      : states.map((state) => ({ placement, idle: state })),
  );
}

/** Messages per phase that are run under each condition. */
export function conditionMessages({ messages }: Pick<RfcSettings, 'messages'>): number {
  return Math.min(messages, MESSAGES);
}

/** Runs the benchmark under every condition, all else being as asked for; each `next` tells how many messages have been received in all. */
export function* runConditions(settings: RfcSettings): Generator<number, readonly Condition[]> {
  const conditions: Condition[] = [];
  let before = 0;
  for (const place of placesOf(settings.profile, settings.idle)) {
    const benchmark = new RfcBenchmark(experimentOf({ ...settings, ...place }, settings.costs, conditionMessages(settings)));
    yield* inSlices(benchmark, before);
    before += benchmark.messages;
    const phases = benchmark.result().phases.map(({ phase, messages, totalCycles, back }) => ({
      phase,
      messages,
      oneWay: totalCycles / messages,
      roundTrip: (totalCycles + back.total) / messages,
    }));
    conditions.push({ ...place, phases });
  }
  return conditions;
}
