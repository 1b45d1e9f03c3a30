import type { Plugin } from '@rpal/bus';
import { type CostLevel, type CpuProfile, findProfile, profiles } from '@rpal/hw-x86';
import { type LibraryBuild, optimised, unoptimised } from '@rpal/librpal';
import type { IdleStateName } from '@rpal/sched';
import { isProfileFile, readProfile } from './profile-file.js';
import type { Phase, Placement, RfcOptions } from './rfc-benchmark.js';
import { UsageError } from './usage.js';

/** A run of the RFC's benchmark as the user asked for it. */
export interface RfcSettings {
  readonly messages: number;
  readonly size: number;
  readonly phases: readonly Phase[];
  readonly profile: CpuProfile;
  readonly placement: Placement;
  readonly idle: IdleStateName;
  readonly costs: CostLevel;
  /** GHz; undefined: the profile's, which depends on the cost level. */
  readonly coreGHz: number | undefined;
  readonly synchronousWakeUps: boolean;
  readonly seed: number;
  /** What the compiler made of RPAL's library. */
  readonly build: LibraryBuild['name'];
  readonly plugins: readonly Plugin[];
}

/** Behind the name of a profile: the same CPU with protection keys off, as Linux leaves it with `nopku`. */
export const WITHOUT_KEYS = '-nopku';

/** What `--profile` takes, for its help. */
export const PROFILE_HELP: string = `CPUs: ${profiles.map(({ name }) => name).join(', ')}; with ${WITHOUT_KEYS} behind it, without protection keys; or a file of JSON`;

/** A profile that is built in, or out of a file. @throws UsageError */
export function profileNamed(text: string): CpuProfile {
  if (isProfileFile(text)) return readProfile(text);
  const name = text.toLowerCase();
  const withoutKeys = name.endsWith(WITHOUT_KEYS);
  const profile = findProfile(withoutKeys ? name.slice(0, -WITHOUT_KEYS.length) : name);
  if (profile === undefined) {
    const known = profiles.map((each) => each.name).join(', ');
    throw new UsageError(
      `--profile takes one of ${known}, one of them with ${WITHOUT_KEYS} behind it, or a file of JSON; "${text}" is none of them`,
    );
  }
  return withoutKeys ? { ...profile, name, features: { ...profile.features, pku: false } } : profile;
}

/** Whether placement and idle state are there on the profile. @throws UsageError */
export function checkPlace({ profile, placement, idle }: Pick<RfcSettings, 'profile' | 'placement' | 'idle'>): void {
  const { sockets, coresPerSocket } = profile.topology;
  if (placement === 'cross-socket' && sockets < 2) {
    throw new UsageError(`--placement cross-socket takes a profile of two sockets; ${profile.name} has one`);
  }
  if (placement === 'same-socket' && coresPerSocket < 2) {
    throw new UsageError(`--placement same-socket takes a profile of two cores per socket; ${profile.name} has one`);
  }
  if (!profile.idle.some(({ name }) => name === idle)) {
    const states = profile.idle.map(({ name }) => name.toLowerCase()).join(', ');
    throw new UsageError(`--idle takes one of ${states} on ${profile.name}; "${idle.toLowerCase()}" is none of them`);
  }
}

/** The experiment that the settings describe, possibly at another cost level and length. */
export function experimentOf(settings: RfcSettings, costs: CostLevel = settings.costs, messages: number = settings.messages): RfcOptions {
  const { profile, placement, size, phases, idle, coreGHz, seed, synchronousWakeUps, build, plugins } = settings;
  return {
    machine: {
      profile,
      idle,
      costs,
      seed,
      synchronousEpollWakeUps: synchronousWakeUps,
      plugins,
      ...(coreGHz === undefined ? {} : { coreGHz }),
    },
    placement,
    messages,
    size,
    phases,
    build: build === 'O0' ? unoptimised : optimised,
  };
}
