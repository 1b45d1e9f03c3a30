import { type CpuProfile, profiles } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { RfcBenchmark } from '../../../apps/bench/src/rfc-benchmark.ts';
import { readmeTable } from '../../../scripts/readme-tables.ts';
import { callCosts, type IsolationName, isolationNames, noMpk } from '../src/index.js';

const directory = new URL('..', import.meta.url).pathname;

/** The RFC's workload with an isolation: cycles per message, and of a lazy switch to the receiver. */
function workload(isolation: IsolationName): { readonly message: number; readonly lazySwitch: number } {
  const plugins = isolation === 'mpk' ? [] : [noMpk({ isolation })];
  const machine = { profile: profiles[0] as CpuProfile, plugins };
  const benchmark = new RfcBenchmark({ machine, placement: 'same-socket', messages: 1000, size: 32, phases: ['rpal'] });
  benchmark.advance();
  const { complete, phases } = benchmark.result();
  const [phase] = phases;
  if (!complete || phase === undefined) throw new Error('the workload did not come to its end');
  expect(phase).toMatchObject({ messages: 1000, unbalanced: 0 });
  expect(phase.toReceiver.count).toBeGreaterThan(0);
  return { message: phase.totalCycles / phase.messages, lazySwitch: phase.toReceiver.cycles / phase.toReceiver.count };
}

describe("the README's tables", () => {
  const row = (name: string, values: readonly number[]) => [name, ...values.map((value) => `${Math.round(value)}`)];

  it('of calls are what the model computes', () => {
    const costs = callCosts(isolationNames);
    expect(readmeTable(directory, ['one call of a word', ...isolationNames])).toEqual([
      row(
        'cycles of a call and return',
        costs.map(({ call }) => call),
      ),
      row(
        'of them isolation',
        costs.map(({ added }) => added),
      ),
    ]);
  });

  it("of the RFC's workload are what the model computes", () => {
    const results = isolationNames.map(workload);
    expect(readmeTable(directory, ['1000 messages of 32 bytes', ...isolationNames])).toEqual([
      row(
        "client's stamp to server's stamp",
        results.map(({ message }) => message),
      ),
      row(
        'lazy switch to the receiver, outside that window',
        results.map(({ lazySwitch }) => lazySwitch),
      ),
    ]);
  });
});
