import type { Plugin } from '@rpal/bus';
import { expect, it, vi } from 'vitest';
import { countOperations, type OperationCounter } from '../../scripts/testing/operations.ts';

/** The RFC's benchmark in a module world of its own, in which nothing is loaded but what is asked for. */
async function world(counter: OperationCounter) {
  vi.resetModules();
  const { RfcBenchmark } = await import('../../apps/bench/src/rfc-benchmark.ts');
  return (phase: 'epoll' | 'rpal', messages: number, plugins: readonly Plugin[] = []) => {
    const benchmark = new RfcBenchmark({ machine: { plugins }, placement: 'same-socket', messages, size: 32, phases: [phase] });
    // Of the machine's making, more is there to price when plugins have steps of their own.
    counter.start();
    benchmark.advance();
    return { operations: counter.stop(), fingerprint: benchmark.result().fingerprint };
  };
}

it('plugins that are not plugged in cost nothing: plain Linux is the same to the last bit, and no more work', async () => {
  await countOperations(async (counter) => {
    const alone = await world(counter);
    const beside = await world(counter);
    const [{ noMpk }, { mshare }, { amdNmi }] = [await import('@rpal/no-mpk'), await import('@rpal/mshare'), await import('@rpal/amd-nmi')];
    /** Operations beside plugins by those without, once both have run. */
    const compare = (): number => {
      for (const run of [alone, beside]) run('epoll', 1000);
      const [without, loaded] = [alone('epoll', 3000), beside('epoll', 3000)];
      expect(loaded.fingerprint).toBe(without.fingerprint);
      expect(without.operations).toBeGreaterThan(1e6);
      return loaded.operations / without.operations;
    };
    expect(compare()).toBeLessThan(1.1);
    beside('rpal', 200, [noMpk({ isolation: 'vmfunc' }), mshare({ rpalSharing: true }), amdNmi({ programs: ['rpal-client'] })]);
    expect(compare()).toBeLessThan(1.1);
  });
});
