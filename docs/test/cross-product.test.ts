import type { Plugin } from '@rpal/bus';
import { type CpuProfile, profiles } from '@rpal/hw-x86';
import { mshare } from '@rpal/mshare';
import { noMpk } from '@rpal/no-mpk';
import { describe, expect, it } from 'vitest';
import { RfcBenchmark } from '../../apps/bench/src/rfc-benchmark.ts';

const first = profiles[0] as CpuProfile;
const withoutKeys: CpuProfile = { ...first, name: `${first.name}-nopku`, features: { ...first.features, pku: false } };

/** Providers of RPAL's isolation slot, by name; `mpk` is what RPAL brings along. */
const isolations: Readonly<Record<string, readonly Plugin[]>> = {
  mpk: [],
  'page-table': [noMpk({ isolation: 'page-table' })],
  vmfunc: [noMpk({ isolation: 'vmfunc' })],
  none: [noMpk({ isolation: 'none' })],
};

/** Providers of RPAL's sharing slot; `copied` is what RPAL brings along. */
const sharings: Readonly<Record<string, readonly Plugin[]>> = { copied: [], mshare: [mshare({ rpalSharing: true })] };

/** Why a cell is refused; null if it must run. */
function refusal(profile: CpuProfile, isolation: string): string | null {
  if (isolation === 'mpk' && !profile.features.pku) return `needs protection keys (PKU), which ${profile.name} does not have`;
  if (isolation === 'vmfunc' && !profile.features.vmfunc)
    return `needs VMFUNC, an instruction of Intel's VMX, which ${profile.name} does not have`;
  return null;
}

const cells = [...profiles, withoutKeys].flatMap((profile) =>
  Object.keys(isolations).flatMap((isolation) =>
    Object.keys(sharings).map((sharing) => ({ profile, cpu: profile.name, isolation, sharing })),
  ),
);

describe('every profile with every isolation and every sharing', () => {
  it.each(cells)('$cpu, $isolation, $sharing', ({ profile, isolation, sharing }) => {
    const plugins = [...(isolations[isolation] as readonly Plugin[]), ...(sharings[sharing] as readonly Plugin[])];
    const build = () =>
      new RfcBenchmark({ machine: { profile, plugins }, placement: 'same-socket', messages: 25, size: 64, phases: ['rpal'] });
    const reason = refusal(profile, isolation);
    if (reason !== null) {
      expect(build).toThrow(reason);
      return;
    }
    // The workload compares every byte that comes back with what it sent, and throws where they differ.
    const benchmark = build();
    benchmark.advance();
    const { complete, phases } = benchmark.result();
    expect(complete).toBe(true);
    expect(phases[0]).toMatchObject({ messages: 25, unbalanced: 0 });
  });
});
