import { profiles } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { mechanisms, pingPong, waterfall } from '../src/index.js';

const [server] = profiles;
const profile = { ...server!, topology: { sockets: 1, coresPerSocket: 2, threadsPerCore: 1, coresPerCache: 2, memoryPerSocket: 1 } };

const options = (name: string, cpus: readonly [number, number] = [0, 1]) => {
  const mechanism = mechanisms.find((candidate) => candidate.name === name)!;
  return [mechanism, { machine: { profile }, size: 32, cpus, waiting: mechanism.waits[0]!, warmUp: 10 }] as const;
};

describe('the waterfall of a message', () => {
  it.each(['pipe', 'unix', 'futex', 'spin', 'process-vm', 'rpal', 'call'])('has no gap and adds up to the trip: %s', (name) => {
    const [mechanism, own] = options(name);
    const { there, back, oneWay, roundTrip } = waterfall(mechanism, own);
    let at = 0;
    for (const stretch of [...there, ...back]) {
      expect(stretch.at).toBe(at);
      expect(stretch.cycles).toBeGreaterThan(0);
      at += stretch.cycles;
    }
    expect(at).toBe(roundTrip);
    expect(back[0]?.at ?? oneWay).toBe(oneWay);
  });

  it('is that of a run that nobody watches', () => {
    const [mechanism, own] = options('unix');
    const { oneWay, roundTrip } = waterfall(mechanism, own);
    const plain = pingPong(mechanism, { ...own, messages: 1 });
    expect([oneWay, roundTrip]).toEqual([plain.there.cycles, plain.roundTrip.cycles]);
  });

  it('goes from the sender by a wake-up to the receiver, whose idle state ends on the way', () => {
    const { there } = waterfall(...options('pipe'));
    const cpus = there.map(({ cpu }) => cpu).filter((cpu, index, all) => cpu !== all[index - 1]);
    expect([cpus[0], cpus.at(-1)]).toEqual([0, 1]);
    const order = there.map(({ cause }) => cause);
    expect(order.indexOf('wake-up')).toBeLessThan(order.indexOf('idle'));
    expect(order.indexOf('idle')).toBeLessThan(order.lastIndexOf('switch'));
    expect(order.lastIndexOf('switch')).toBeLessThan(order.lastIndexOf('copy'));
  });

  it('of an RPAL call stays on the caller, in the library', () => {
    const { there } = waterfall(...options('rpal'));
    expect(new Set(there.map(({ cpu }) => cpu))).toEqual(new Set([0]));
    expect(new Set(there.map(({ cause }) => cause))).toEqual(new Set(['library']));
  });
});
