import { type ExperimentOptions, type Mechanism, type PingPong, pingPong, type Waiting } from '@rpal/compare';
import { disturbances } from '@rpal/hw-x86';
import { createMachine, type Exchange, type MachineOptions, measure } from '@rpal/kernel';
import { warmUpOf } from '../../compare/comparison.js';

/** Round trips that count, in each run of an experiment. */
export const ROUNDS = 50;

/** How far a ratio may be from the published one, as a share of it. */
export const RATIO = 0.25;

/** A machine that is disturbed as real ones are. */
export function machineOf({ costs, seed }: ExperimentOptions, options: MachineOptions): MachineOptions {
  return { disturbance: disturbances, costs, seed, ...options };
}

/**
 * Messages of one mechanism between two CPUs of a socket, there and back.
 * @param rounds that count @param waiting as the mechanism does first, if nothing is said
 */
export function exchanged(
  mechanism: Mechanism,
  size: number,
  machine: MachineOptions,
  { rounds = ROUNDS, waiting = mechanism.waits[0] as Waiting }: { readonly rounds?: number; readonly waiting?: Waiting } = {},
): PingPong {
  return pingPong(mechanism, { machine, size, cpus: [0, 1], waiting, messages: rounds, warmUp: warmUpOf(rounds) });
}

/** Nanoseconds of a round trip of an experiment's own programs. */
export function tripOf<E>(exchange: Exchange<E>, machine: MachineOptions): number {
  return measure(createMachine(machine), exchange, { rounds: ROUNDS }).roundTrip.nanoseconds;
}
