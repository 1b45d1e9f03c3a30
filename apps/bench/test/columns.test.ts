import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { COLUMNS, folded, laidOut } from '../src/report/columns.js';
import { textTable } from '../src/report/text-table.js';
import { run } from './terminal.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'rpal-columns-'));
afterAll(() => rmSync(directory, { recursive: true }));
writeFileSync(join(directory, 'program.ts'), 'export default function* (p) { yield* p.pipe(); }\n');

/** A use of each command that prints what it has to print. */
const USES: Readonly<Record<string, string | null>> = {
  rfc: 'rfc --messages 50 --steps all',
  compare: 'compare --mechanism pipe,unix,rpal,dune --messages 10',
  explain: 'explain rpal',
  trace: `trace rpal --out ${join(directory, 'trace.pb')}`,
  mesh: 'mesh --requests 20',
  mpi: 'mpi --ranks 2,4 --size 64k',
  os: 'os exokernel',
  instructions: 'instructions --of pipe',
  sweep: 'sweep rfc messages=10 size=32,64,128,256 --dry-run',
  run: `run ${join(directory, 'program.ts')}`,
  questions: 'questions',
  question: 'question 7 --repair all',
  predict: 'predict --rounds 10',
  explore: 'explore return-interrupted --repair all --without 24',
  replay: 'replay return-interrupted:repair=all',
  'replay-strace': 'replay-strace apps/bench/test/traces/lua-files.strace',
  plugins: 'plugins',
  profile: 'profile',
  syscalls: 'syscalls',
  // These take a minute, a compiler, or a Redis.
  report: null,
  host: null,
  validate: null,
  calibrate: null,
  worker: null,
};

/** But for commands to be copied, which stay one line, and for the two lines that the RFC's program prints. */
const tooWide = (text: string): string[] =>
  text.split('\n').filter((line) => line.length > COLUMNS && !/^ *npx |^(EPOLL|RPAL): Message length/.test(line));

describe('80 columns', async () => {
  const { stdout: help } = await run(['--help']);
  const list = help.slice(help.indexOf('Commands:'));
  const commands = [...list.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => name as string);

  it('are kept by a use of every command', () => {
    expect(commands.sort()).toEqual(Object.keys(USES).sort());
  });

  it.each([['--help'], ['sweep run --help'], ['sweep script --help'], ...commands.map((name) => [`${name} --help`])])(
    'are enough for %s',
    async (line) => {
      const { code, stdout } = await run(line.split(' '));
      expect([code, tooWide(stdout)]).toEqual([0, []]);
    },
  );

  it.each(Object.values(USES).filter((use) => use !== null))('are enough for %s', { timeout: 120_000 }, async (line) => {
    const { code, stdout, stderr } = await run(line.split(' '), undefined, root);
    // A prediction, a question or a search may find what it is not to: that is a result, too. Wrong usage prints none.
    expect([0, 1], stderr).toContain(code);
    expect(stdout + stderr).not.toBe('');
    expect(tooWide(stdout)).toEqual([]);
  });
});

describe('text that is too wide', () => {
  const word = fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom(...'abcdefgh') });

  it('is folded without a word lost, added or broken', () => {
    fc.assert(
      fc.property(fc.nat(8), fc.array(word, { minLength: 1, maxLength: 60 }), (indent, words) => {
        const lines = folded(' '.repeat(indent) + words.join(' ')).split('\n');
        expect(lines.flatMap((line) => line.trim().split(' '))).toEqual(words);
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(COLUMNS);
      }),
    );
  });

  it('goes on further in, and not at all if it is to be copied', () => {
    expect(folded(`  ${'word '.repeat(20).trim()}`)).toBe(`  ${'word '.repeat(15).trim()}\n    ${'word '.repeat(5).trim()}`);
    expect(folded(`  npx rpal-bench ${'word '.repeat(20)}`)).toBe(`  npx rpal-bench ${'word '.repeat(20)}`);
  });

  it('in help is laid out by paragraphs and items', () => {
    const long = 'word '.repeat(20).trim();
    expect(laidOut(`Options:\n  -h  help\n\n${long}\nand on.\n\n  dpor  ${long}\n        and on\n  pct   short`)).toBe(
      `Options:\n  -h  help\n\n${'word '.repeat(16).trim()}\n${'word '.repeat(4)}and on.\n\n  dpor  ${'word '.repeat(14).trim()}\n        ${'word '.repeat(6)}and on\n  pct   short`,
    );
  });

  it('is wrapped within its column of a table, the widest first; figures are not', () => {
    const table = textTable(['name', 'figure', 'words'], [['one two', '1', 'word '.repeat(30).trim()]], [0, 2]);
    const lines = table.split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(COLUMNS);
    expect(lines[1]).toMatch(/^ {2}one two {7}1 {2}word word/);
    expect(table.match(/word\b/g)).toHaveLength(30);
  });
});
