import { didYouMean, type Plugin, shown, withMethods } from '@rpal/bus';
import {
  type CacheModel,
  type CoherenceModel,
  type CpuProfile,
  type DisturbanceModel,
  defaultProfile,
  findProfile,
  type PlatformOptions,
  parseProfile,
  profileNames,
} from '@rpal/hw-x86';
import { NR_OPEN } from '@rpal/vfs';
import { MachineError } from './errors.js';
import type { KernelOptions } from './kernel.js';

/** How to build a machine. */
export interface MachineOptions extends Omit<PlatformOptions, 'profile'>, KernelOptions {
  /** The CPUs, or the name of a profile that comes with the model; by default the RFC's two-socket `xeon-platinum-8336c`. */
  readonly profile?: CpuProfile | string;
  readonly plugins?: readonly Plugin[];
}

/** Why a value is not accepted, and what would be; null if it is. */
type Check = (value: unknown, profile: CpuProfile) => string | null;

/** Refuses a value that is not among `values`. */
function oneOf(...values: readonly unknown[]): Check {
  const list = values.map(shown).join(', ');
  return (value) => {
    if (values.includes(value)) return null;
    const hint = typeof value === 'string' ? didYouMean(value, values.filter((each) => typeof each === 'string') as string[]) : '';
    return `is none of ${list}${hint}`;
  };
}

function numberThat(holds: (value: number) => boolean, wanted: string): Check {
  return (value) => (typeof value === 'number' && holds(value) ? null : `is not ${wanted}`);
}

const yesOrNo = oneOf(true, false);

/** Every option there is, and what its values may be. Plugins are checked by the bus, profiles before the others. */
const CHECKS: { readonly [K in keyof Required<MachineOptions>]: Check } = {
  profile: () => null,
  plugins: () => null,
  costs: oneOf('low', 'central', 'high'),
  coreGHz: numberThat((value) => value > 0 && value < 100, 'a clock in GHz; give one such as 3.2'),
  seed: numberThat(Number.isSafeInteger, 'an integer below 2^53 in magnitude'),
  caches: (value) =>
    value === null || withMethods<CacheModel>('build', 'coherence')(value as CacheModel) === null
      ? null
      : 'is not a cache model; give dataCaches of @rpal/hw-x86, or null',
  disturbance: (value) =>
    value === null || withMethods<DisturbanceModel>('build')(value as DisturbanceModel) === null
      ? null
      : 'is not a model of disturbances; give disturbances of @rpal/hw-x86, or null',
  coherence: (value) =>
    value === null || withMethods<CoherenceModel>('build')(value as CoherenceModel) === null
      ? null
      : 'is not a model of coherence; give queuedLines of @rpal/hw-x86, or null',
  hz: oneOf(100, 250, 300, 1000),
  idle: (value, profile) => oneOf(...profile.idle.map(({ name }) => name))(value, profile),
  timerSlack: numberThat((value) => value >= 0 && value < 1e15, 'a number of nanoseconds; give 0 or more'),
  synchronousEpollWakeUps: yesOrNo,
  epollNestingCountsUpwards: yesOrNo,
  unixCloseSkipsEmptyMessage: yesOrNo,
  unixConnectInheritsOptions: yesOrNo,
  pidfdOpenNamesThreads: yesOrNo,
  anonymousInodesAreFixed: yesOrNo,
  socketNameLengthFirst: yesOrNo,
  writesWithoutSignal: yesOrNo,
  hugePages: oneOf('never', 'madvise', 'always'),
  nofile: numberThat((value) => Number.isInteger(value) && value >= 0 && value <= NR_OPEN, `a whole number from 0 to ${NR_OPEN}`),
};

/**
 * The options of a machine, with its profile. Nothing is ignored: otherwise a misspelt option would silently change nothing.
 * @throws MachineError INVALID_OPTION naming the option, its value and what would be right; HardwareError INVALID_PROFILE
 */
export function checkedOptions(options: MachineOptions): MachineOptions & { readonly profile: CpuProfile } {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(`createMachine was given ${shown(options)}; give an object of options, as { profile: '${defaultProfile.name}' }`);
  }
  const profile = profileOf(options.profile);
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(CHECKS, name)) {
      const names = Object.keys(CHECKS);
      throw invalid(`createMachine has no option "${name}"${didYouMean(name, names) || `; it has ${names.join(', ')}`}`);
    }
    if (value === undefined) continue;
    const reason = CHECKS[name as keyof typeof CHECKS](value, profile);
    if (reason !== null) {
      const place = name === 'idle' ? `idle on ${profile.name}` : name;
      throw invalid(`${place}: ${shown(value)} ${reason}`);
    }
  }
  return { ...options, profile };
}

function profileOf(given: unknown): CpuProfile {
  if (given === undefined) return defaultProfile;
  if (typeof given === 'string') {
    const found = findProfile(given);
    if (found !== undefined) return found;
    const names = profileNames();
    throw invalid(`profile: there is no "${given}"; there are ${names.join(', ')}${didYouMean(given, names)}`);
  }
  if (typeof given !== 'object' || given === null) throw invalid(`profile: ${shown(given)} is neither a CPU profile nor the name of one`);
  const profile = given as CpuProfile;
  return findProfile(profile.name) === profile ? profile : parseProfile(given);
}

function invalid(message: string): MachineError {
  return new MachineError('INVALID_OPTION', message);
}
