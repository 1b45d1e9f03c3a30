import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { apiReports } from '../api-report.ts';
import { attempt, root } from './outside-project.ts';

const folders = ['packages', 'plugins'].flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}`));
const fileOf = (folder: string): string => `${folder}/etc/${folder.split('/')[1]}.api.md`;

/** What packages change in the next release. */
const changesets = readdirSync(join(root, '.changeset')).map((name) => readFileSync(join(root, '.changeset', name), 'utf8'));

/** The commit that gave a package its version, or '' if the history does not say. */
function release(folder: string): string {
  return attempt('git', ['log', '-1', '--format=%H', '-G', '"version":', '--', `${folder}/package.json`], root).stdout.trim();
}

describe('what packages export', { timeout: 300_000 }, () => {
  const reports = apiReports(root, folders);

  it.each(folders)('%s: the report is as the sources are', async (folder) => {
    await expect(reports.get(folder)).toMatchFileSnapshot(
      join(root, fileOf(folder)),
      'stale: run `pnpm api`, look at the difference and commit it',
    );
  });

  it.each(folders)('%s: what is new since the last release has a changeset', (folder) => {
    const before = attempt('git', ['show', `${release(folder)}:${fileOf(folder)}`], root);
    const { name } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as { name: string };
    // The release had no report yet, or there is no history here.
    const changed = before.status === 0 && before.stdout !== readFileSync(join(root, fileOf(folder)), 'utf8');
    const told = changesets.some((text) => text.includes(`"${name}":`));
    expect(changed && !told ? `${name} exports something else than when it was released: run \`pnpm changeset\`` : '').toBe('');
  });
});
