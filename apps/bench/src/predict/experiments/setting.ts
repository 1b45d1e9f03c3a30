import { type ExperimentOptions, type Mechanism, mechanisms, type PingPong, pingPong, type Waiting } from '@rpal/compare';
import { type CpuProfile, disturbances, findProfile } from '@rpal/hw-x86';
import type { MachineOptions } from '@rpal/kernel';
import { warmUpOf } from '../../compare/comparison.js';
import { check } from '../../outcome.js';

/** Round trips that count, in each run of an experiment. */
export const ROUNDS = 50;

/** How far a ratio may be from the published one, as a share of it. */
export const RATIO = 0.25;

/** A machine that is disturbed as real ones are. */
export function machineOf({ costs, seed }: ExperimentOptions, options: MachineOptions): MachineOptions {
  return { disturbance: disturbances, costs, seed, ...options };
}

/** A profile that comes with the model. */
export function builtInProfile(name: string): CpuProfile {
  const profile = findProfile(name);
  check(profile !== undefined, `there is no profile ${name}`);
  return profile;
}

/** A mechanism of `compare`. */
export function mechanismOf(name: string): Mechanism {
  const mechanism = mechanisms.find((each) => each.name === name);
  check(mechanism !== undefined, `compare has no mechanism ${name}`);
  return mechanism;
}

/** Messages of one mechanism, there and back. @param rounds that count @param waiting as the mechanism does first, if nothing is said */
export function exchanged(
  name: string,
  size: number,
  machine: MachineOptions,
  cpus: readonly [number, number],
  { rounds = ROUNDS, waiting }: { readonly rounds?: number; readonly waiting?: Waiting } = {},
): PingPong {
  const mechanism = mechanismOf(name);
  const own = waiting ?? (mechanism.waits[0] as Waiting);
  return pingPong(mechanism, { machine, size, cpus, waiting: own, messages: rounds, warmUp: warmUpOf(rounds) });
}
