import type { Plugin } from '@rpal/bus';
import { type CpuProfile, findProfile } from '@rpal/hw-x86';
import { beforeAll, describe, expect, it } from 'vitest';
import { RfcBenchmark } from '../../../apps/bench/src/rfc-benchmark.ts';
import { expectReadmeTables } from '../../../scripts/readme-tables.ts';
import { amdNmi, type SampleTally, samplesOf } from '../src/index.js';

interface Sampled extends SampleTally {
  /** What the kernel has reported as unknown. */
  readonly reported: number;
  readonly unbalanced: number;
}

/** Samples per second, a run each: those of one rate fall into step with messages as regular as these. */
const FREQUENCIES = [9100, 9300, 9500, 9700, 9900, 10_100, 10_300, 10_500, 10_700, 10_900];

/** The RFC's workload with its client sampled, all runs together. */
function sampled(profile: string, fix: boolean, nmiWindowMs: number): Sampled {
  const sum: Record<string, number> = {};
  for (const frequency of FREQUENCIES) {
    for (const [name, value] of Object.entries(run(profile, amdNmi({ programs: ['rpal-client'], frequency, fix, nmiWindowMs })))) {
      if (typeof value === 'number') sum[name] = (sum[name] ?? 0) + value;
    }
  }
  return sum as unknown as Sampled;
}

function run(profile: string, plugin: Plugin): Sampled {
  const machine = { profile: findProfile(profile) as CpuProfile, plugins: [plugin] };
  const benchmark = new RfcBenchmark({ machine, placement: 'same-socket', messages: 1000, size: 32, phases: ['rpal'] });
  benchmark.advance();
  const unbalanced = benchmark.result().phases[0]?.unbalanced ?? -1;
  const tally = samplesOf(benchmark.machine);
  return Object.assign({ ...tally, recorded: tally.recorded }, { reported: benchmark.machine.kernel.entry.unknownNmis, unbalanced });
}

const ZEN3 = 'epyc-7713';
const ZEN4 = 'epyc-9654';
const ICE_LAKE = 'xeon-platinum-8336c';

/** Profile, patch 32 or not, and the window in which Linux claims late NMIs, ms. */
const cases = [
  [ZEN3, false, 0],
  [ZEN3, false, 100],
  [ZEN3, true, 0],
  [ZEN3, true, 100],
  [ZEN4, false, 0],
  [ZEN4, true, 0],
  [ICE_LAKE, false, 100],
  [ICE_LAKE, true, 100],
] as const;

describe("a profiler over the RFC's workload", () => {
  const tallies = new Map<string, Sampled>();
  beforeAll(() => {
    for (const [profile, fix, window] of cases) tallies.set(`${profile} ${fix} ${window}`, sampled(profile, fix, window));
  }, 120_000);
  const tallyOf = (profile: string, fix: boolean, window: number) => tallies.get(`${profile} ${fix} ${window}`) as Sampled;

  it("gives the README's table", async () => {
    const rows = cases.map(([profile, fix, window]) => {
      const { recorded, lost, unknown, late, dropped, waitedUs } = tallyOf(profile, fix, window);
      return [profile, fix ? 'on' : 'off', profile === ICE_LAKE ? '-' : window, recorded, lost, unknown, late, dropped, waitedUs];
    });
    const heading = ['CPU', 'fix', 'window, ms', 'samples', 'lost', 'unknown', 'claimed as late', 'dropped', 'waited, us'];
    await expectReadmeTables(import.meta.url, { heading, rows });
  });

  it.each(cases)('on %s (fix %s, window %d ms) loses the sample of each NMI that comes with a lazy switch, and no other', (...which) => {
    const tally = tallyOf(...which);
    expect(tally.switches).toBeGreaterThan(0);
    expect(tally.recorded).toBeGreaterThan(tally.switches);
    expect(tally).toMatchObject({ lost: tally.switches, reported: tally.unknown, unbalanced: 0 });
  });

  it.each([false, true])('Intel knows where the NMI came from, with the fix (%s) or without', (fix) => {
    expect(tallyOf(ICE_LAKE, fix, 100)).toMatchObject({ unknown: 0, dropped: 0, late: 0, waitedUs: 0 });
  });

  it.each([ZEN3, ZEN4])('%s has an unknown NMI and 50 us of waiting for each of them', (profile) => {
    const tally = tallyOf(profile, false, 0);
    expect(tally.unknown).toBe(tally.switches);
    expect(tally.waitedUs).toBeGreaterThanOrEqual(50 * tally.switches);
  });

  it('AMD has them hidden by the window in which Linux claims late NMIs: lost all the same, and waited for', () => {
    const tally = tallyOf(ZEN3, false, 100);
    expect(tally.late + tally.unknown).toBe(tally.switches);
    expect(tally.late).toBeGreaterThan(0);
    expect(tally.waitedUs).toBeGreaterThanOrEqual(50 * tally.switches);
  });

  it.each([ZEN3, ZEN4])('with patch 32 %s has none unknown and waits for none; the samples stay lost', (profile) => {
    const tally = tallyOf(profile, true, 0);
    expect(tally).toMatchObject({ dropped: tally.switches, unknown: 0 });
    expect(tally.waitedUs).toBeLessThan(50 * tally.switches);
  });
});
