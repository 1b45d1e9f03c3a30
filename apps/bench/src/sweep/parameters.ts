import { resolve } from 'node:path';
import { type CpuProfile, PRIMITIVES, type Primitive, parseProfile } from '@rpal/hw-x86';
import { type QuirkName, quirkNames } from '@rpal/rpal-core';
import type { IdleStateName } from '@rpal/sched';
import { isModule } from '../module-loader.js';
import { isProfileFile } from '../profile-file.js';
import type { Placement } from '../rfc-benchmark.js';
import { checkPlace, profileNamed } from '../rfc-settings.js';
import { decimalNumber, oneOf, UsageError, wholeNumber } from '../usage.js';

/** A value as it is written in a specification, a file of results, or behind `key=`. */
export type Value = string | number;

/** The settings of one point, by name. */
export type Settings = Readonly<Record<string, Value>>;

/** One parameter of an experiment. */
export interface Parameter {
  /** What it is, with its unit and range. */
  readonly help: string;
  readonly standard: Value;
  /** @returns the value in its one canonical form @throws UsageError */
  readonly parse: (text: string) => Value;
}

/** Puts the price of a hardware event, in the unit that the profile has it in, where the profile has another. */
export const COST_PREFIX = 'cost.';

/** Parameters that every experiment has: the machine. */
export const machineParameters: Readonly<Record<string, Parameter>> = {
  profile: {
    help: 'a CPU, as in rfc --profile',
    standard: 'xeon-platinum-8336c',
    parse: (text) => (isProfileFile(text) ? resolve(text) : profileNamed(text).name),
  },
  placement: {
    help: 'same-cpu, same-socket or cross-socket',
    standard: 'same-socket',
    parse: oneOf('placement', ['same-cpu', 'same-socket', 'cross-socket']),
  },
  idle: { help: 'the state that idle CPUs go to', standard: 'C1E', parse: oneOf('idle', ['poll', 'C1', 'C1E', 'C6']) },
  costs: { help: 'low, central or high', standard: 'central', parse: oneOf('costs', ['low', 'central', 'high']) },
  clock: {
    help: "core clock in GHz; 0: the profile's",
    standard: 0,
    parse: (text) => (text === '0' ? 0 : Number(decimalNumber('clock', 0.5, 8, 'GHz')(text))),
  },
  seed: { help: 'of the one random generator', standard: 1, parse: wholeNumber('seed', 0, 0xffff_ffff, 'units') },
  repair: { help: 'defects of the series to repair: none, all, or names with + between', standard: 'none', parse: repairs },
  plugin: { help: 'a further plugin, as in rfc --plugin; none', standard: 'none', parse: (text) => text },
};

function repairs(text: string): string {
  if (text === 'none' || text === 'all') return text;
  const names = text.split('+');
  for (const name of names) {
    if (!quirkNames.some((known) => known === name)) {
      throw new UsageError(`repair takes none, all, or names out of ${quirkNames.join(', ')} with + between; "${name}" is none of them`);
    }
  }
  return names.sort().join('+');
}

/** What `rpal({ repair })` takes. */
export function repairOf(settings: Settings): 'all' | readonly QuirkName[] {
  const { repair } = settings;
  if (repair === 'all') return 'all';
  return repair === 'none' ? [] : (String(repair).split('+') as QuirkName[]);
}

/** What a machine of these settings is made with. @throws UsageError if they do not fit together */
export function machineOf(settings: Settings) {
  const profile = profileOf(settings);
  const place = { profile, placement: settings.placement as Placement, idle: settings.idle as IdleStateName };
  checkPlace(place);
  return {
    placement: place.placement,
    machine: {
      profile,
      idle: place.idle,
      costs: settings.costs as 'low' | 'central' | 'high',
      seed: settings.seed as number,
      ...(settings.clock === 0 ? {} : { coreGHz: settings.clock as number }),
    },
  };
}

/** The profile, with the prices that the settings put in. */
function profileOf(settings: Settings): CpuProfile {
  const profile = profileNamed(String(settings.profile));
  const prices = Object.entries(settings).filter(([key]) => key.startsWith(COST_PREFIX));
  if (prices.length === 0) return profile;
  const costs = { ...profile.costs };
  for (const [key, value] of prices) {
    const name = key.slice(COST_PREFIX.length) as Primitive;
    const price = Number(value);
    costs[name] = { ...costs[name], low: price, central: price, high: price, source: `${key}=${value}`, status: 'estimated' };
  }
  return parseProfile({ ...profile, costs });
}

/** Plugins, mechanisms and files of profiles that points name, with their options, each once. */
export function modulesIn(points: readonly Settings[]): readonly string[] {
  const named = points.flatMap(({ plugin, mechanism, profile }) => [
    ...(plugin === undefined || plugin === 'none' ? [] : [plugin]),
    ...(isModule(String(mechanism)) ? [mechanism as Value] : []),
    ...(isProfileFile(String(profile)) ? [profile as Value] : []),
  ]);
  return [...new Set(named.map(String))];
}

/** The parameter of that name. @throws UsageError with the names that there are */
export function parameterNamed(parameters: Readonly<Record<string, Parameter>>, key: string): Parameter {
  const known = Object.hasOwn(parameters, key) ? parameters[key] : undefined;
  if (known !== undefined) return known;
  if (key.startsWith(COST_PREFIX)) {
    const name = key.slice(COST_PREFIX.length);
    if ((PRIMITIVES as readonly string[]).includes(name)) {
      return { help: `price of ${name}`, standard: 'none', parse: (text) => Number(decimalNumber(key, 0, 1e9, 'cycles or ns')(text)) };
    }
    throw new UsageError(`${COST_PREFIX} takes the name of a hardware event: ${PRIMITIVES.join(', ')}; "${name}" is none of them`);
  }
  throw new UsageError(
    `there is no parameter "${key}"; there are ${Object.keys(parameters).join(', ')}, and ${COST_PREFIX}NAME for prices`,
  );
}
