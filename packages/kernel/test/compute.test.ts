import { describe, expect, it } from 'vitest';
import { type Main, Time } from '../src/index.js';
import { run, runOn, smallMachine } from './support.js';

describe('compute', () => {
  it('takes the time asked for on every CPU, side by side', () => {
    const took: number[] = [];
    const main: Main = function* (p) {
      const second = Math.round(Time.s * p.context.cpu.costs.tscPerNs);
      const before = p.rdtsc();
      yield* p.compute(second);
      took.push((p.rdtsc() - before) / second);
    };
    run({ within: 2 * Time.s }, main, main, main, main);
    expect(took.length).toBe(4);
    for (const seconds of took) {
      // Ticks come in between: 250 of a few microseconds.
      expect(seconds).toBeGreaterThan(1);
      expect(seconds).toBeLessThan(1.002);
    }
  });

  it('is shared by two programs on one CPU, and booked as user work to the cycle', () => {
    const machine = smallMachine();
    const cycles = 100_000_000;
    const main: Main = function* (p) {
      yield* p.setAffinity([2]);
      yield* p.compute(cycles);
    };
    runOn(machine, main, main);
    const cpu = machine.platform.cpus[2];
    const work = cpu?.ownLedger.entries.find(({ step }) => step.name.endsWith(':userWork'));
    expect(work?.cycles).toBe(2 * cycles);
    expect(machine.kernel.scheduler.runQueues[2]?.switches).toBeGreaterThan(8);
  });

  it('ends early for nobody: a wake-up that preempts takes its time, the rest follows', () => {
    const machine = smallMachine();
    const ends: string[] = [];
    runOn(
      machine,
      function* (p) {
        yield* p.setAffinity([1]);
        yield* p.compute(30_000_000);
        ends.push('long');
      },
      function* (p) {
        yield* p.setAffinity([1]);
        for (let i = 0; i < 3; i++) {
          yield* p.sleep(1 * Time.ms);
          yield* p.compute(1000);
          ends.push('short');
        }
      },
    );
    expect(ends).toEqual(['short', 'short', 'short', 'long']);
  });
});
