import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { apiReports } from '../api-report.ts';
import { toldReport } from '../api-told.ts';
import { membersIn, root } from './outside-project.ts';

const folders = membersIn('packages', 'plugins');
const changesets = readdirSync(join(root, '.changeset'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => ({ name, text: readFileSync(join(root, '.changeset', name), 'utf8') }));

describe('what packages export', { timeout: 300_000 }, () => {
  const reports = apiReports(root, folders);

  it.each(folders)('%s: the report is as the sources are, and a changeset tells of its last change', async (folder) => {
    const file = join(root, folder, 'etc', `${folder.split('/')[1]}.api.md`);
    const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const { name } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as { name: string };
    await expect(toldReport(name, reports.get(folder) as string, before, changesets)).toMatchFileSnapshot(
      file,
      'stale: run `pnpm api`, look at the difference and commit it',
    );
  });
});

describe('a change of a report', () => {
  const first = { name: 'first.md', text: '---\n"@rpal/a": minor\n---\n\nNew: one.\n' };
  const other = { name: 'other.md', text: "---\n'@rpal/ab': minor\n---\n\nNew: two.\n" };
  const one = toldReport('@rpal/a', 'one\n', '', [first]);

  it('needs a changeset of that package', () => {
    expect(() => toldReport('@rpal/a', 'two\n', one, [first])).toThrow('no changeset tells of it');
    expect(() => toldReport('@rpal/a', 'two\n', one, [first, other])).toThrow('no changeset tells of it');
    expect(toldReport('@rpal/a', 'two\n', one, [first, { ...other, text: other.text.replace('ab', 'a') }])).toMatch(/^<!-- .* -->\ntwo\n$/);
  });

  it('needs another one, or more in the same, for the change after that', () => {
    const two = toldReport('@rpal/a', 'two\n', one, [{ ...first, text: `${first.text}And two.\n` }]);
    expect(() => toldReport('@rpal/a', 'three\n', two, [{ ...first, text: `${first.text}And two.\n` }])).toThrow('no changeset');
    expect(toldReport('@rpal/a', 'three\n', two, [first, { ...first, name: 'third.md' }])).toContain('three');
  });

  it('needs one after a release, too, which takes all changesets away; a release itself is no change', () => {
    expect(toldReport('@rpal/a', 'one\n', one, [])).toBe(one);
    expect(() => toldReport('@rpal/a', 'two\n', one, [])).toThrow('no changeset');
  });

  it('is seen also where only the text was merged', () => {
    expect(() => toldReport('@rpal/a', 'two\n', one.replace('one\n', 'two\n'), [first])).toThrow('no changeset');
  });
});
