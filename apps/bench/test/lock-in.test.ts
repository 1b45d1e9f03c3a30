import { pingPong } from '@rpal/compare';
import { disturbances } from '@rpal/hw-x86';
import type { IdleStateName } from '@rpal/sched';
import { describe, expect, it } from 'vitest';
import { builtIn } from '../src/compare/mechanism-loader.js';
import { spreadOver } from '../src/predict/seeds.js';
import { overSeeds } from '../src/seeds.js';

const SEEDS = 20;

/** Round trips between two CPUs that sleep for each message, us, over the seeds. */
function seedsOf(name: string, idle: IdleStateName): ReturnType<typeof spreadOver> {
  const mechanism = builtIn(name);
  const runs = overSeeds(SEEDS, (seed) => {
    const machine = { idle, seed, disturbance: disturbances };
    const { roundTrip, counts } = pingPong(mechanism, { machine, size: 4, cpus: [0, 1], waiting: 'sleep', messages: 50, warmUp: 20 });
    return { seed, trip: roundTrip.nanoseconds / 1000, asleep: counts.contextSwitches / 4 / 50 };
  });
  return spreadOver(runs);
}

describe('two CPUs that meet at each message', () => {
  it('take as long with any seed at poll, by signals', () => {
    const { modes, median, low, high } = seedsOf('signal', 'poll');
    expect(modes).toHaveLength(1);
    expect((high - low) / median).toBeLessThan(0.1);
  });

  it('have two modes in C1 by signals: asleep at each message, or awake together', () => {
    const { modes } = seedsOf('signal', 'C1');
    expect(modes.map(({ seeds }) => seeds)).toEqual([1, 19]);
    expect(modes[0]?.asleep).toBeLessThan(0.1);
    expect(modes[1]?.asleep).toBe(1);
  });
});
