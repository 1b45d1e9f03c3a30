import { escaped } from '../report/escaped.js';
import { whole } from '../report/numbers.js';

/** Colours that the colour-blind can tell apart (after P. Tol), on light and on dark. */
const COLOURS = ['#4477aa', '#ee6677', '#228833', '#ccbb44', '#66ccee', '#aa3377', '#999933'];

/** A bar for each of several things, in pairs: a label, and values of the series in `names`. */
export function pairedBars(
  label: string,
  names: readonly string[],
  bars: readonly { readonly label: string; readonly values: readonly number[]; readonly source: string; readonly command: string }[],
  unit: string,
): string {
  const width = 860;
  const left = 190;
  const row = 16 * names.length + 14;
  const largest = Math.max(...bars.flatMap(({ values }) => values));
  const body = bars.map(({ label: name, values, source, command }, index) => {
    const y = 34 + row * index;
    const parts = values.map((value, series) => {
      const length = (value / largest) * (width - left - 90);
      const top = y + 16 * series;
      return `<rect x="${left}" y="${top}" width="${length.toFixed(1)}" height="13" fill="${COLOURS[series]}"/><text x="${(left + length + 6).toFixed(1)}" y="${top + 11}">${value.toFixed(1)}${unit}</text>`;
    });
    return `<g ${source}><title>${escaped(command)}</title><text x="${left - 10}" y="${y + 8 * names.length + 3}" text-anchor="end">${escaped(name)}</text>${parts.join('')}</g>`;
  });
  const legend = names.map(
    (name, series) =>
      `<rect x="${left + 170 * series}" y="6" width="12" height="12" fill="${COLOURS[series]}"/><text x="${left + 170 * series + 18}" y="17">${escaped(name)}</text>`,
  );
  return svg(label, width, 40 + row * bars.length, [...legend, ...body]);
}

/** How a value moves when one input goes from its low to its high end: widest first. */
export function tornado(
  label: string,
  central: number,
  bars: readonly { readonly label: string; readonly low: number; readonly high: number; readonly told: string }[],
): string {
  const width = 860;
  const left = 250;
  const all = bars.flatMap(({ low, high }) => [low, high, central]);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const x = (value: number): number => left + ((value - least) / (most - least || 1)) * (width - left - 70);
  const body = bars.map(({ label: name, low, high, told }, index) => {
    const y = 26 + 24 * index;
    const [from, to] = [Math.min(low, high), Math.max(low, high)];
    return `<g><title>${escaped(told)}</title><text x="${left - 50}" y="${y + 12}" text-anchor="end">${escaped(name)}</text><rect x="${x(from).toFixed(1)}" y="${y}" width="${Math.max(1, x(to) - x(from)).toFixed(1)}" height="15" fill="${COLOURS[0]}"/><text x="${(x(from) - 5).toFixed(1)}" y="${y + 12}" text-anchor="end">${from.toFixed(1)}</text><text x="${(x(to) + 5).toFixed(1)}" y="${y + 12}">${to.toFixed(1)}</text></g>`;
  });
  const line = `<line x1="${x(central).toFixed(1)}" y1="20" x2="${x(central).toFixed(1)}" y2="${30 + 24 * bars.length}" stroke="currentColor" stroke-dasharray="4 3"/><text x="${x(central).toFixed(1)}" y="14" text-anchor="middle">${central.toFixed(1)} x</text>`;
  return svg(label, width, 40 + 24 * bars.length, [...body, line]);
}

/** Lines over sizes, both axes logarithmic. */
export function lines(
  label: string,
  sizes: readonly number[],
  curves: readonly { readonly name: string; readonly values: readonly number[] }[],
  sizeText: (bytes: number) => string,
): string {
  const width = 860;
  const height = 420;
  const [left, right, top, bottom] = [70, 130, 16, 40];
  const all = curves.flatMap(({ values }) => values);
  const [least, most] = [Math.log(Math.min(...all)), Math.log(Math.max(...all))];
  const x = (index: number): number => left + (index / (sizes.length - 1 || 1)) * (width - left - right);
  const y = (value: number): number => height - bottom - ((Math.log(value) - least) / (most - least || 1)) * (height - top - bottom);
  const ends: number[] = [];
  const drawn = [...curves]
    .sort((a, b) => (b.values.at(-1) as number) - (a.values.at(-1) as number))
    .map(({ name, values }, index) => {
      const colour = COLOURS[index % COLOURS.length];
      const points = values.map((value, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
      let at = y(values.at(-1) as number) + 4;
      while (ends.some((other) => Math.abs(other - at) < 14)) at += 14;
      ends.push(at);
      const dots = values.map(
        (value, point) =>
          `<circle cx="${x(point).toFixed(1)}" cy="${y(value).toFixed(1)}" r="3.5" fill="${colour}"><title>${escaped(name)}, ${sizeText(sizes[point] as number)}: ${whole(Math.round(value))} cycles</title></circle>`,
      );
      return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}<text x="${width - right + 10}" y="${at.toFixed(1)}" style="fill:${colour}">${escaped(name)}</text>`;
    });
  const axis = sizes.map(
    (size, index) => `<text x="${x(index).toFixed(1)}" y="${height - 14}" text-anchor="middle">${sizeText(size)}</text>`,
  );
  const ticks = [3, 4, 5, 6].map((power) => 10 ** power).filter((value) => Math.log(value) >= least && Math.log(value) <= most);
  const grid = ticks.map(
    (value) =>
      `<line x1="${left}" x2="${width - right}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" stroke="currentColor" stroke-opacity=".25"/><text x="${left - 8}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${whole(value)}</text>`,
  );
  return svg(label, width, height, [...grid, ...axis, ...drawn]);
}

function svg(label: string, width: number, height: number, body: readonly string[]): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label)}">${body.join('')}</svg>`;
}
