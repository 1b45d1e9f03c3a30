/** One line of a plot. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A line plot with a logarithmic x axis, and a y axis that is logarithmic if so asked. */
export interface Plot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly logarithmic?: boolean;
  readonly series: readonly Series[];
  /** How a value of the x axis is written. */
  readonly formatX: (x: number) => string;
}

const WIDTH = 760;
const HEIGHT = 440;
const LEFT = 70;
const RIGHT = 20;
const TOP = 50;
const BOTTOM = 60;
const COLOURS = ['#1f5fa8', '#b3541e', '#2e7d4f', '#7a3b8f'];

/** Draws a plot as an SVG document. */
export function svg({ title, xLabel, yLabel, logarithmic = false, series, formatX }: Plot): string {
  const xs = series.flatMap(({ points }) => points.map(([x]) => Math.log2(x)));
  const [from, to] = [Math.min(...xs), Math.max(...xs)];
  const ys = series.flatMap(({ points }) => points.map(([, y]) => y));
  const ticks = logarithmic ? powersOfTwo(Math.min(...ys), Math.max(...ys)) : evenSteps(Math.max(1, ...ys));
  const scale = logarithmic ? Math.log2 : (y: number): number => y;
  const bottom = scale(ticks[0] as number);
  const top = scale(ticks.at(-1) as number);
  const px = (x: number): number => LEFT + ((Math.log2(x) - from) / (to - from)) * (WIDTH - LEFT - RIGHT);
  const py = (y: number): number => HEIGHT - BOTTOM - ((scale(y) - bottom) / (top - bottom)) * (HEIGHT - TOP - BOTTOM);
  const parts: string[] = [];
  const text = (x: number, y: number, content: string, anchor = 'middle', extra = ''): void => {
    parts.push(`<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"${extra}>${escaped(content)}</text>`);
  };
  for (const y of ticks) {
    parts.push(`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(y).toFixed(1)}" y2="${py(y).toFixed(1)}" stroke="#ddd"/>`);
    text(LEFT - 8, py(y) + 4, String(Number(y.toFixed(6))), 'end');
  }
  for (let power = Math.ceil(from); power <= to; power += Math.max(1, Math.round((to - from) / 10))) {
    const x = 2 ** power;
    parts.push(`<line x1="${px(x).toFixed(1)}" x2="${px(x).toFixed(1)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="#eee"/>`);
    text(px(x), HEIGHT - BOTTOM + 18, formatX(x));
  }
  series.forEach(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length] as string;
    const path = points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(' ');
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const [x, y] of points) parts.push(`<circle cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="2.5" fill="${colour}"/>`);
    text(LEFT + 16, TOP + 16 + 18 * i, name, 'start', ` fill="${colour}"`);
  });
  text(WIDTH / 2, 26, title, 'middle', ' font-size="16"');
  text(WIDTH / 2, HEIGHT - 14, xLabel);
  text(18, HEIGHT / 2, yLabel, 'middle', ` transform="rotate(-90 18 ${HEIGHT / 2})"`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** 0 and up, in steps of 1, 2 or 5 times a power of ten. */
function evenSteps(highest: number): number[] {
  const least = highest / 6;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= least) as number) * power;
  return Array.from({ length: Math.ceil(highest / step) + 1 }, (_, i) => i * step);
}

function powersOfTwo(lowest: number, highest: number): number[] {
  const first = Math.floor(Math.log2(lowest));
  return Array.from({ length: Math.ceil(Math.log2(highest)) - first + 1 }, (_, i) => 2 ** (first + i));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
