import { COLOURS } from './colours.js';
import { escaped } from './escaped.js';
import { tenths, whole } from './numbers.js';
import type { PhaseReport, RfcReport } from './rfc-report.js';

const WIDTH = 960;
const LEFT = 70;
const BAR = 44;
const ROW = 76;
const SCALE_WIDTH = WIDTH - LEFT - 40;

/** A picture of the report: where the cycles of one average message went, one bar per phase, to one scale. */
export function drawRfc(report: RfcReport): string {
  const bars = report.phases.map((phase) => ({ phase, causes: byCause(phase) }));
  const largest = Math.max(...bars.map(({ phase }) => phase.averageCycles), 1);
  const names = [...new Set(bars.flatMap(({ causes }) => [...causes.keys()]))];
  const total = (name: string): number => bars.reduce((sum, { causes }) => sum + (causes.get(name) ?? 0), 0);
  names.sort((a, b) => total(b) - total(a));
  const colour = new Map(names.map((name, index) => [name, COLOURS[Math.min(index, COLOURS.length - 1)] as string]));
  const legendTop = 60 + ROW * bars.length;
  const legend = names.filter((name) => total(name) >= 0.5);
  const height = legendTop + 24 * Math.ceil(legend.length / 4) + 16;
  const { settings, machine } = report;
  const conditions = `${settings.profile}, ${settings.placement}, idle in ${settings.idle}, ${machine.coreGHz} GHz, ${settings.costs} step costs`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="14">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="${LEFT}" y="24" font-size="16">TSC cycles of one average message, one way</text>`,
    `<text x="${LEFT}" y="44" fill="#555555">${escaped(conditions)}${report.complete ? '' : ' (partial result)'}</text>`,
    ...bars.map(({ phase, causes }, row) => drawBar(phase, names, causes, 60 + ROW * row)),
    ...legend.map((name, index) => {
      const x = LEFT + (index % 4) * 220;
      const y = legendTop + 24 * Math.floor(index / 4);
      return `<rect x="${x}" y="${y}" width="14" height="14" fill="${colour.get(name)}"/><text x="${x + 20}" y="${y + 12}">${escaped(name)}</text>`;
    }),
    '</svg>',
    '',
  ].join('\n');

  function drawBar(
    { phase, averageCycles }: PhaseReport,
    order: readonly string[],
    causes: ReadonlyMap<string, number>,
    y: number,
  ): string {
    let x = LEFT;
    const parts = order.map((name) => {
      const cycles = causes.get(name) ?? 0;
      const width = (cycles / largest) * SCALE_WIDTH;
      const title = `${name}: ${tenths(cycles)} cycles, ${((100 * cycles) / averageCycles).toFixed(1)} %`;
      const part = `<rect x="${x.toFixed(2)}" y="${y}" width="${width.toFixed(2)}" height="${BAR}" fill="${colour.get(name)}"><title>${escaped(title)}</title></rect>`;
      x += width;
      return cycles === 0 ? '' : part;
    });
    const label = `<text x="${LEFT - 8}" y="${y + BAR / 2 + 5}" text-anchor="end">${phase.toUpperCase()}</text>`;
    const figure = `<text x="${LEFT}" y="${y + BAR + 16}" fill="#555555">${whole(averageCycles)} cycles</text>`;
    return label + parts.join('') + figure;
  }
}

function byCause({ forward, messages }: PhaseReport): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { cause, cycles } of forward.steps) sums.set(cause, (sums.get(cause) ?? 0) + cycles / messages);
  return sums;
}
