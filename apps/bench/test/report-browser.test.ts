import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AxeResults } from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect, type Findings } from '../src/full-report/collect.js';
import { reportPage } from '../src/full-report/page.js';
import { questions } from '../src/questions/index.js';

/** Where screenshots are kept, to be looked at; without it they are removed. */
const KEPT = process.env.RPAL_SCREENSHOTS;
const directory = KEPT ?? mkdtempSync(join(tmpdir(), 'rpal-pages-'));

const program = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0);
const missing = program === undefined ? 'there is no chromium: install one, such as with `apt install chromium`' : null;

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describe('the report in a browser', { timeout: 120_000 }, () => {
  let browser: Browser;
  const file = join(directory, 'report.html');
  beforeAll(async () => {
    if (missing !== null) return;
    const few = questions.slice(0, 3);
    const found = (await collect({ messages: 100, exchanges: 10, rounds: 10 }, () => true, few)) as Findings;
    writeFileSync(file, reportPage(found, 'npx rpal-bench report'));
    const path = spawnSync('which', [program as string], { encoding: 'utf8' }).stdout.trim();
    browser = await chromium.launch({ executablePath: path, args: ['--no-sandbox'] });
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    if (KEPT === undefined) rmSync(directory, { recursive: true });
  });

  interface View {
    readonly scheme: 'light' | 'dark';
    readonly width: number;
    readonly javaScript?: boolean;
  }

  /** The page, with what it said on the console and whom it asked for something. */
  async function opened({ scheme, width, javaScript = true }: View): Promise<{ page: Page; said: string[]; asked: string[] }> {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 900 }, javaScriptEnabled: javaScript });
    const page = await context.newPage();
    const [said, asked]: [string[], string[]] = [[], []];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', ({ message }) => said.push(message));
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(pathToFileURL(file).href);
    return { page, said, asked };
  }

  const views = (['light', 'dark'] as const).flatMap((scheme) => [390, 800, 1280].map((width) => ({ scheme, width })));

  it.for(views)('is quiet, asks for nothing, fits, and has nothing that axe objects to: $scheme, $width pixels', async (view, { skip }) => {
    if (missing !== null) skip(missing);
    const { page, said, asked } = await opened(view);
    await page.screenshot({ path: join(directory, `${view.scheme}-${view.width}.png`), fullPage: true });
    expect([said, asked]).toEqual([[], [pathToFileURL(file).href]]);
    // Wide tables and pictures are scrolled by themselves, not the page.
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(view.width);
    await page.evaluate(axe);
    const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join('; ')}`)).toEqual([]);
    await page.context().close();
  });

  it('has its answer and its chart on the first screen', async ({ skip }) => {
    if (missing !== null) skip(missing);
    const { page } = await opened({ scheme: 'light', width: 1280 });
    const bottom = async (what: string): Promise<number> => {
      const box = await page.locator(what).first().boundingBox();
      return (box?.y ?? Number.POSITIVE_INFINITY) + (box?.height ?? 0);
    };
    expect(await bottom('.answer')).toBeLessThan(450);
    expect(await bottom('figure svg')).toBeLessThan(900);
    expect(await bottom('section[aria-labelledby=readers] h3:last-of-type')).toBeLessThan(1800);
    await page.context().close();
  });

  it('is as complete without JavaScript', async ({ skip }) => {
    if (missing !== null) skip(missing);
    const texts = await Promise.all(
      [true, false].map(async (javaScript) => {
        const { page } = await opened({ scheme: 'light', width: 1280, javaScript });
        return await page.locator('main').textContent();
      }),
    );
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).toContain('What became of the series');
  });

  it('can be gone through by keyboard: each link, and each table or picture that can be scrolled', async ({ skip }) => {
    if (missing !== null) skip(missing);
    const { page } = await opened({ scheme: 'light', width: 390 });
    const wanted = await page.evaluate<number>(`
      [...document.querySelectorAll('*')].filter((element) => element.matches('a') ||
        (element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX === 'auto')).length`);
    const reached = new Set<number>();
    for (let i = 0; i < 300; i++) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate<number>("[...document.querySelectorAll('*')].indexOf(document.activeElement)");
      if (reached.has(at)) break;
      reached.add(at);
    }
    expect(reached.size).toBeGreaterThanOrEqual(wanted);
    expect(wanted).toBeGreaterThan(10);
    await page.context().close();
  });

  it('can be printed', async ({ skip }) => {
    if (missing !== null) skip(missing);
    const { page, said } = await opened({ scheme: 'dark', width: 1280 });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    await page.screenshot({ path: join(directory, 'print.png'), fullPage: true });
    // On paper it is black on white, whatever the screen was.
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)');
    const paper = await page.pdf({ path: join(directory, 'report.pdf'), format: 'A4' });
    expect(paper.length).toBeGreaterThan(20_000);
    expect(said).toEqual([]);
    await page.context().close();
  });
});
