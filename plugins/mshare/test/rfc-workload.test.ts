import { expect, it } from 'vitest';
import { RfcBenchmark } from '../../../apps/bench/src/rfc-benchmark.ts';
import { expectReadmeTables } from '../../../scripts/readme-tables.ts';
import { mshare, mshareOf } from '../src/index.js';

/** The RFC's workload with one of the providers of RPAL's sharing slot. */
function workload(shared: boolean): { readonly message: number; readonly tables: number } {
  const plugins = shared ? [mshare({ rpalSharing: true })] : [];
  const benchmark = new RfcBenchmark({ machine: { plugins }, placement: 'same-socket', messages: 1000, size: 32, phases: ['rpal'] });
  benchmark.advance();
  const { complete, phases } = benchmark.result();
  expect(complete).toBe(true);
  expect(phases[0]).toMatchObject({ messages: 1000, unbalanced: 0 });
  const tables = shared ? (mshareOf(benchmark.machine).tables?.sharedTables ?? 0) : 0;
  return { message: (phases[0]?.totalCycles ?? 0) / 1000, tables };
}

it("the README's table of the RFC's workload is what the model computes", async () => {
  const [copied, shared] = [workload(false), workload(true)];
  expect(shared.tables).toBeGreaterThan(0);
  await expectReadmeTables(import.meta.url, {
    heading: ['1000 messages of 32 bytes', 'copied entries', 'mshare'],
    rows: [
      ["cycles from the client's stamp to the server's", Math.round(copied.message), Math.round(shared.message)],
      ['level-2 tables shared by faults', copied.tables, shared.tables],
    ],
  });
});
