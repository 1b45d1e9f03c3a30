import { type CpuProfile, findProfile } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { RfcBenchmark } from '../../../apps/bench/src/rfc-benchmark.ts';
import { type AmdNmiOptions, amdNmi, type SampleTally, samplesOf } from '../src/index.js';

/** The RFC's workload with its client sampled at 10 kHz. */
function sampled(profile: string, options: Partial<AmdNmiOptions>): SampleTally & { reported: number; unbalanced: number } {
  const plugins = [amdNmi({ programs: ['rpal-client'], ...options })];
  const machine = { profile: findProfile(profile) as CpuProfile, plugins };
  const benchmark = new RfcBenchmark({ machine, placement: 'same-socket', messages: 2500, size: 32, phases: ['rpal'] });
  benchmark.advance();
  const unbalanced = benchmark.result().phases[0]?.unbalanced ?? -1;
  return Object.assign(samplesOf(benchmark.machine), { reported: benchmark.machine.kernel.unknownNmis, unbalanced });
}

const late = { nmiWindowMs: 0 };

describe("a profiler at 10 kHz over the RFC's workload", () => {
  it('loses a sample on Intel when the NMI meets a call, but knows where the NMI came from', () => {
    const tally = sampled('xeon-platinum-8336c', { fix: false });
    expect(tally.switches).toBeGreaterThan(0);
    expect(tally.recorded).toBeGreaterThan(tally.switches);
    expect(tally).toMatchObject({ lost: tally.switches, unknown: 0, waitedUs: 0, reported: 0, unbalanced: 0 });
  });

  it('on AMD has an unknown NMI and 50 us of waiting for each of them', () => {
    const tally = sampled('epyc-7713', { fix: false, ...late });
    expect(tally.switches).toBeGreaterThan(0);
    expect(tally).toMatchObject({ lost: tally.switches, unknown: tally.switches, reported: tally.switches });
    expect(tally.waitedUs).toBeGreaterThanOrEqual(50 * tally.switches);
  });

  it('has them hidden there by the window in which Linux claims late NMIs: lost all the same, and waited for', () => {
    const tally = sampled('epyc-7713', { fix: false });
    expect(tally.lost).toBe(tally.switches);
    expect(tally.late + tally.unknown).toBe(tally.switches);
    expect(tally.late).toBeGreaterThan(0);
    expect(tally.waitedUs).toBeGreaterThanOrEqual(50 * tally.switches);
  });

  it('with patch 32 has none unknown and waits for none; the samples stay lost', () => {
    const tally = sampled('epyc-7713', { fix: true, ...late });
    expect(tally.switches).toBeGreaterThan(0);
    expect(tally).toMatchObject({ lost: tally.switches, dropped: tally.switches, unknown: 0, reported: 0 });
    expect(tally.waitedUs).toBeLessThan(50 * tally.switches);
  });
});
