import { execFileSync } from 'node:child_process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { TIME_MODEL } from '../src/perf/host-time.js';
import { type Phase, RfcBenchmark } from '../src/rfc-benchmark.js';
import { isBuilt, perf } from './built.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** TSC cycles of machine time that pass in a few milliseconds of host time. */
const SLICE = 4_000_000;

function warm(phase: Phase): RfcBenchmark {
  const benchmark = new RfcBenchmark({ machine: {}, placement: 'same-cpu', messages: 1e7, size: 32, phases: [phase] });
  while (benchmark.messages < 15_000) benchmark.advance(50 * SLICE);
  return benchmark;
}

describe('the heap of the host', () => {
  it.each(['epoll', 'rpal'] as const)('messages of the %s phase leave nothing behind, and little garbage on their way', (phase) => {
    const benchmark = warm(phase);
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const messages = benchmark.messages;
    let last = before;
    let allocated = 0;
    while (benchmark.messages < messages + 20_000) {
      benchmark.advance(SLICE);
      const { heapUsed } = process.memoryUsage();
      if (heapUsed > last) allocated += heapUsed - last;
      last = heapUsed;
    }
    collectGarbage();
    const sent = benchmark.messages - messages;
    // The engine's own compiled code, and what other tests left for later, move the figure a little.
    expect((process.memoryUsage().heapUsed - before) / sent).toBeLessThan(200);
    // Numbers beyond 31 bits that pass between functions are boxed by the engine, twenty or thirty of them; nothing else is made.
    expect(allocated / sent).toBeLessThan(3000);
  });
});

// Where the engine compiles in the thread that runs, at the same call each time, it allocates the same in each run. With Node 20 these
// are 20, 131, 83 and 115 bytes: numbers beyond 31 bits that pass between functions, 16 bytes each.
describe.skipIf(!isBuilt())('the built program', () => {
  it.each([
    ['epoll', 'same-cpu', 64],
    ['epoll', 'same-socket', 192],
    ['rpal', 'same-cpu', 128],
    ['rpal', 'same-socket', 160],
  ] as const)('boxes few numbers for a message of the %s phase, %s: at most %i bytes', (phase, placement, most) => {
    const run = execFileSync(process.execPath, ['--single-threaded', '--predictable', perf, TIME_MODEL, phase, placement, '10000']);
    expect(JSON.parse(run.toString()).bytes).toBeLessThan(most);
  });
});
