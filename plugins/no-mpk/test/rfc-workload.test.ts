import { type CpuProfile, profiles } from '@rpal/hw-x86';
import { expect, it } from 'vitest';
import { RfcBenchmark } from '../../../apps/bench/src/rfc-benchmark.ts';
import { expectReadmeTables } from '../../../scripts/readme-tables.ts';
import { type IsolationName, isolationNames, noMpk } from '../src/index.js';

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

const row = (name: string, values: readonly number[]) => [name, ...values.map(Math.round)];

it("the README's table of the RFC's workload is what the model computes", async () => {
  const results = isolationNames.map(workload);
  const messages = results.map(({ message }) => message);
  const lazySwitches = results.map(({ lazySwitch }) => lazySwitch);
  await expectReadmeTables(import.meta.url, {
    heading: ['1000 messages of 32 bytes', ...isolationNames],
    rows: [row("client's stamp to server's stamp", messages), row('lazy switch to the receiver, outside that window', lazySwitches)],
  });
});
