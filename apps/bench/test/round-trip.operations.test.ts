import { expect, it } from 'vitest';
import { countOperations } from '../../../scripts/testing/operations.ts';

// A net for what goes wrong by a factor; how long a round trip takes on the host, `pnpm perf` measures with the built packages.
it.each([
  ['epoll', 2000],
  ['rpal', 2000],
] as const)('a round trip of the %s phase takes no more than %i operations', async (phase, bound) => {
  const perMessage = await countOperations(async (counter) => {
    const { RfcBenchmark } = await import('../src/rfc-benchmark.js');
    const benchmark = new RfcBenchmark({ machine: {}, placement: 'same-cpu', messages: 1e7, size: 32, phases: [phase] });
    while (benchmark.messages < 1000) benchmark.advance(4_000_000);
    const before = benchmark.messages;
    counter.start();
    while (benchmark.messages < before + 1000) benchmark.advance(4_000_000);
    return counter.stop() / (benchmark.messages - before);
  });
  expect(perMessage).toBeLessThan(bound);
});
