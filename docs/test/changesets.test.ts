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
  it('name released packages only, and say what changed', () => {
    const wrong = changesets.flatMap((name) => {
      const [, head = '', text = ''] = readFileSync(new URL(`.changeset/${name}`, ROOT), 'utf8').split(/^---$/m);
      const named = [...head.matchAll(/^["'](.+)["']: (?:major|minor|patch)$/gm)].map(([, of]) => of as string);
      return [
        ...(named.length === 0 ? [`${name} names no package`] : []),
        ...named.filter((of) => !released.has(of)).map((of) => `${name} names ${of}, which is not released`),
        ...(text.trim() === '' ? [`${name} says nothing`] : []),
      ];
    });
    expect(wrong).toEqual([]);
  });
});
