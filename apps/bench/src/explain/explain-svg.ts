import type { Stretch, Waterfall } from '@rpal/compare';
import { COLOURS } from '../report/colours.js';
import { escaped } from '../report/escaped.js';
import { whole } from '../report/numbers.js';

const WIDTH = 960;
const LEFT = 90;
const RIGHT = 20;
const TOP = 70;
const LANE = 56;
const BLOCK = 34;

/** A message's way as a picture: a lane for each CPU, and one for what is between; a block for each stretch, by cause. */
export function drawWaterfall(title: string, { there, back, oneWay, roundTrip }: Waterfall): string {
  const all = [...there, ...back];
  const lanes = [...new Set(all.map(({ cpu }) => cpu))].sort((a, b) => (a ?? -1) - (b ?? -1));
  const sums = new Map<string, number>();
  for (const { cause, cycles } of all) sums.set(cause, (sums.get(cause) ?? 0) + cycles);
  const causes = [...sums].sort(([, a], [, b]) => b - a).map(([cause]) => cause);
  const colour = (cause: string): string => COLOURS[Math.min(causes.indexOf(cause), COLOURS.length - 1)] as string;
  const x = (at: number): number => LEFT + (at / roundTrip) * (WIDTH - LEFT - RIGHT);
  const bottom = TOP + LANE * lanes.length;
  const height = bottom + 40 + 24 * Math.ceil(causes.length / 5);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="14" role="img" aria-label="${escaped(title)}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="20" y="28" font-size="16">${escaped(title)}</text>`,
    `<text x="20" y="50" fill="#555555">one way ${whole(Math.round(oneWay))} TSC cycles, there and back ${whole(Math.round(roundTrip))}</text>`,
    ...lanes.map(
      (cpu, lane) =>
        `<text x="${LEFT - 10}" y="${TOP + LANE * lane + 23}" text-anchor="end">${cpu === null ? 'on its way' : `CPU ${cpu}`}</text>`,
    ),
    ...all.map((stretch) => block(stretch)),
    `<line x1="${x(oneWay).toFixed(1)}" y1="${TOP - 6}" x2="${x(oneWay).toFixed(1)}" y2="${bottom}" stroke="#000000" stroke-dasharray="4 3"/>`,
    `<text x="${x(oneWay).toFixed(1)}" y="${bottom + 16}" text-anchor="middle" fill="#555555">the server has it</text>`,
    ...causes.map((cause, index) => {
      const left = LEFT + (index % 5) * 170;
      const top = bottom + 28 + 24 * Math.floor(index / 5);
      return `<rect x="${left}" y="${top}" width="14" height="14" fill="${colour(cause)}"/><text x="${left + 20}" y="${top + 12}">${escaped(cause)}</text>`;
    }),
    '</svg>',
    '',
  ].join('\n');

  function block({ at, cycles, step, cause, cpu }: Stretch): string {
    const y = TOP + LANE * lanes.indexOf(cpu);
    const width = x(at + cycles) - x(at);
    const told = `${step} (${cause}): ${whole(Math.round(cycles))} cycles from ${whole(Math.round(at))} on`;
    return `<rect x="${x(at).toFixed(2)}" y="${y}" width="${Math.max(width, 0.4).toFixed(2)}" height="${BLOCK}" fill="${colour(cause)}"><title>${escaped(told)}</title></rect>`;
  }
}
