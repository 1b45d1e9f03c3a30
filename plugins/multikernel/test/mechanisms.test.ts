import { pingPong, streaming } from '@rpal/compare';
import { describe, expect, it } from 'vitest';
import { multikernel } from '../src/system.js';

describe.each(multikernel.mechanisms)('$name between two processes of Linux', (mechanism) => {
  const cpus = mechanism.oneCpu === true ? ([0, 0] as const) : ([0, 1] as const);
  const options = { machine: {}, cpus, waiting: mechanism.waits[0] as 'sleep' | 'poll', messages: 20, warmUp: 10 };

  it('brings messages unchanged, of one byte and of as many as fit', () => {
    for (const size of [1, 32, Math.min(mechanism.sizes[1], 200)]) {
      const { there, roundTrip } = pingPong(mechanism, { ...options, size });
      expect(there.cycles).toBeGreaterThan(0);
      expect(roundTrip.cycles).toBeGreaterThan(there.cycles);
    }
  });

  it('streams, and is the same in every run', () => {
    const run = () => streaming(mechanism, { ...options, size: 32 });
    expect(run().fingerprint).toBe(run().fingerprint);
  });
});
