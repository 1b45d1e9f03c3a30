import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The rows of the Markdown table in the README of the package at `directory` whose heading row is `heading`, as text.
 * @throws Error if there is no such table
 */
export function readmeTable(directory: string, heading: readonly string[]): readonly (readonly string[])[] {
  const lines = readFileSync(join(directory, 'README.md'), 'utf8').split('\n');
  const cells = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const at = lines.findIndex((line) => line.startsWith('|') && cells(line).join('|') === heading.join('|'));
  if (at < 0) throw new Error(`${directory}/README.md has no table with the heading row | ${heading.join(' | ')} |`);
  const end = lines.findIndex((line, i) => i > at && !line.startsWith('|'));
  return lines.slice(at + 2, end < 0 ? undefined : end).map(cells);
}
