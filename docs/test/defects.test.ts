import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './outside-project.ts';

const page = readFileSync(join(root, 'docs/defects.md'), 'utf8');
const rows = page.split('\n').filter((line) => /^\| D\d/.test(line));
const named = [...page.matchAll(/`([\w/.-]+\.test\.ts)`(?:: ([^|;]+?))?(?=;| \||,|\.| says)/g)];

it('each defect has a test, and what was looked for beside it; all tests that the page names are there', () => {
  expect(rows.map((row) => /^\| (D\d+):/.exec(row)?.[1])).toEqual(Array.from({ length: 12 }, (_, i) => `D${i + 1}`));
  for (const row of rows)
    expect(
      row
        .split('|')
        .slice(2, 4)
        .every((cell) => cell.includes('.test.ts')),
    ).toBe(true);
  const missing = named.filter(([, file, title]) => {
    const path = join(root, file as string);
    return !existsSync(path) || (title !== undefined && !readFileSync(path, 'utf8').includes(title));
  });
  expect(missing.map(([whole]) => whole)).toEqual([]);
  expect(named.length).toBeGreaterThan(30);
});
