import { findProfile, MIB, profiles } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { expectReadmeTables } from '../../../scripts/readme-tables.ts';
import { svg } from '../../hw-x86/examples/plot.ts';
import { hugePageReach, reachCost } from '../examples/huge-page-reach.ts';
import { munmapCost, shootdownCost } from '../examples/shootdown-cost.ts';

const xeon = findProfile('xeon-platinum-8336c')!;

describe('what a shootdown costs', () => {
  it.each(profiles)('grows with every core that takes part, on $name', (profile) => {
    const costs = shootdownCost(profile).points.map(([, cycles]) => cycles);
    for (let i = 1; i < costs.length; i++) expect(costs[i]).toBeGreaterThan(costs[i - 1] as number);
  });

  it('begins with a step for the first interrupt, then grows by 0.1 to 0.15 us a core of the same socket', () => {
    const { tscGHz } = xeon.clock;
    const alone = munmapCost(xeon, 1);
    const first = munmapCost(xeon, 2) - alone;
    const each = (munmapCost(xeon, 32) - munmapCost(xeon, 2)) / 30;
    expect(first / tscGHz).toBeGreaterThan(500);
    expect(first).toBeGreaterThan(5 * each);
    expect(each / tscGHz).toBeGreaterThan(100);
    expect(each / tscGHz).toBeLessThan(150);
  });

  it('is steeper across sockets, as a line takes longer from there', () => {
    const near = munmapCost(xeon, 32) - munmapCost(xeon, 24);
    const far = munmapCost(xeon, 48) - munmapCost(xeon, 40);
    expect(far / near).toBeGreaterThan(1.5);
    expect(far / near).toBeLessThan(xeon.line.crossSocket.central / xeon.line.sameSocket.central + 0.2);
  });

  it('grows by what has been published: less per core than on eight sockets of 2009, more than within one socket', () => {
    const each = (munmapCost(xeon, 64) - munmapCost(xeon, 2)) / 62 / xeon.clock.tscGHz;
    // Multikernel (SOSP'09), Linux 2.6.26: 5.2k to 29.5k cycles of 0.5 ns from 2 to 32 cores.
    expect(each).toBeLessThan(((29.5 - 5.2) * 500) / 30);
    expect(each).toBeGreaterThan(150);
  });

  it('is in microseconds what the README says', async () => {
    const us = (cores: number): string => (munmapCost(xeon, cores) / xeon.clock.tscGHz / 1000).toFixed(1);
    await expectReadmeTables(import.meta.url, {
      heading: ['Cores that have the page (Xeon 8336C)', 'munmap, us', 'Published'],
      rows: [
        ['2 of the same socket', us(2), "2.6: 5.2k cycles at 2 GHz, Linux 2.6.26 (Multikernel, SOSP'09)"],
        ['16 of the same socket', us(16), "1.5 to 8 for 16 cores of two sockets (LATR, ASPLOS'18, recalled)"],
        ['32 of the same socket', us(32), '14.8: 29.5k cycles at 2 GHz, 32 cores on eight sockets (Multikernel)'],
        ['64, all of both sockets', us(64), 'about 80 for 120 cores on eight sockets (LATR, recalled)'],
      ],
    });
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
