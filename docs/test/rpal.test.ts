import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { patches, quirkNames, quirks } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { root } from './outside-project.ts';

const page = readFileSync(join(root, 'docs/rpal.md'), 'utf8');

/** What the page says of each patch, by its number. */
const paragraphs = page
  .split(/^### /m)
  .slice(1)
  .map((section) => {
    const [heading = '', ...rest] = section.split('\n');
    return { patch: Number(heading.slice(0, 2)), title: heading.slice(3), text: rest.join('\n').trim() };
  });

const linksIn = (text: string): string[] => [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, target]) => target as string);

/** Names as quirks have them: small words joined by dashes. */
const namesIn = (text: string): string[] => [...text.matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map(([, name]) => name as string);

/** The patches that a quirk's sentence names. */
const patchesOf = (name: keyof typeof quirks): number[] => {
  const [, numbers = ''] = /\(patch(?:es)? ([\d, ]+)\)$/.exec(quirks[name]) ?? [];
  return numbers.split(', ').map(Number);
};

describe('docs/rpal.md', () => {
  it('tells the life of a call in eight steps', () => {
    const [, life = ''] = page.split('## The life of one call, in eight steps');
    expect([...(life.split('\n## ')[0] ?? '').matchAll(/^(\d)\. /gm)].map(([, step]) => Number(step))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('has a paragraph for each of the 35 patches, under its title', () => {
    expect(paragraphs.map(({ patch, title }) => ({ patch, title }))).toEqual(patches.map(({ patch, title }) => ({ patch, title })));
    for (const { text } of paragraphs) expect(text.length).toBeGreaterThan(150);
  });

  it.each(paragraphs.map(({ patch, text }) => [patch, text] as const))('patch %i: links to its file', (patch, text) => {
    const file = patches[patch - 1]?.file ?? '';
    expect(linksIn(text).map((target) => target.replace('../packages/', '').replace('../', ''))).toContain(file);
  });

  it('links to what exists', () => {
    const gone = linksIn(page).filter((target) => !existsSync(join(root, 'docs', target)));
    expect(gone).toEqual([]);
  });

  it('names no quirk that there is not', () => {
    expect(namesIn(page).filter((name) => !(quirkNames as readonly string[]).includes(name) && name !== 'no-mpk')).toEqual([]);
  });

  it.each(quirkNames)('%s is named under a patch that has it', (name) => {
    const under = paragraphs.filter(({ text }) => namesIn(text).includes(name)).map(({ patch }) => patch);
    expect(under.length).toBeGreaterThan(0);
    expect(patchesOf(name)).toEqual(expect.arrayContaining(under));
  });
});
