import { ExploreError } from '../errors.js';
import type { Scenario } from '../scenarios/scenario.js';

/** @throws ExploreError INVALID_ARGUMENT */
export function requireScenario(scenario: Scenario): void {
  const { setUp, cpus } = (scenario ?? {}) as Partial<Scenario>;
  if (typeof setUp === 'function' && typeof cpus === 'number') return;
  const given = typeof scenario === 'object' && scenario !== null ? 'no scenario: it has no setUp, or no cpus' : String(scenario);
  throw new ExploreError('INVALID_ARGUMENT', `the scenario is ${given}; give one of scenarios, such as scenarioNamed('two-senders')`);
}

/** A number of times: whole and not negative, or without end. @throws ExploreError INVALID_ARGUMENT */
export function requireCount(what: string, count: number): void {
  if ((Number.isInteger(count) && count >= 0) || count === Number.POSITIVE_INFINITY) return;
  throw new ExploreError('INVALID_ARGUMENT', `${what}: ${String(count)} is not a number of times; give a whole number from 0 up`);
}
