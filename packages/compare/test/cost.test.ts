import { profiles } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { cost, type Mechanism, mechanisms, type WorkloadOptions } from '../src/index.js';

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
