import type { Plugin } from '@rpal/bus';
import { expect, it, vi } from 'vitest';

interface Run {
  readonly fingerprint: string;
  /** CPU time of this process, microseconds. */
  readonly us: number;
}

/** The RFC's benchmark in a module world of its own, in which nothing is loaded but what is asked for. */
async function world() {
  vi.resetModules();
  const { RfcBenchmark } = await import('../../apps/bench/src/rfc-benchmark.ts');
  return (phase: 'epoll' | 'rpal', messages: number, plugins: readonly Plugin[] = []): Run => {
    const benchmark = new RfcBenchmark({ machine: { plugins }, placement: 'same-socket', messages, size: 32, phases: [phase] });
    const start = process.cpuUsage();
    benchmark.advance();
    const { user, system } = process.cpuUsage(start);
    return { fingerprint: benchmark.result().fingerprint, us: user + system };
  };
}

it('plugins that are not plugged in cost nothing: plain Linux is the same to the last bit, and as fast', {
  timeout: 240_000,
  retry: 3,
}, async () => {
  const alone = await world();
  const beside = await world();
  const [{ noMpk }, { mshare }, { amdNmi }] = [await import('@rpal/no-mpk'), await import('@rpal/mshare'), await import('@rpal/amd-nmi')];

  /** Fastest run beside plugins by the fastest without. In turns, so that whatever else the computer does meets both alike. */
  const compare = (): number => {
    const runs = Array.from({ length: 16 }, (_, i) => {
      const [first, second] = i % 2 === 0 ? [alone, beside] : [beside, alone];
      const pair = [first('epoll', 6000), second('epoll', 6000)] as const;
      return i % 2 === 0 ? pair : ([pair[1], pair[0]] as const);
    });
    expect(new Set(runs.flat().map(({ fingerprint }) => fingerprint)).size).toBe(1);
    const [without, loaded] = ([0, 1] as const).map((side) => Math.min(...runs.slice(5).map((pair) => pair[side].us)));
    return (loaded as number) / (without as number);
  };
  const loaded = compare();
  beside('rpal', 200, [noMpk({ isolation: 'vmfunc' }), mshare({ rpalSharing: true }), amdNmi({ programs: ['rpal-client'] })]);
  const used = compare();
  console.log(
    `plain Linux takes ${loaded.toFixed(2)} times as long when plugins are loaded, and ${used.toFixed(2)} times once another machine has used them`,
  );
  expect(loaded).toBeLessThan(1.25);
  // The host's compiler has seen more kinds of objects by then.
  expect(used).toBeLessThan(1.4);
});
