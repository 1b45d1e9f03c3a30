import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { minify } from '@swc/core';
import { rolldown } from 'rolldown';
import { beforeAll, describe, expect, it } from 'vitest';
import { examplesIn, readmeExampleModules } from '../../scripts/readme-modules.ts';
import { root } from './outside-project.ts';

/** Bytes of a kilobyte: what a network passes is counted by thousands. */
const KB = 1000;

/** The page is the first example of librpal's README: two processes, of which one calls the other. */
const README = join(root, 'packages/librpal/README.md');

describe('kernel, rpal-core and librpal in one bundle for a browser', () => {
  let code = '';
  /** Modules that the bundle could not take in. */
  const outside: string[] = [];
  /** The packages from the registry that it contains. */
  const foreign = new Set<string>();

  beforeAll(async () => {
    const bundle = await rolldown({
      input: `${README}.0.ts`,
      cwd: root,
      platform: 'browser',
      resolve: { conditionNames: ['@rpal/source', 'import', 'browser'] },
      external: (id) => {
        if (!id.startsWith('node:')) return false;
        outside.push(id);
        return true;
      },
      onLog(_level, { code: kind, message }) {
        if (kind === 'UNRESOLVED_IMPORT') outside.push(message);
      },
      plugins: [readmeExampleModules()],
    });
    const { output } = await bundle.generate({ format: 'iife', minify: { compress: true, mangle: false, codegen: false } });
    const minified = await minify(output[0].code, {
      compress: { ecma: 2022, passes: 3, toplevel: true },
      mangle: { toplevel: true },
      ecma: 2022,
    });
    code = minified.code;
    for (const id of output[0].moduleIds) {
      const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(id)?.[1];
      if (name !== undefined) foreign.add(name);
    }
  }, 120_000);

  it('is below 140 KB, compressed', () => {
    expect(code.length).toBeGreaterThan(100 * KB);
    expect(gzipSync(code, { level: 9 }).length).toBeLessThan(140 * KB);
  });

  it('imports nothing of Node', () => {
    expect(outside).toEqual([]);
  });

  it('carries nothing from the registry but the emitter of events, a schema library least of all', () => {
    expect([...foreign]).toEqual(['eventemitter3']);
  });

  it('runs where there is the language and a console, and prints what the README says', () => {
    const printed: string[] = [];
    const console = { log: (...words: unknown[]) => printed.push(words.join(' ')) };
    runInContext(code, createContext({ console }));
    expect(`${printed.join('\n')}\n`).toBe(examplesIn(README)[0]?.output);
  });
});
