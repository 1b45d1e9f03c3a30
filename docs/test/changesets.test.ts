import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('../../', import.meta.url);

/** Names of the packages that are released. */
const released = new Set(
  ['packages', 'plugins', 'apps'].flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, ROOT))
      .map(
        (name) => JSON.parse(readFileSync(new URL(`${folder}/${name}/package.json`, ROOT), 'utf8')) as { name: string; private?: boolean },
      )
      .filter((manifest) => manifest.private !== true)
      .map(({ name }) => name),
  ),
);

const changesets = readdirSync(new URL('.changeset/', ROOT)).filter((name) => name.endsWith('.md') && name !== 'README.md');

// A changeset that names a package which is not released stops the whole release.
describe('changesets', () => {
  it.each(changesets)('%s names released packages only, and says what changed', (name) => {
    const [, head = '', text = ''] = readFileSync(new URL(`.changeset/${name}`, ROOT), 'utf8').split(/^---$/m);
    const named = [...head.matchAll(/^"(.+)": (major|minor|patch)$/gm)].map(([, of]) => of as string);
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((of) => !released.has(of))).toEqual([]);
    expect(text.trim()).not.toBe('');
  });
});
