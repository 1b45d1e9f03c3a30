import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

/** A Markdown table: its heading row, by which it is found, and what the rows below must be. */
export interface ReadmeTable {
  readonly heading: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/**
 * Expects tables of a package's README to show what has just been computed; with `--update` the README is written anew.
 * Give all tables of a README at once.
 * @param testFile `import.meta.url` of a test file in the package's `test` directory
 */
export async function expectReadmeTables(testFile: string, ...tables: readonly ReadmeTable[]): Promise<void> {
  await expectTables(fileURLToPath(new URL('../README.md', testFile)), ...tables);
}

/** As `expectReadmeTables`, of any page. @param page its path */
export async function expectTables(page: string, ...tables: readonly ReadmeTable[]): Promise<void> {
  const lines = readFileSync(page, 'utf8').split('\n');
  for (const { heading, rows } of tables) {
    const at = lines.indexOf(line(heading));
    if (at < 0) throw new Error(`${page} has no table with the heading row ${line(heading)}`);
    let end = at + 2;
    while (lines[end]?.startsWith('|')) end++;
    lines.splice(at + 2, end - at - 2, ...rows.map(line));
  }
  await expect(lines.join('\n')).toMatchFileSnapshot(page, 'a table is stale: run `pnpm readmes`, look at the difference and commit it');
}

function line(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}
