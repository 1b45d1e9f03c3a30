import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-speedscope-'));
const program = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0);
const missing = program === undefined ? 'there is no chromium: install one, such as with `apt install chromium`' : null;

/** The page of speedscope's package, which opens files from the disk. */
const page = join(dirname(createRequire(import.meta.url).resolve('speedscope/package.json')), 'dist', 'release', 'index.html');

describe('a trace in speedscope itself', { timeout: 120_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    if (missing !== null) return;
    const path = spawnSync('which', [program as string], { encoding: 'utf8' }).stdout.trim();
    browser = await chromium.launch({ executablePath: path, args: ['--no-sandbox'] });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    rmSync(directory, { recursive: true });
  });

  /** What speedscope shows of a file: its title, and the name of the first profile; or what it complains about. */
  async function shown(name: string, text: string): Promise<{ title: string; body: string; errors: string[] }> {
    const local = join(directory, `${name}.js`);
    // As the command `speedscope` hands a file to its page.
    writeFileSync(local, `speedscope.loadFileFromBase64(${JSON.stringify(name)}, ${JSON.stringify(Buffer.from(text).toString('base64'))})`);
    const context = await browser.newContext();
    const tab = await context.newPage();
    const errors: string[] = [];
    tab.on('pageerror', ({ message }) => errors.push(message));
    await tab.goto(`${pathToFileURL(page).href}#localProfilePath=${local}`);
    await tab.waitForFunction('/Time Order|Something went wrong/.test(document.body.innerText)');
    const found = { title: await tab.title(), body: await tab.evaluate<string>('document.body.innerText'), errors };
    await context.close();
    return found;
  }

  it('is drawn, with a profile for each CPU', async ({ skip }) => {
    if (missing !== null) skip(missing);
    const out = join(directory, 'rpal.json');
    expect((await run(['trace', 'rpal', '--messages', '2', '--out', out])).code).toBe(0);
    const { title, body, errors } = await shown('rpal.json', readFileSync(out, 'utf8'));
    expect(errors).toEqual([]);
    expect(title).toMatch(/^RPAL calls that carry their words, same-socket - speedscope$/);
    expect(body).toMatch(/CPU 0\s*\(1\/\d+\)/);
  });

  it('and the waterfall of a message, too; what is broken it complains about', async ({ skip }) => {
    if (missing !== null) skip(missing);
    const out = join(directory, 'explain.json');
    expect((await run(['explain', 'unix', '--speedscope', out])).code).toBe(0);
    const text = readFileSync(out, 'utf8');
    expect((await shown('explain.json', text)).errors).toEqual([]);
    const file = JSON.parse(text) as { profiles: { events: { at: number }[] }[] };
    file.profiles[0]?.events.reverse();
    const broken = await shown('broken.json', JSON.stringify(file));
    expect(`${broken.body} ${broken.errors.join()}`).toContain('Something went wrong');
  });
});
