import { COLUMNS, wrapped } from './columns.js';

/** What a column of words keeps in any case, characters. */
const LEAST = 16;
/** Between two columns, and before the first. */
const GAP = '  ';

/** A table of plain columns: those in `left` hold words, which are wrapped if it would be too wide, the others figures, to the right. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[], left: readonly number[] = [0]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ''))));
  // Columns of words give way, the widest first, and words are broken only if nothing else is left.
  const least = head.map((_, column) => Math.max(...all.map((row) => widthOf((row[column] ?? '').replaceAll(' ', '\n')))));
  for (let over = widths.reduce((sum, width) => sum + GAP.length + width, 0) - COLUMNS; over > 0; over--) {
    const whole = left.filter((column) => (widths[column] as number) > (least[column] as number));
    const narrowable = whole.length > 0 ? whole : left.filter((column) => (widths[column] as number) > LEAST);
    const [widest] = narrowable.sort((a, b) => (widths[b] as number) - (widths[a] as number));
    if (widest === undefined) break;
    widths[widest] = (widths[widest] as number) - 1;
  }
  return all.flatMap((row) => linesOf(row, widths, left)).join('\n');
}

/** The lines of a row, of which each cell may take several. */
function linesOf(row: readonly string[], widths: readonly number[], left: readonly number[]): string[] {
  const cells = widths.map((width, column) =>
    (row[column] ?? '')
      .split('\n')
      .flatMap((line) => wrapped(line, width))
      .flatMap((line) => pieces(line, width)),
  );
  const height = Math.max(...cells.map(({ length }) => length));
  return Array.from({ length: height }, (_, at) =>
    cells
      .map((lines, column) => {
        const text = lines[at] ?? '';
        const space = ' '.repeat(Math.max(0, (widths[column] as number) - widthOf(text)));
        return GAP + (left.includes(column) ? text + space : space + text);
      })
      .join('')
      .trimEnd(),
  );
}

/** A word that is longer than its column in several lines. */
function pieces(line: string, width: number): string[] {
  if (widthOf(line) <= width) return [line];
  return Array.from({ length: Math.ceil(line.length / width) }, (_, at) => line.slice(at * width, (at + 1) * width));
}

/** Of the longest line, without what only sets colours. */
function widthOf(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are set with.
  return Math.max(...text.split('\n').map((line) => line.replace(/\x1b\[[\d;]*m/g, '').length));
}

/** A bar of `width` characters at most, to eighths of one. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(share * width * 8);
  return '█'.repeat(eighths >> 3) + ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths & 7];
}
