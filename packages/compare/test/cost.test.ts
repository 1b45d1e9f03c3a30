import { profiles } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { batches, cost, costInCores, type Exchange, type Mechanism, mechanisms, type WorkloadOptions } from '../src/index.js';

const [server] = profiles;
const profile = {
  ...server!,
  topology: { sockets: 1, coresPerSocket: 2, threadsPerCore: 1, coresPerCache: 2, memoryPerSocket: 1 },
};
const named = (name: string): Mechanism => mechanisms.find((mechanism) => mechanism.name === name) as Mechanism;
const options = (waiting: WorkloadOptions['waiting'], cpus: readonly [number, number] = [0, 1]): WorkloadOptions => ({
  machine: { profile },
  size: 32,
  cpus,
  waiting,
  messages: 60,
  warmUp: 10,
});

describe('Two CPUs against one thread', () => {
  it('are faster from some work per message on, and slower below it', () => {
    const { work, mechanism, oneThread } = cost(named('futex'), options('sleep'));
    expect(work).toBeGreaterThan(0);
    expect(mechanism).toBeLessThan(oneThread);
    // One thread does all of the work, and next to nothing besides.
    expect(oneThread).toBeGreaterThanOrEqual(work as number);
    expect(oneThread).toBeLessThan((work as number) * 1.1 + 200);
  });

  it('need the less work the cheaper the mechanism', () => {
    const works = ['spin', 'pipe', 'unix'].map((name) => cost(named(name), options(named(name).waits[0]!)).work as number);
    expect(works).toEqual([...works].sort((a, b) => a - b));
    expect(works[0]).toBeLessThan((works[2] as number) / 2);
  });

  it('never are where nothing goes on at the same time: a function call, whose two sides are one thread', () => {
    const { work, mechanism, oneThread } = cost(named('call'), options('sleep'));
    expect(work).toBeNull();
    expect(mechanism).toBe(oneThread);
  });

  it('cannot be compared on one CPU', () => {
    expect(() => cost(named('pipe'), options('sleep', [1, 1]))).toThrow('two CPUs are compared with one thread; both sides are on CPU 1');
  });
});

describe('Cores of several clients and a server against one thread', () => {
  const cores = 5;
  const machine = { profile: { ...profile, topology: { ...profile.topology, coresPerSocket: cores, coresPerCache: cores } } };
  const of = (name: string, work: number) =>
    costInCores(named(name), { machine, size: 32, waiting: named(name).waits[0]!, messages: 20, warmUp: 3 }, work, cores);

  it('are faster as soon as there are clients enough to hide what they wait for: with one there is nothing to gain', () => {
    for (const name of ['spin', 'unix']) {
      const { cores: found, mechanism, oneThread } = of(name, 50_000);
      expect([name, found]).toEqual([name, 3]);
      expect(mechanism).toBeLessThan(oneThread);
      expect(oneThread).toBeGreaterThanOrEqual(50_000);
    }
  });

  it('have to be the more the less work there is, and never are where there is none', () => {
    const found = [50_000, 5000, 0].map((work) => of('unix', work).cores ?? Number.POSITIVE_INFINITY);
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(found.at(-1)).toBe(Number.POSITIVE_INFINITY);
  });

  it('are compared where a server can have several clients', () => {
    expect(() => of('pipe', 100)).toThrow('pipe is for two sides only');
    expect(() => costInCores(named('spin'), { ...options('poll'), warmUp: 3 }, 100, 1)).toThrow('cores: 1 is not a whole number from 2 on');
  });
});

describe('Batches on two CPUs against one thread', () => {
  it('need more work than a stream, in which neither side waits for the other', () => {
    const inBatches: Exchange = (mechanism, how) => batches(mechanism, 4, how);
    const batched = { ...options('sleep'), warmUp: 12 };
    const [stream, batch] = [cost(named('pipe'), batched), cost(named('pipe'), batched, inBatches)];
    expect(batch.work).toBeGreaterThan(stream.work as number);
    expect(cost(named('call'), batched, inBatches).work).toBeNull();
  });
});
