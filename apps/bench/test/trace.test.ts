import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-trace-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('rpal-bench trace', () => {
  it.each([
    ['rpal.pftrace', 'ui.perfetto.dev'],
    ['rpal.txt', 'ftrace text'],
    ['rpal.json', 'www.speedscope.app'],
  ])('writes %s, and says what opens it', async (name, opens) => {
    const out = join(directory, name);
    const { code, stdout, stderr } = await run(['trace', 'rpal', '--messages', '2', '--out', out]);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toMatch(/^[\d,]+ events of [\d.]+ us; wrote /);
    expect(stderr).toContain(opens);
    expect(readFileSync(out).length).toBeGreaterThan(1000);
  });

  it('writes the same bytes each time', async () => {
    const [a, b] = ['a.pftrace', 'b.pftrace'].map((name) => join(directory, name)) as [string, string];
    for (const out of [a, b]) await run(['trace', 'unix', '--messages', '2', '--out', out]);
    expect(readFileSync(a)).toEqual(readFileSync(b));
  });

  it.each([
    [['pipe'], "required option '--out <file>' not specified"],
    [['pipe', '--out', 'trace'], '--out: the name of the file says the format'],
    [['pigeon', '--out', 'x.txt'], 'a mechanism is one of pipe, '],
    [['pipe', '--out', '/'], '--out'],
    [['signal', '--out', join(directory, 'x.txt')], 'signal takes messages of 1 to 4 bytes, not of 32'],
  ])('refuses %j with exit code 2', async (args, complaint) => {
    const { code, stderr } = await run(['trace', ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(complaint);
  });
});
