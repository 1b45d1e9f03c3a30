import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { quirkNames } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { questions } from '../src/questions/index.js';

const file = fileURLToPath(new URL('../../../packages/explore/docs/findings.md', import.meta.url));
const page = readFileSync(file, 'utf8');
const HEADING = '## What has changed since the first edition';

const namesIn = (text: string): string[] => [...text.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name as string);

/** The page with the answers and the defects of today. What the first edition said is history, and stays. */
function renewed(): string {
  const at = page.indexOf(HEADING);
  const [section = '', ...rest] = page.slice(at).split(/(?=\n## )/);
  const known = namesIn(/^Known then: (.*)$/m.exec(section)?.[1] ?? '');
  const lines = section.split('\n').map((line) => {
    const [, number, first] = /^\| (\d+) \| (.*?) \| /.exec(line) ?? [];
    const question = questions[Number(number) - 1];
    if (question !== undefined) return `| ${number} | ${first} | ${question.ask({}).verdict} |`;
    if (!line.startsWith('New since then: ')) return line;
    const fresh = quirkNames.filter((name) => !known.includes(name));
    return `New since then: ${fresh.map((name) => `\`${name}\``).join(', ')}.`;
  });
  return page.slice(0, at) + [lines.join('\n'), ...rest].join('');
}

describe('what has changed since the first edition', () => {
  it('is said with the answers of today', async () => {
    await expect(renewed()).toMatchFileSnapshot(file, 'stale: run `vitest run --project bench what-changed --update` and commit');
  });

  it('names questions whose answers are others now', () => {
    const rows = [...page.slice(page.indexOf(HEADING)).matchAll(/^\| \d+ \| (.*?) \| (.*?) \|$/gm)];
    expect(rows.length).toBeGreaterThan(0);
    for (const [, first, now] of rows) expect(now).not.toBe(first);
  });

  it('knows every defect that was known then', () => {
    const known = namesIn(/^Known then: (.*)$/m.exec(page)?.[1] ?? '');
    expect(known).toHaveLength(28);
    expect(quirkNames).toEqual(expect.arrayContaining(known));
  });
});
