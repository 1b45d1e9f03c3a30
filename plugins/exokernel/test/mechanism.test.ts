import { pingPong } from '@rpal/compare';
import { describe, expect, it } from 'vitest';
import { smallProfile } from '../../../scripts/testing/run.ts';
import { pct } from '../src/index.js';

describe('messages by protected control transfer', () => {
  it.each([1, 32, 64])('bring every byte there and back, and every cycle is booked: %d bytes', (size) => {
    const options = {
      machine: { profile: smallProfile() },
      size,
      cpus: [0, 0] as const,
      waiting: 'sleep' as const,
      messages: 5,
      warmUp: 10,
    };
    const { there, back, roundTrip, counts, messages } = pingPong(pct, options);
    for (const trip of [there, back]) expect(trip.booked).toBe(trip.totalCycles);
    expect(there.totalCycles + back.totalCycles).toBe(roundTrip.totalCycles);
    // One call for each message: it sends and waits.
    expect(counts.kernelEntries / messages).toBe(1);
  });
});
