import { type CpuProfile, profiles } from '@rpal/hw-x86';
import { createMachine, executable, type Machine } from '@rpal/kernel';
import { rpal } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { finish } from '../../../scripts/testing/run.ts';
import { amdNmi, samplesOf } from '../src/index.js';

/** A program that computes for `ms` milliseconds. */
function compute(profile: CpuProfile, ms: number, frequency: number): Machine {
  const machine = createMachine({ profile, plugins: [rpal(), amdNmi({ programs: ['busy'], frequency })] });
  machine.spawn(
    executable('busy', function* (p) {
      yield* p.compute(ms * 1e6 * profile.clock.tscGHz);
    }),
  );
  finish(machine);
  return machine;
}

describe('sampling', () => {
  it.each(profiles)('takes a sample each period of run time on $name, and loses none without lazy switches', (profile) => {
    const tally = samplesOf(compute(profile, 20, 1000));
    expect(tally.recorded).toBeGreaterThanOrEqual(20);
    expect(tally.recorded).toBeLessThanOrEqual(21);
    expect(tally).toMatchObject({ lost: 0, unknown: 0, dropped: 0, switches: 0 });
    expect([...tally.samples.keys()]).toEqual(['busy']);
  });

  it('refuses a frequency that is none, and a machine without RPAL', () => {
    expect(() => createMachine({ plugins: [rpal(), amdNmi({ programs: ['x'], frequency: 0 })] })).toThrow(/amd-nmi.*frequency/s);
    expect(() => createMachine({ plugins: [amdNmi({ programs: ['x'] })] })).toThrow(/requires "@rpal\/rpal-core"/);
  });

  it('says what is missing when a machine has no profiler', () => {
    expect(() => samplesOf(createMachine())).toThrow('add amdNmi() to its plugins');
  });
});
