import { disturbances } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { type Mechanism, mechanisms, pingPong } from '../src/index.js';

const SEEDS = 20;
const MESSAGES = 40;

/** One seed: TSC cycles of a round trip on two CPUs, and how many of its wake-ups found an idle CPU. */
function trip(name: string, idle: 'C1' | 'C1E', seed: number, disturbed: boolean): { readonly cycles: number; readonly asleep: number } {
  const mechanism = mechanisms.find((each) => each.name === name) as Mechanism;
  const machine = { idle, seed, ...(disturbed && { disturbance: disturbances }) };
  const size = mechanism.sizes[0] > 32 ? mechanism.sizes[0] : Math.min(32, mechanism.sizes[1]);
  const { roundTrip } = pingPong(mechanism, { machine, size, cpus: [0, 1], waiting: 'sleep', messages: MESSAGES, warmUp: 20 });
  const asleep = roundTrip.steps.find((step) => step.name === '@rpal/sched:idleLeave')?.count ?? 0;
  return { cycles: roundTrip.cycles, asleep: asleep / 2 };
}

const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1);

describe('small disturbances', { timeout: 120_000 }, () => {
  it.each([
    ['pipe', 'C1'],
    ['eventfd-ring', 'C1'],
    ['futex', 'C1'],
    ['signal', 'C1'],
    ['pipe', 'C1E'],
  ] as const)(
    'leave %s at %s within a tenth of the median with 20 seeds, but for those in which the two sides stay awake together',
    (name, idle) => {
      const trips = seeds.map((seed) => trip(name, idle, seed, true));
      const asleep = trips.filter((each) => each.asleep > 0.9);
      expect(asleep.length).toBeGreaterThan(SEEDS / 2);
      const sorted = asleep.map(({ cycles }) => cycles).sort((a, b) => a - b);
      const median = sorted[Math.floor(sorted.length / 2)] as number;
      for (const cycles of sorted) expect(Math.abs(cycles / median - 1)).toBeLessThan(0.1);
      for (const { cycles } of trips.filter((each) => each.asleep <= 0.9)) expect(cycles).toBeLessThan(median);
    },
  );

  it('let a blocking stream on one CPU switch as often as a Linux does: twice a trip, and some of the trips more often', () => {
    const stream = mechanisms.find(({ name }) => name === 'stream') as Mechanism;
    const switches = seeds.map((seed) => {
      const machine = { seed, disturbance: disturbances };
      const { counts } = pingPong(stream, { machine, size: 32, cpus: [0, 0], waiting: 'sleep', messages: 2 * MESSAGES, warmUp: 20 });
      return counts.contextSwitches / (2 * MESSAGES);
    });
    const sorted = switches.sort((a, b) => a - b);
    // 40 runs of Linux 6.18, idle but for other work: 2.0 in 17 of them, 2.2 in the median, 4.0 in four.
    expect(sorted[0]).toBe(2);
    expect(sorted[SEEDS / 2]).toBeLessThan(2.6);
    expect(sorted.at(-1)).toBeGreaterThan(2.1);
  });

  it('differ from seed to seed, and not for the same seed; without them all is exact', () => {
    const [first, again, other] = [trip('futex', 'C1E', 1, true), trip('futex', 'C1E', 1, true), trip('futex', 'C1E', 2, true)];
    expect(again).toEqual(first);
    expect(other.cycles).not.toBe(first.cycles);
    expect(trip('futex', 'C1E', 3, false).cycles).toBe(trip('futex', 'C1E', 4, false).cycles);
  });
});
