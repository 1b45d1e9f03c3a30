import { afterAll, describe, expect, it } from 'vitest';
import { callsOf, outcome, type Scenario, scenarios } from './real/epoll-scenarios.js';
import { ModelWorkers } from './real/model-workers.js';
import { RealKernel } from './real/real-kernel.js';

/**
 * Who returns from epoll_wait when one source after the other fires, and with which items, named by the descriptors they
 * watch (sources first, then epoll instances from the bottom up). Two waiters are divided by a bar, two firings by a semicolon.
 *
 * A level wakes all waiters, one after the other, since each leaves the item on the ready list; an edge wakes one, and the
 * next edge the next.
 */
const EXPECTED: Readonly<
  Record<Scenario['trigger'], Readonly<Record<Scenario['waiters'], Readonly<Record<Scenario['shape'], [string, string]>>>>>
> = {
  LT: {
    1: {
      flat: ['0', '0; nobody'],
      'nested once': ['1', '2; nobody'],
      'nested twice': ['2', '3; nobody'],
      diamond: ['2 1', '3 2; nobody'],
    },
    2: {
      flat: ['0 | 0', '0 | 0; nobody'],
      'nested once': ['1 | 1', '2 | 2; nobody'],
      'nested twice': ['2 | 2', '3 | 3; nobody'],
      diamond: ['2 1 | 2 1', '3 2 | 3 2; nobody'],
    },
  },
  ET: {
    1: {
      flat: ['0', '0; nobody'],
      'nested once': ['1', '2; nobody'],
      'nested twice': ['2', '3; nobody'],
      diamond: ['2 1', '3 2; nobody'],
    },
    2: {
      flat: ['0', '0; 1'],
      'nested once': ['1', '2; 2'],
      'nested twice': ['2', '3; 3'],
      diamond: ['2 1', '3 2; 3 2'],
    },
  },
};

function expected({ trigger, waiters, shape, sources }: Scenario): string {
  return EXPECTED[trigger][waiters][shape][sources - 1] as string;
}

const real = new RealKernel();
afterAll(() => real.dispose());

describe('epoll waiters', () => {
  it.each(scenarios)('$trigger, $waiters waiting, $shape, $sources firing', (scenario) => {
    const workers = new ModelWorkers();
    const answers = callsOf(scenario).map((call) => workers.execute(call));
    expect(outcome(scenario, answers)).toBe(expected(scenario));
  });

  it('are woken so by the Linux at hand, too', async ({ skip }) => {
    if (real.missing !== null) skip(real.missing);
    const outcomes: string[] = [];
    for (const scenario of scenarios) outcomes.push(outcome(scenario, await real.run(callsOf(scenario))));
    expect(outcomes).toEqual(scenarios.map(expected));
  });
});
