import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unusedExports } from '../../scripts/unused-exports.ts';
import { root } from './outside-project.ts';

/** A house of two packages, of which one uses the other. */
const FILES = {
  'packages/lower/package.json': '{ "name": "@rpal/lower" }',
  'packages/lower/src/index.ts': `
    export { Used, alone, inTypes, marked, meant, hidden, inValue, inBody } from './module.js';
    export type { Options, Later } from './module.js';`,
  'packages/lower/src/module.ts': `
    export interface Later {}
    export interface Options { readonly later: Later }
    export class inValue {}
    export class inBody {}
    export class Used {
      readonly made = new inValue();
      #own: inTypes | null = null;
      use(options: Options): void { new inBody(); }
    }
    export class inTypes {}
    export const alone = 1;
    /** @public */
    export const marked = 1;
    /** @public for plugins that count */
    export const meant = 1;
    /** @internal */
    export const hidden = 1;`,
  'packages/lower/test/lower.test.ts': "import { alone } from '@rpal/lower';",
  'packages/upper/package.json': '{ "name": "@rpal/upper" }',
  'packages/upper/src/index.ts': "import { type Used as Renamed } from '@rpal/lower';",
  'packages/upper/README.md': '',
};

describe('what packages export', () => {
  it('is used by somebody else, is in the signature of what is, or says what it is meant for', { timeout: 60_000 }, () => {
    const problem = 'take it off index.ts, or write "@public for ..." or "@internal" into its comment';
    expect(unusedExports(root), problem).toEqual([]);
  });
});

describe('an export that nobody uses', () => {
  let house = '';
  beforeAll(() => {
    house = mkdtempSync(join(tmpdir(), 'exports-'));
    for (const folder of ['plugins', 'apps', 'docs', 'scripts']) mkdirSync(join(house, folder));
    for (const [name, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(house, name)), { recursive: true });
      writeFileSync(join(house, name), text);
    }
  });
  afterAll(() => rmSync(house, { recursive: true }));

  it('is found, whatever its own tests do with it; bodies and private fields do not use it, nor does a mark without a purpose', () => {
    expect(unusedExports(house)).toEqual(['alone', 'inTypes', 'marked', 'inBody'].map((name) => `@rpal/lower: ${name}`));
  });

  it('is used by the example of a README', () => {
    writeFileSync(join(house, 'packages/lower/README.md'), "```ts\nimport { alone, type inBody } from '@rpal/lower';\n```\n");
    expect(unusedExports(house)).toEqual(['inTypes', 'marked'].map((name) => `@rpal/lower: ${name}`));
  });
});
