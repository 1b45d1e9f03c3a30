import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { osJson } from '../src/os/os-command.js';
import { systems } from '../src/os/systems.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-os-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A system whose calls take as long as the costs are high, and whose reasons and titles are too long for a line. */
writeFileSync(
  join(directory, 'toy.ts'),
  `const origin = { source: 'a paper, table 1' };
const long = 'a sentence that goes on and on and on until it has become longer than any line of a terminal can be without a break';
export const toy = {
  name: 'toy',
  title: 'A toy that shows how a system is printed',
  mechanisms: [],
  experiments: [
    {
      name: 'calls',
      title: long,
      published: [
        { ...origin, kind: 'figure', id: 'T-1', what: 'a call on a machine with a very long name indeed', value: 1000, unit: 'cycles', within: 0.25, status: 'published' },
        { ...origin, kind: 'figure', id: 'T-2', what: 'messages', value: 3.42, unit: 'per kcycle', within: 0.25, status: 'recalled' },
        { ...origin, kind: 'law', id: 'T-3', what: 'order', value: long, status: 'recalled' },
      ],
      misses: { 'T-2': long },
      left: [long],
      run: ({ costs, seed }) => ({
        findings: [
          { id: 'T-1', here: { low: 800, central: 1100, high: 2000 }[costs] },
          { id: 'T-2', here: 7.125 },
          { id: 'T-3', here: 'seed ' + seed, holds: true },
        ],
        curves: [{ title: long, over: 'cores', names: ['shared', 'messages'], points: [{ at: 1, values: [30, null] }, { at: 16, values: [12000, 4000] }] }],
      }),
    },
  ],
};
export const again = { ...toy, name: 'again' };
export const other = 1;
`,
);

const TOY = './toy.ts#toy';

function os(...args: string[]) {
  return run(['os', ...args], undefined, directory);
}

describe('rpal-bench os', () => {
  it('prints what was published beside what came out, with the reason of a miss, within 80 columns', async () => {
    const { code, stdout, stderr } = await os(TOY);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^ {2}T-1 +a call on a machine with a +1,000 {3,}1,100 +1\.10 +within 25 %$/m);
    expect(stdout).toMatch(/^ {2}T-2 +messages, per kcycle +3\.42 r +7\.13 +2\.08 +misses, below$/m);
    expect(stdout).toMatch(/^ {2}T-3: order \(holds; recalled\)\n {4}published: a sentence/m);
    expect(stdout).toMatch(/^ {2}T-2: a sentence that goes on/m);
    expect(stdout).toMatch(/^ {2}cores +shared +messages\n {6}1 +30 +-\n {5}16 +12,000 +4,000$/m);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it('writes the same as JSON, whose command makes it again', async () => {
    const first = await os(TOY, '--costs', 'high', '--seed', '7', '--json', '-');
    const { data, settings, command } = osJson.parse(JSON.parse(first.stdout));
    expect(settings).toEqual({ system: 'toy', costs: 'high', seed: 7 });
    expect(data.experiments[0]?.rows).toMatchObject([
      { id: 'T-1', published: 1000, here: 2000, ratio: 2, verdict: 'misses', why: '' },
      { id: 'T-2', status: 'recalled', verdict: 'misses' },
      { id: 'T-3', unit: null, ratio: null, here: 'seed 7', verdict: 'holds' },
    ]);
    const words = command.replaceAll("'", '').split(' ').slice(3);
    expect((await os(...words, '--json', '-')).stdout).toBe(first.stdout);
  });

  it('says so if a row misses and nobody knows why', async () => {
    expect((await os(TOY, '--costs', 'high')).stdout).toMatch(/^ {2}T-1: no reason is known\.$/m);
  });

  it('lists the systems that come with it', async () => {
    const { code, stdout } = await os();
    expect([code, stdout.replace(/\n {4}/g, ' ')]).toEqual([
      0,
      systems.map(({ name, title }) => `  ${name.padEnd(16)}${title}\n`).join(''),
    ]);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(new Set(systems.map(({ name }) => name)).size).toBe(systems.length);
  });

  it('refuses what is no system', async () => {
    const complaint = async (...args: string[]): Promise<unknown[]> => {
      const { code, stderr } = await os(...args);
      return [code, stderr.replace('rpal-bench: ', '').trim()];
    };
    expect(await complaint('nosuch')).toEqual([2, expect.stringMatching(/^a system is one of .*; "nosuch" is none of them$/)]);
    expect(await complaint('./toy.ts')).toEqual([2, '"./toy.ts" exports again, toy; say which is meant, as in ./toy.ts#again']);
    expect(await complaint('./toy.ts#other')).toEqual([2, expect.stringMatching(/^"\.\/toy\.ts#other" exports no such system/)]);
    expect(await complaint('./none.ts')).toEqual([2, expect.stringContaining('there is no file')]);
  });
});
