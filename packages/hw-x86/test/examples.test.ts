import { describe, expect, it } from 'vitest';
import { falseSharing, writeCost } from '../examples/false-sharing.ts';
import { svg } from '../examples/plot.ts';
import { loadLatency } from '../examples/pointer-chase.ts';
import { translationCost } from '../examples/tlb-reach.ts';
import { KIB, LARGE_PAGE_SIZE, MIB, PAGE_SIZE } from '../src/index.js';
import { GENOA, MILAN, XEON } from './support.js';

describe('TLB reach', () => {
  it.each([XEON, MILAN, GENOA])('has its steps at the geometry of $name', (profile) => {
    const { l1d4k, l1d2m, stlb, stlb1g } = profile.tlb;
    const reach = stlb.entries + (stlb1g.with4k === true ? stlb1g.entries : 0);
    const cost = (pages: number, size = PAGE_SIZE): number => translationCost(profile, pages, size);
    const second = Math.round((profile.costs.stlbHit.central * profile.clock.tscGHz) / profile.clock.coreGHz.central);
    // As much as the first level holds: free, but for the one access that does not overlap with others. As much as the second holds: a
    // hit there, each time. More: walks.
    expect(Math.round(cost(l1d4k.entries))).toBe(0);
    expect(cost(2 * l1d4k.entries)).toBe(second);
    expect(cost(reach)).toBe(second);
    expect(cost(2 * reach)).toBeGreaterThan(second);
    expect(Math.round(cost(l1d2m.entries, LARGE_PAGE_SIZE))).toBe(0);
    expect(cost(2 * l1d2m.entries, LARGE_PAGE_SIZE)).toBe(second);
  });
});

describe('the pointer chase', () => {
  /** The same proportions, smaller: the plateaus are where the sizes are. */
  const small = {
    ...XEON,
    cache: {
      l1d: { ...XEON.cache.l1d, bytes: 12 * KIB },
      l2: { ...XEON.cache.l2, bytes: 160 * KIB },
      l3: { ...XEON.cache.l3, bytes: 3 * MIB },
    },
  };

  it.each([
    ['L1', 12 * KIB, 5],
    ['L2', 160 * KIB, 14],
    ['L3', 3 * MIB, 68],
  ])('stays on the plateau of the %s up to its size', (_, bytes, cycles) => {
    expect(Math.abs(loadLatency(small, bytes) - cycles)).toBeLessThan(1);
  });

  it('is at the latency of memory beyond', () => {
    // 82 ns at 3.0 GHz.
    expect(Math.abs(loadLatency(small, 8 * MIB) - 246)).toBeLessThan(2);
  });

  it('has the first two plateaus of the real sizes too', () => {
    expect(Math.abs(loadLatency(XEON, 48 * KIB) - 5)).toBeLessThan(1);
    expect(Math.abs(loadLatency(XEON, 64 * KIB) - 14)).toBeLessThan(1);
    expect(Math.abs(loadLatency(XEON, 1280 * KIB) - 14)).toBeLessThan(1);
    expect(Math.abs(loadLatency(XEON, 2 * MIB) - 68)).toBeLessThan(1);
  });
});

describe('false sharing', () => {
  it.each([XEON, MILAN, GENOA])('ends at the border of a cache line, on $name', (profile) => {
    const { coreGHz } = profile.clock;
    const [near, far] = [1, profile.topology.coresPerSocket];
    const transfer = (ns: number): number => ns * coreGHz.central;
    // Within a line each write waits until the line has come; beyond it is a hit in the first level.
    for (const distance of [8, 56]) {
      expect(writeCost(profile, distance, near)).toBeGreaterThan(0.9 * transfer(profile.line.sameCache.central));
      expect(writeCost(profile, distance, far)).toBeGreaterThan(0.9 * transfer(profile.line.crossSocket.central));
    }
    for (const distance of [64, 512]) {
      expect(Math.abs(writeCost(profile, distance, near) - profile.cache.l1d.latency.central)).toBeLessThan(1);
      expect(Math.abs(writeCost(profile, distance, far) - profile.cache.l1d.latency.central)).toBeLessThan(1);
    }
  });

  it('is drawn', () => {
    const plot = svg({ title: 't', xLabel: 'x', yLabel: 'y', series: falseSharing(XEON), formatX: String });
    expect(plot.match(/<polyline /g)).toHaveLength(2);
  });
});

describe('the plot', () => {
  it('is an SVG document with a line per series and labelled axes', () => {
    const picture = svg({
      title: 'a < b',
      xLabel: 'x',
      yLabel: 'y',
      series: [
        {
          name: 'one',
          points: [
            [1, 0],
            [4, 3],
          ],
        },
        {
          name: 'two',
          points: [
            [1, 5],
            [4, 6],
          ],
        },
      ],
      formatX: (x) => `${x} pages`,
    });
    expect(picture).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg".*<\/svg>\n$/s);
    expect(picture.match(/<polyline/g)).toHaveLength(2);
    for (const text of ['a &lt; b', 'one', 'two', '4 pages']) expect(picture).toContain(text);
  });
});
