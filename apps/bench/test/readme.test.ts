import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { expectReadmeConsoles, words } from '../../../scripts/readme-console.ts';
import { run } from './terminal.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Runs `npm run bench -- OPTIONS` or `rpal-bench COMMAND OPTIONS` in the repository's root. */
async function output(command: string): Promise<string> {
  const line = command.replace(/^npm run bench(?: --)?/, 'rpal-bench rfc');
  const [program, ...args] = words(line);
  if (program !== 'rpal-bench') throw new Error(`"${command}" is no command whose output this test can make`);
  return (await run(args, undefined, root)).stdout;
}

describe('what the READMEs show', { timeout: 900_000 }, () => {
  it('is what the commands of the first page print, and its text says the same', async () => {
    const outputs = await expectReadmeConsoles(`${root}README.md`, output);
    const ratio = (row: string): string => new RegExp(`${row}.* ([\\d.]+) x`).exec([...outputs.values()].join('\n'))?.[1] ?? row;
    expect(readFileSync(`${root}README.md`, 'utf8')).toContain(
      `the advantage shrinks from ${ratio('one way')} times to ${ratio('full round trip')} times`,
    );
  });

  it('is what rpal-bench prints', async () => {
    await expectReadmeConsoles(`${root}apps/bench/README.md`, output);
  });
});
