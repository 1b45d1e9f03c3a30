import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect, type Findings } from '../src/full-report/collect.js';
import { reportPage } from '../src/full-report/page.js';
import { questions } from '../src/questions/index.js';
import { whole } from '../src/report/numbers.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-report-'));
afterAll(() => rmSync(directory, { recursive: true }));

const EFFORT = { messages: 100, exchanges: 10, rounds: 10 };

describe('the report', () => {
  let found: Findings;
  let page = '';
  const told: [string, number, number][] = [];
  beforeAll(async () => {
    const findings = await collect(EFFORT, (phase, done, all) => told.push([phase, done, all]) > 0, questions.slice(0, 2));
    found = findings as Findings;
    page = reportPage(found, 'npx rpal-bench report');
  }, 120_000);

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

  it('shows figures that their commands make again', async () => {
    for (const { command, epoll, rpal } of found.conditions.slice(0, 3)) {
      const { code, stdout } = await run(command.split(' ').slice(2));
      expect(code).toBe(0);
      const averages = [...stdout.matchAll(/Average latency: (\d+) cycles/g)].map(([, cycles]) => Number(cycles));
      expect(averages).toEqual([Math.trunc(epoll), Math.trunc(rpal)]);
    }
    const { stdout } = await run([...found.together.command.split(' ').slice(2), '--json', '-']);
    expect(JSON.parse(stdout).data.rows).toEqual(found.together.rows);
  });

  it('gives every command that makes a figure in a form that runs', () => {
    const commands = new Set([...page.matchAll(/data-command="([^"]*)"/g)].map(([, command]) => command as string));
    expect(commands.size).toBeGreaterThan(10);
    for (const command of commands) expect(command).toMatch(/^npx rpal-bench (rfc|compare|explain|predict|question) ?/);
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
