import { escaped } from '../../report/escaped.js';
import { whole } from '../../report/numbers.js';
import type { Bar } from '../question.js';

const WIDTH = 760;
const LABEL = 330;
const ROW = 22;

/** One horizontal bar per row, all on one scale. */
export function barsSvg(bars: readonly Bar[]): string {
  const most = Math.max(...bars.map(({ cycles }) => cycles));
  const room = WIDTH - LABEL - 90;
  const rows = bars.map(({ label, cycles }, row) => {
    const y = row * ROW;
    const width = Math.max(1, (cycles / most) * room);
    return `<text x="${LABEL - 8}" y="${y + 15}" text-anchor="end">${escaped(label)}</text><rect x="${LABEL}" y="${y + 4}" width="${width.toFixed(1)}" height="14"/><text x="${(LABEL + width + 6).toFixed(1)}" y="${y + 15}">${whole(cycles)}</text>`;
  });
  const height = bars.length * ROW;
  return `<svg class="bars" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="cycles">${rows.join('')}</svg>`;
}
