import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { pluginSources, withPresentRanges } from '../../scripts/plugin-ranges.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = pluginSources(root);

describe('the versions that plugins require', () => {
  it('are looked for where plugins are', () => {
    expect(sources.map(({ file }) => file)).toEqual(
      expect.arrayContaining(['packages/rpal-core/src/plugin.ts', 'plugins/no-mpk/src/plugin.ts']),
    );
  });

  it.each(sources)(
    'in $file are those that are here; after `changeset version`, `pnpm plugin-ranges` writes them anew',
    async ({ file, text }) => {
      await expect(text).toMatchFileSnapshot(join(root, file));
    },
  );

  it('change for packages of this repository only', () => {
    const versions = new Map([['@rpal/kernel', '0.2.0']]);
    expect(withPresentRanges("requires: { '@rpal/kernel': '^0.1.0', other: '^0.1.0', '@rpal/theirs': '*' },", versions)).toBe(
      "requires: { '@rpal/kernel': '^0.2.0', other: '^0.1.0', '@rpal/theirs': '*' },",
    );
  });
});
