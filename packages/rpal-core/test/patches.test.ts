import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { patchMutants } from '../../../scripts/patches/mutants.ts';
import { patches } from '../src/index.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** Rows of docs/patches.md: number of the patch, what it does, file, test, and the test that fails without it. */
const rows = readFileSync(join(root, 'packages/rpal-core/docs/patches.md'), 'utf8')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
  .filter((cells) => /^\d\d$/.test(cells[1] ?? ''))
  .map(([, patch, title = '', does = '', file = '', test = '', without = '']) => ({
    patch: Number(patch),
    title,
    does,
    file,
    test,
    without,
  }));

const place = (path: string): string => join(root, path.startsWith('plugins/') ? '' : 'packages', path);

describe('the table of the patches', () => {
  it('has a row for each of the 35, in order', () => {
    expect(rows.map(({ patch }) => patch)).toEqual(Array.from({ length: 35 }, (_, i) => i + 1));
  });

  it('is the same as data', () => {
    expect(patches).toEqual(rows.map(({ without: _, ...row }) => row));
  });

  it('says what fails without each: a test, or that it never ends', () => {
    for (const { patch, without } of rows) expect(without, `patch ${patch}`).toMatch(/ > |^out of time$/);
  });

  it.each(rows)('patch $patch: $file, $test', ({ file, test }) => {
    expect(existsSync(place(file))).toBe(true);
    expect(existsSync(place(test))).toBe(true);
  });

  // That the row's test then fails is shown by `pnpm patches`, which takes minutes.
  it.each(rows)('patch $patch can be taken out', ({ patch }) => {
    const found = patchMutants.filter((mutant) => mutant.patch === patch);
    expect(found).toHaveLength(1);
    for (const { file, text, without } of found) {
      expect(readFileSync(join(root, file), 'utf8').split(text)).toHaveLength(2);
      expect(without).not.toBe(text);
    }
  });
});
