import { spawn, spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { rfcJson } from '../src/report/rfc-report.js';
import { isBuilt, program } from './built.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-hard-'));
afterAll(() => rmSync(directory, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a shell line in which `bench` is the built program. @param interruptAfter ms after which Ctrl-C is pressed, once for each */
function shell(line: string, ...interruptAfter: readonly number[]): Promise<Ended> {
  const bench = `bench() { ${interruptAfter.length > 0 ? 'exec ' : ''}"${process.execPath}" "${program}" "$@"; }`;
  const child = spawn('bash', ['-c', `set -o pipefail; ${bench}; ${line}`], { cwd: directory, detached: true });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (text: Buffer) => {
      texts[name] += text.toString();
    });
  }
  for (const after of interruptAfter) setTimeout(() => child.exitCode === null && process.kill(-(child.pid as number), 'SIGINT'), after);
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code: signal === 'SIGINT' ? 130 : code, ...texts })));
}

/** A file with a plugin whose setup is this. */
function plugin(name: string, setup: string): string {
  const text = `import { definePlugin } from '@rpal/bus';\nexport default definePlugin({ name: '${name}', version: '1.0.0', setup({ machine, bus, tap }: any) { ${setup} } });\n`;
  writeFileSync(join(directory, `${name}.ts`), text);
  return `./${name}.ts`;
}

const SHORT = 'bench rfc --phase epoll --messages 20';

describe.skipIf(!isBuilt())('the built program', { timeout: 60_000 }, () => {
  it.each([
    ['the standard output', `${SHORT} > /dev/full`, /^rpal-bench: the standard output could not be written: the disk is full\n$/],
    ['a file', `${SHORT} --json /dev/full`, /^rpal-bench: --json: "\/dev\/full" could not be written: the disk is full\n$/],
    ['a picture', `${SHORT} --svg /dev/full`, /^rpal-bench: --svg: "\/dev\/full" could not be written: the disk is full\n$/],
  ])('says so and fails where the disk is full: %s', async (_what, line, words) => {
    const { code, stderr } = await shell(line);
    expect(stderr).toMatch(words);
    expect(code).toBe(1);
  });

  it('is quiet about a reader that has left, and still writes its files', async () => {
    const { code, stderr } = await shell(`${SHORT} --json left.json | true`);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^epoll [\d,]+ cycles; wrote \S+left\.json\n$/)]);
    expect(rfcJson.parse(JSON.parse(readFileSync(join(directory, 'left.json'), 'utf8'))).complete).toBe(true);
  });

  it.each([
    [
      'exits',
      'process.exit(0);',
      /^rpal-bench: something in the program has ended it by process\.exit\(0\); a plugin may throw, but not end it\n$/,
    ],
    [
      'rejects a promise',
      "Promise.reject(new Error('of no use'));",
      /^rpal-bench: a promise was rejected, and nothing waits for it: of no use\n$/,
    ],
    ['throws later', "setTimeout(() => { throw new Error('too late'); }, 0);", /^rpal-bench: too late\n$/],
    [
      'has an observer that throws',
      "bus.events.syscallExit.on('watcher', () => { throw new Error('seen enough'); });",
      /watcher.*seen enough/,
    ],
  ])('fails in one line if a plugin %s', async (what, setup, words) => {
    const { code, stdout, stderr } = await shell(
      `bench rfc --phase epoll --messages 50000 --plugin ${plugin(what.replaceAll(' ', '-'), setup)}`,
    );
    expect(stderr).toMatch(words);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect([code, stdout]).toEqual([1, '']);
  });

  it.each([
    ['while it is set up', 'for (;;);', [1500]],
    ['while the machine runs, at the second Ctrl-C', "bus.events.syscallExit.on('loop', () => { for (;;); });", [1500, 2000]],
    ['while the machine runs, after a while', "bus.events.syscallExit.on('loop', () => { for (;;); });", [1500]],
  ])('ends at Ctrl-C although a plugin loops without end %s', async (_when, setup, interrupts) => {
    const began = performance.now();
    const { code, stdout, stderr } = await shell(`${SHORT} --plugin ${plugin('endless', setup)}`, ...interrupts);
    expect([code, stdout]).toEqual([130, '']);
    expect(stderr).toContain('rpal-bench: interrupted; nothing further was written\n');
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  it('ends at Ctrl-C although it waits for who reads from a pipe', async () => {
    spawnSync('mkfifo', [join(directory, 'unread')]);
    const { code } = await shell(`${SHORT} --json unread`, 2500);
    expect(code).toBe(130);
  });

  it('writes to a pipe that has a name, and through a link whose file is not there yet', async () => {
    spawnSync('mkfifo', [join(directory, 'pipe')]);
    expect((await shell(`cat pipe > copy.json & ${SHORT} --json pipe; wait`)).code).toBe(0);
    expect(rfcJson.parse(JSON.parse(readFileSync(join(directory, 'copy.json'), 'utf8'))).complete).toBe(true);
    symlinkSync('later.json', join(directory, 'link.json'));
    expect((await shell(`${SHORT} --json link.json`)).code).toBe(0);
    expect(lstatSync(join(directory, 'link.json')).isSymbolicLink()).toBe(true);
    expect(rfcJson.parse(JSON.parse(readFileSync(join(directory, 'later.json'), 'utf8'))).complete).toBe(true);
    expect((await shell(`${SHORT} --json /dev/stdout > both.txt`)).code).toBe(0);
    expect(readFileSync(join(directory, 'both.txt'), 'utf8')).toContain('"schema": "rpal-bench/rfc"');
  });
});

describe('outputs that cannot be', () => {
  const here = (name: string): string => join(directory, name);
  symlinkSync('circle', here('circle'));
  symlinkSync('same.svg', here('other.svg'));
  symlinkSync('no/where', here('astray'));

  it.each([
    [['rfc', '--json', here('one'), '--svg', here('one')], /--json and --svg are both to be written to .*one; name two files/],
    [['compare', '--json', here('same.svg'), '--svg', here('other.svg')], /--json and --svg are both to be written to .*same\.svg/],
    [['explain', 'rpal', '--html', here('x'), '--speedscope', here('x')], /--html and --speedscope are both to be written/],
    [
      ['rfc', '--json', here('circle')],
      /--json takes the name of a file that can be written; ".*circle" cannot: its links lead in a circle/,
    ],
    [['rfc', '--json', here('astray')], /".*astray" cannot: its directory does not exist/],
    [['report', '--out', here('report.pdf')], /--out takes the name of a page that ends in \.html/],
    [
      ['questions', '--report', here('report.pdf')],
      /--report takes the name of a page \(\.html\) or of Markdown \(\.md\); ".*report\.pdf" is neither/,
    ],
  ])('are refused before anything runs: %j', async (args, words) => {
    const { code, stdout, stderr } = await run(args);
    expect(stderr).toMatch(words);
    expect([code, stdout]).toEqual([2, '']);
  });
});

describe('a replay', () => {
  it.each([
    ['two-senders:repair=all:20=99', /at step 20 there is no choice 99; there are 0 \(CPU 0 steps\), 1 \(CPU 1 steps\)/],
    ['two-senders:repair=all:99999=1', /there is no step 99999: the run ends after \d+/],
  ])('of choices that are impossible is refused: %s', async (recording, words) => {
    const { code, stdout, stderr } = await run(['replay', recording]);
    expect(stderr).toMatch(words);
    expect([code, stdout]).toEqual([2, '']);
  });
});

describe('--seconds', () => {
  it('is the time of the whole search, whatever it consists of', { timeout: 60_000 }, async () => {
    const began = performance.now();
    const { stdout } = await run(['explore', 'two-senders', '--repair', 'all', '--runs', '1000000', '--seconds', '2']);
    const passed = performance.now() - began;
    expect(stdout).toMatch(/dpor: [\s\S]*\n {2}pct and random: .*the time was up/);
    expect(passed).toBeGreaterThan(1900);
    expect(passed).toBeLessThan(3500);
  });
});
