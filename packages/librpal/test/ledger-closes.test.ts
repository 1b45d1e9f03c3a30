import { type Program, type Trip, Trips } from '@rpal/kernel';
import { describe, expect, it } from 'vitest';
import { call, pair, world } from './pair.js';

const ROUNDS = 20;

/**
 * The callee waits for calls (`sleep`), or looks for them all the time (`poll`), and answers by a pipe or an eventfd: the way there is
 * RPAL's, the way back is not.
 */
function measured(callee: 'sleeps' | 'polls', cpus: readonly [number, number]): { there: Trip; back: Trip } {
  const at = world();
  const trips = new Trips(at.machine.kernel);
  let server: Program | null = null;
  pair(
    at,
    function* ({ p, lib, fd, epfd, memory }) {
      yield* p.setAffinity([cpus[0]]);
      server = p;
      for (let round = 0; round < ROUNDS; round++) {
        for (let n = 0; n === 0; ) {
          n = yield* lib.epollWait(epfd, memory, 8, callee === 'sleeps' ? -1 : 0);
          if (n === 0 && cpus[0] === cpus[1]) yield* p.schedYield();
        }
        yield* lib.readPtrs(fd, memory + 4096, 32);
        trips.arrives(p);
        yield* p.write(fd, memory, 1);
      }
      // The last call ends here, and the wait with the connection.
      yield* lib.epollWait(epfd, memory, 8, -1);
    },
    function* (end) {
      const { p, fd, words } = end;
      yield* p.setAffinity([cpus[1]]);
      yield* p.sleep(1e6);
      for (let round = 0; round < ROUNDS; round++) {
        trips.sends(p, server as unknown as Program);
        yield* call(end, round);
        yield* p.read(fd, words, 1);
        trips.returns(p);
      }
    },
  );
  return { there: trips.there, back: trips.back };
}

describe('The ledger of the critical path closes', () => {
  it.each([
    ['sleeps', 'two CPUs', [0, 1]],
    ['sleeps', 'one CPU', [0, 0]],
    ['polls', 'two CPUs', [0, 1]],
    ['polls', 'one CPU', [0, 0]],
  ] as const)('for an RPAL call to a service that %s, on %s', (callee, _where, cpus) => {
    const { there, back } = measured(callee, cpus);
    for (const trip of [there, back]) {
      expect(trip.count).toBe(ROUNDS);
      expect(trip.booked).toBe(trip.totalCycles);
    }
    expect(there.causes.get('library')).toBeGreaterThan(0);
  });
});
