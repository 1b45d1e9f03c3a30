import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './outside-project.ts';

const HEADING = '| Package | What it is | Folders |\n|---|---|---|\n';

interface Member {
  readonly name: string;
  readonly path: string;
  readonly description: string;
  readonly dependencies: readonly string[];
}

const members: readonly Member[] = ['packages', 'plugins', 'apps'].flatMap((group) =>
  readdirSync(join(root, group)).map((entry) => {
    const manifest = JSON.parse(readFileSync(join(root, group, entry, 'package.json'), 'utf8'));
    const { name, description, dependencies = {} } = manifest;
    return { path: `${group}/${entry}`, name, description, dependencies: Object.keys(dependencies) };
  }),
);

/** Each member behind all that it depends on. */
function inOrder(): Member[] {
  const done: Member[] = [];
  const visit = (member: Member): void => {
    if (done.includes(member)) return;
    for (const { name } of members.filter((other) => member.dependencies.includes(other.name))) {
      visit(members.find((other) => other.name === name) as Member);
    }
    done.push(member);
  };
  for (const member of members) visit(member);
  return done;
}

function row({ name, path, description }: Member): string {
  const src = join(root, path, 'src');
  const folders = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return `| [${name}](../${path}) | ${description} | ${folders
    .map((folder) => folder.name)
    .sort()
    .join(', ')} |\n`;
}

describe('docs/house.md', () => {
  const file = join(root, 'docs/house.md');

  it('shows the packages and their folders as they are', async () => {
    const text = readFileSync(file, 'utf8');
    const start = text.indexOf(HEADING) + HEADING.length;
    const end = text.indexOf('\n\n', start - 1) + 1;
    expect(start).toBeGreaterThan(HEADING.length);
    const table = inOrder().map(row).join('');
    await expect(text.slice(0, start) + table + text.slice(end)).toMatchFileSnapshot(file, 'stale: run `pnpm readmes` and commit');
  });

  it('answers ten questions', () => {
    const questions = [...readFileSync(file, 'utf8').matchAll(/^\| [^|]+\? \| \[/gm)];
    expect(questions).toHaveLength(10);
  });
});

describe('the pages in docs', () => {
  it.each(readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')))('%s leads to files that exist', (name) => {
    const file = join(root, 'docs', name);
    const links = [...readFileSync(file, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link]) => link as string);
    expect(links.filter((link) => !existsSync(join(dirname(file), link)))).toEqual([]);
  });
});
