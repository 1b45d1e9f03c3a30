import { findProfile, MIB, profiles } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { svg } from '../../hw-x86/examples/plot.ts';
import { hugePageReach, reachCost } from '../examples/huge-page-reach.ts';
import { munmapCost, shootdownCost } from '../examples/shootdown-cost.ts';

const xeon = findProfile('xeon-platinum-8336c')!;

describe('what a shootdown costs', () => {
  it.each(profiles)('grows with every core that takes part, on $name', (profile) => {
    const costs = shootdownCost(profile).points.map(([, cycles]) => cycles);
    for (let i = 1; i < costs.length; i++) expect(costs[i]).toBeGreaterThan(costs[i - 1] as number);
  });

  it('begins with a step for the first interrupt, then grows by 0.05 to 0.2 us a core of the same socket', () => {
    const { tscGHz } = xeon.clock;
    const alone = munmapCost(xeon, 1);
    const first = munmapCost(xeon, 2) - alone;
    const each = (munmapCost(xeon, 32) - munmapCost(xeon, 2)) / 30;
    expect(first / tscGHz).toBeGreaterThan(500);
    expect(first).toBeGreaterThan(5 * each);
    expect(each / tscGHz).toBeGreaterThan(50);
    expect(each / tscGHz).toBeLessThan(200);
  });

  it('is steeper across sockets', () => {
    const near = munmapCost(xeon, 32) - munmapCost(xeon, 24);
    const far = munmapCost(xeon, 48) - munmapCost(xeon, 40);
    expect(far).toBeGreaterThan(near);
  });

  it('is several microseconds on all cores of two sockets', () => {
    const microseconds = munmapCost(xeon, 64) / xeon.clock.tscGHz / 1000;
    expect(microseconds).toBeGreaterThan(4);
    expect(microseconds).toBeLessThan(20);
  });

  it('draws its plot', () => {
    const plot = svg({ title: 't', xLabel: 'x', yLabel: 'y', series: [shootdownCost(xeon)], formatX: String });
    expect(plot).toMatch(/^<svg .*<polyline .*<\/svg>\n$/s);
  });
});

describe('the reach of huge pages', () => {
  it.each(profiles)('is 512 times that of small pages, on $name', (profile) => {
    const { l1d2m, stlb } = profile.tlb;
    const second = Math.round((profile.costs.stlbHit.central * profile.clock.tscGHz) / profile.clock.coreGHz.central);
    // 32 MiB: 16 entries, which the first level holds, or 8,192, which the second does not.
    expect(l1d2m.entries).toBeGreaterThanOrEqual(16);
    expect(stlb.entries).toBeLessThan(4096);
    expect(reachCost(profile, 32 * MIB, 'always')).toBe(0);
    expect(reachCost(profile, 32 * MIB, 'never')).toBeGreaterThan(second);
  });

  it('is drawn', () => {
    const plot = svg({ title: 't', xLabel: 'x', yLabel: 'y', series: hugePageReach(xeon, 16 * MIB), formatX: String });
    expect(plot.match(/<polyline /g)).toHaveLength(2);
  });
});
