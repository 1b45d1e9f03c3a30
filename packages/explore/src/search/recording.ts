import { type QuirkName, quirkNames, type RaceFix, type RpalOptions, raceFixPatches } from '@rpal/rpal-core';
import { ExploreError } from '../errors.js';
import type { Scenario } from '../scenarios/scenario.js';
import { scenarioNamed } from '../scenarios/scenarios.js';
import type { Deviation } from './run.js';

/** All that it takes to run a schedule again. */
export interface Recording {
  readonly scenario: Scenario;
  readonly repair: NonNullable<RpalOptions['repair']>;
  readonly without: readonly RaceFix[];
  /** Where the schedule leaves the usual order. */
  readonly deviations: readonly Deviation[];
}

/**
 * A recording as one word that a shell leaves alone: scenario, options if there are any, deviations as `step=choice`, such
 * as `two-senders:repair=all:without=15:0=1,34=0`.
 */
export function encodeRecording({ scenario, repair, without, deviations }: Recording): string {
  const parts = [scenario.name];
  if (repair.length > 0) parts.push(`repair=${repair === 'all' ? repair : repair.join(',')}`);
  if (without.length > 0) parts.push(`without=${without.join(',')}`);
  if (deviations.length > 0) parts.push(deviations.map(([at, choice]) => `${at}=${choice}`).join(','));
  return parts.join(':');
}

/** @throws ExploreError that says what is wrong with the text */
export function decodeRecording(text: string): Recording {
  const [name = '', ...parts] = text.split(':');
  let repair: Recording['repair'] = [];
  let without: readonly RaceFix[] = [];
  let deviations: readonly Deviation[] = [];
  for (const part of parts) {
    if (part.startsWith('repair=')) repair = repairNamed(part.slice('repair='.length));
    else if (part.startsWith('without=')) without = fixesNumbered(part.slice('without='.length));
    else deviations = deviationsIn(part);
  }
  return { scenario: scenarioNamed(name), repair, without, deviations };
}

/** Deviations, as `step=choice` with commas between. @throws ExploreError for one that is none */
export function deviationsIn(text: string): readonly Deviation[] {
  return text.split(',').map(deviation);
}

function deviation(text: string): Deviation {
  const match = /^(\d{1,7})=(\d{1,3})$/.exec(text);
  if (match === null)
    throw new ExploreError('INVALID_RECORDING', `recording: "${text}" is not a deviation; it would be step=choice, such as 34=0`);
  return [Number(match[1]), Number(match[2])];
}

/** Defects to repair: `all`, or names with commas between. @throws ExploreError for a name that is none */
export function repairNamed(text: string): Recording['repair'] {
  if (text === 'all') return text;
  return text.split(',').map((name) => {
    if (!(quirkNames as readonly string[]).includes(name)) {
      throw new ExploreError('UNKNOWN_NAME', `repair takes all, or names out of ${quirkNames.join(', ')}; "${name}" is none of them`);
    }
    return name as QuirkName;
  });
}

/** Patches whose part against races is left out: numbers with commas between. @throws ExploreError for a number that is none */
export function fixesNumbered(text: string): readonly RaceFix[] {
  return text.split(',').map((number) => {
    if (!(raceFixPatches as readonly number[]).includes(Number(number))) {
      throw new ExploreError(
        'UNKNOWN_NAME',
        `without takes numbers of patches that close a race, ${raceFixPatches.join(', ')}; "${number}" is none of them`,
      );
    }
    return Number(number) as RaceFix;
  });
}
