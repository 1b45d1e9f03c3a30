import { expect, it } from 'vitest';
import { countOperations } from '../../../scripts/testing/operations.ts';

const LAPS = 200;
/** Before it, and again about message 2,650, wake-ups on the same CPU preempt their waker for some time: 1.5 context switches a message instead of 1, which is other work. */
const SETTLED = 1100;
/** TSC cycles of machine time: some tens of messages. */
const SLICE = 400_000;

// A net for what goes wrong by a factor; what a round trip consists of is pinned in lap.test.ts, and how long it takes on the host,
// `pnpm perf` measures with the built packages.
it.each([
  ['epoll', 2000],
  ['rpal', 3500],
] as const)('a round trip of the %s phase takes no more than %i operations', async (phase, bound) => {
  const perMessage = await countOperations(async (counter) => {
    const { RfcBenchmark } = await import('../src/rfc-benchmark.js');
    const benchmark = new RfcBenchmark({ machine: {}, placement: 'same-cpu', messages: 1e7, size: 32, phases: [phase] });
    while (benchmark.messages < SETTLED) benchmark.advance(SLICE);
    const before = benchmark.messages;
    counter.start();
    while (benchmark.messages < before + LAPS) benchmark.advance(SLICE);
    return counter.stop() / (benchmark.messages - before);
  });
  expect(perMessage).toBeLessThan(bound);
});
