import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { expectReadmeConsoles, words } from '../../../scripts/readme-console.ts';
import { run } from './terminal.js';

const docs = fileURLToPath(new URL('../../../docs', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'rpal-tour-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** The command that draws each picture of the tour. */
const PICTURES = {
  'compare.svg': 'compare --mechanism pipe,unix,futex,spin,rpal,call',
  'unix.svg': 'explain unix --after 10',
  'rpal.svg': 'explain rpal --after 10',
  'sizes.svg': 'compare --mechanism pipe,unix,rpal,rpal-reference --size 32,256,1k,4k --placement same-cpu',
} as const;

describe('the tour', { timeout: 300_000 }, () => {
  it('shows what its commands print', async () => {
    await expectReadmeConsoles(join(docs, 'tour.md'), async (command) => {
      const [npx, program, ...args] = words(command);
      expect([npx, program]).toEqual(['npx', 'rpal-bench']);
      return (await run(args)).stdout;
    });
  });

  it.each(Object.entries(PICTURES))('has the picture that its command draws: %s', async (name, command) => {
    const file = join(directory, name);
    const { code } = await run([...command.split(' '), '--svg', file]);
    expect(code).toBe(0);
    expect(readFileSync(join(docs, 'tour.md'), 'utf8')).toContain(`(tour/${name})`);
    await expect(readFileSync(file, 'utf8')).toMatchFileSnapshot(join(docs, 'tour', name), 'a picture is stale: run `pnpm readmes`');
  });
});
