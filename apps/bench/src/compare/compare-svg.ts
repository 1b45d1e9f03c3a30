import { LINE_COLOURS } from '../report/colours.js';
import { escaped } from '../report/escaped.js';
import { whole } from '../report/numbers.js';
import { type Comparison, figureOf } from './compare-text.js';
import type { CompareSettings, WorkloadName } from './comparison.js';
import { sizeText } from './sizes.js';

/** What is drawn of workloads whose messages overlap. */
const INTERVALS: Partial<Record<WorkloadName, string>> = {
  stream: 'between two messages',
  batch: 'between two messages',
  'fan-in': 'between two requests',
};
const WIDTH = 960;
const LEFT = 150;
const RIGHT = 150;
const TOP = 70;
const ROW = 26;
const HEIGHT = 480;

/** A picture of a comparison: bars for one size, lines over the sizes otherwise. Scales are logarithmic. */
export function drawComparison(settings: CompareSettings, comparison: Comparison): string {
  const { rows } = comparison;
  const figures = rows.map(figureOf);
  const low = Math.min(...figures) / 1.3;
  const high = Math.max(...figures) * 1.3;
  const share = (value: number): number => Math.log(value / low) / Math.log(high / low);
  return settings.sizes.length === 1 ? bars(settings, comparison, share) : lines(settings, comparison, share);
}

function frame(settings: CompareSettings, height: number, complete: boolean, body: readonly string[]): string {
  const { profile, placement, idle, workload } = settings;
  const way = INTERVALS[workload] ?? 'one way';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="14" role="img" aria-label="TSC cycles per message ${way}, by mechanism">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="20" y="26" font-size="16">TSC cycles per message ${way}, logarithmic${complete ? '' : ' (partial result)'}</text>`,
    `<text x="20" y="48" fill="#555555">${escaped(`${profile.name}, ${workload}, ${placement}, idle in ${idle}`)}</text>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

function bars(settings: CompareSettings, { rows, complete }: Comparison, share: (value: number) => number): string {
  const sorted = [...rows].sort((a, b) => figureOf(a) - figureOf(b));
  const body = sorted.map((row, index) => {
    const y = TOP + ROW * index;
    const width = share(figureOf(row)) * (WIDTH - LEFT - RIGHT);
    const colour = LINE_COLOURS[row.mechanism.startsWith('rpal') ? 1 : 0];
    return (
      `<text x="${LEFT - 8}" y="${y + 15}" text-anchor="end">${escaped(row.mechanism)}</text>` +
      `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 6}" fill="${colour}"/>` +
      `<text x="${(LEFT + width + 8).toFixed(1)}" y="${y + 15}" fill="#555555">${whole(Math.round(figureOf(row)))}</text>`
    );
  });
  return frame(settings, TOP + ROW * sorted.length + 20, complete, body);
}

function lines(settings: CompareSettings, { rows, complete }: Comparison, share: (value: number) => number): string {
  const { sizes } = settings;
  const bottom = HEIGHT - 50;
  const x = (size: number): number => {
    const [first, last] = [Math.log(sizes[0] as number), Math.log(sizes.at(-1) as number)];
    return 80 + ((Math.log(size) - first) / (last - first || 1)) * (WIDTH - 80 - RIGHT);
  };
  const y = (value: number): number => bottom - share(value) * (bottom - TOP);
  const names = [...new Set(rows.map(({ mechanism }) => mechanism))];
  const ends: number[] = [];
  const curves = names.map((name, index) => {
    const own = rows.filter(({ mechanism }) => mechanism === name).sort((a, b) => a.size - b.size);
    const last = own.at(-1);
    if (last === undefined) return '';
    const colour = LINE_COLOURS[index % LINE_COLOURS.length];
    const points = own.map((row) => `${x(row.size).toFixed(1)},${y(figureOf(row)).toFixed(1)}`).join(' ');
    // Names keep out of each other's way.
    let at = y(figureOf(last)) + 5;
    while (ends.some((other) => Math.abs(other - at) < 13)) at -= 13;
    ends.push(at);
    return (
      `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"/>` +
      own.map((row) => `<circle cx="${x(row.size).toFixed(1)}" cy="${y(figureOf(row)).toFixed(1)}" r="3" fill="${colour}"/>`).join('') +
      `<text x="${(x(last.size) + 8).toFixed(1)}" y="${at.toFixed(1)}" fill="${colour}">${escaped(name)}</text>`
    );
  });
  const axis = sizes.map((size) => `<text x="${x(size).toFixed(1)}" y="${HEIGHT - 20}" text-anchor="middle">${sizeText(size)}</text>`);
  return frame(settings, HEIGHT, complete, [...axis, ...curves]);
}
