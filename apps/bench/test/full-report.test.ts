import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { words } from '../../../scripts/readme-console.ts';
import { stream } from '../../../scripts/testing/draw.ts';
import { collect, type Findings } from '../src/full-report/collect.js';
import { reportPage } from '../src/full-report/page.js';
import { questions } from '../src/questions/index.js';
import { whole } from '../src/report/numbers.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-report-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Which figures are made again. */
const SEED = Number(process.env.RPAL_DRAW_SEED ?? 1);
const flat = (text: string): string => text.replace(/[\s|]+/g, ' ');
const plain = (text = ''): string =>
  text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

const EFFORT = { messages: 100, exchanges: 10, rounds: 10 };

describe('the report', () => {
  let found: Findings;
  let page = '';
  const told: [string, number, number][] = [];
  beforeAll(async () => {
    const findings = await collect(EFFORT, (phase, done, all) => told.push([phase, done, all]) > 0, questions.slice(0, 2));
    found = findings as Findings;
    page = reportPage(found, 'npx rpal-bench report');
  }, 600_000);

  it('needs nothing else: no script, no request, and is small enough to send', () => {
    expect(page).not.toMatch(/<script|<link|<img|\ssrc=|url\(|@import/);
    for (const [, target] of page.matchAll(/href="([^"]*)"/g)) expect(target).toMatch(/^#/);
    expect(page.length).toBeLessThan(1_500_000);
  });

  it('has a heading for everything that its list of contents leads to, and a label on every picture', () => {
    for (const [, id] of page.matchAll(/href="#([^"]*)"/g)) expect(page).toContain(`id="${id}"`);
    const pictures = page.match(/<svg /g) ?? [];
    expect(pictures.length).toBeGreaterThanOrEqual(5);
    expect(page.match(/<svg [^>]*aria-label="/g)).toHaveLength(pictures.length);
  });

  it('answers in the first paragraph with what was run', () => {
    const central = found.conditions.find(({ placement, idle }) => placement === 'same-socket' && idle === 'C1E')!;
    const [answer] = /<p class="answer">.*?<\/p>/.exec(page) as RegExpExecArray;
    expect(answer).toContain(`${whole(central.rpal)} cycles by RPAL`);
    expect(answer).toContain(`takes ${whole(central.epoll)}`);
    const ratios = found.conditions.map(({ epoll, rpal }) => epoll / rpal);
    expect(answer).toContain(`the gain is ${Math.min(...ratios).toFixed(1)} to ${Math.max(...ratios).toFixed(1)} times one way`);
  });

  it('shows figures that their commands make again: ten of them, drawn', { timeout: 240_000 }, async () => {
    const all = [...page.matchAll(/data-command="([^"]*)" data-says="([^"]*)"/g)].map(([, command, says]) => [plain(command), plain(says)]);
    const draw = stream(SEED);
    for (let i = 0; i < 10; i++) {
      const [command, says] = all.splice(draw(all.length), 1)[0] as [string, string];
      const { stdout } = await run(words(command).slice(2), undefined, directory);
      expect(flat(stdout), command).toContain(flat(says));
    }
    const { stdout } = await run([...words(found.together.command).slice(2), '--json', '-']);
    expect(JSON.parse(stdout).data.rows).toEqual(found.together.rows);
  });

  it('gives every command that makes a figure in a form that runs, and what it prints of it', () => {
    const commands = new Set([...page.matchAll(/data-command="([^"]*)"/g)].map(([, command]) => command as string));
    expect(commands.size).toBeGreaterThan(10);
    for (const command of commands) expect(command).toMatch(/^npx rpal-bench (rfc|compare|explain|mesh|predict|question) ?/);
    expect(page.match(/data-command="/g)).toHaveLength((page.match(/data-says="[^"]/g) ?? []).length);
  });

  it('answers what readers of the RFC ask first on its first two screens: sizes, handlers, a service mesh', () => {
    const first = [...page.matchAll(/<section aria-labelledby="([^"]*)"/g)].map(([, id]) => id);
    expect(first[0]).toBe('readers');
    const readers = page.slice(page.indexOf('id="readers"'), page.indexOf('id="conditions"'));
    for (const title of ['With larger messages?', 'With handlers that call the kernel?', 'In a service mesh?'])
      expect(readers).toContain(title);
    expect(readers).toMatch(/from [\d.]+ [KM]?i?B on a pipe takes fewer cycles/);
    const { claimedAt } = found.mesh;
    expect(readers).toContain(`handlers compute about ${claimedAt?.toFixed(0)} microseconds per request`);
  });

  it('sorts what the answer depends on, widest first, and each end is another answer', () => {
    const widths = found.sensitivities.map(({ low, high }) => Math.abs(high - low));
    expect(widths).toEqual([...widths].sort((a, b) => b - a));
    expect(widths[0]).toBeGreaterThan(1);
  });

  it('has a card for each question, which says whether a repair changes its verdict', () => {
    expect(page.match(/<li data-command="npx rpal-bench question /g)).toHaveLength(2);
    for (const { written, repaired } of found.asked) {
      expect(page).toContain(written.verdict.replaceAll('&', '&amp;').replaceAll("'", '&#39;').slice(0, 40).split('&')[0] as string);
      if (written.verdict !== repaired.verdict) expect(page).toContain('a repair changes it');
    }
  });

  it('tells how far it is, and stops when it is told to', async () => {
    const last = told.at(-1)!;
    expect(last[1]).toBeLessThan(last[2]);
    expect(told.every(([, done], index) => index === 0 || done >= told[index - 1]![1])).toBe(true);
    expect(await collect(EFFORT, () => false, [])).toBeNull();
  });
});

describe('rpal-bench report', () => {
  it.each([
    [['--out', 'report.pdf'], 'takes the name of a page that ends in .html'],
    [['--out', join(directory, 'nowhere', 'report.html')], 'its directory does not exist'],
    [[], "required option '--out <file>' not specified"],
    [['--out', 'x.html', '--messages', '1'], '--messages takes a whole number'],
  ])('refuses %j with exit code 2, before any work', async (args, complaint) => {
    const { code, stderr } = await run(['report', ...args], undefined, directory);
    expect([code, stderr]).toEqual([2, expect.stringContaining(complaint)]);
  });
});
