import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { droppedResults } from '../example-results.ts';
import { attempt, root } from './outside-project.ts';

const withExamples = attempt('git', ['ls-files', '*.md'], root)
  .stdout.split('\n')
  .filter((name) => /README\.md$|^docs\//.test(name))
  .map((name) => join(root, name));

const fence = '```';
// Beside the page, as an example finds its packages from where it stands.
const folder = mkdtempSync(join(root, 'docs/node_modules/.examples-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the examples of the documentation', { timeout: 120_000 }, () => {
  it('look at what each call returned, and a call whose result nobody looks at is found', () => {
    const careless = join(folder, 'README.md');
    const body = `import type { Program } from '@rpal/kernel';\nexport function* main(p: Program) {\n  yield* p.close(3);\n  yield* p.sleep(1);\n  yield* p.store64(8, 1);\n  const fd = yield* p.dup(0);\n  return fd;\n}\n`;
    writeFileSync(careless, `# One\n\n${fence}ts\n${body}${fence}\n`);
    expect(withExamples.length).toBeGreaterThan(20);
    expect(droppedResults(root, [...withExamples, careless])).toEqual([`${careless.slice(root.length)}:6 yield* p.close(3)`]);
  });
});
