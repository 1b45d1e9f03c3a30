import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Tests run on the packages as they are published, and not on their sources: `npm run test:built`. */
export const onBuiltPackages: boolean = process.env.RPAL_TEST === 'built';

/** What a test imports as its own package's `src/index` is the built module. Others come as `@rpal/NAME`, by their manifests. */
export function builtPackages() {
  return {
    name: 'built-packages',
    enforce: 'pre' as const,
    resolveId(id: string, importer: string | undefined) {
      if (importer === undefined || !/^\.\..*\/src\/index\.[jt]s$/.test(id)) return undefined;
      const built = resolve(dirname(importer), id.replace(/src\/index\.[jt]s$/, 'dist/index.js'));
      return existsSync(built) ? built : undefined;
    },
  };
}

/**
 * The test files of a package that look at modules which it does not export: there is nothing built to run them on.
 * @param name the package's folder in `packages` or `plugins`; another folder's tests run sources, on built packages
 * @returns paths from there
 */
export function innerTests(name: string): string[] {
  const tests = ['packages', 'plugins'].map((group) => join(ROOT, group, name, 'test')).find((directory) => existsSync(directory));
  if (tests === undefined) return [];
  const texts = new Map(
    readdirSync(tests)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => [name, readFileSync(join(tests, name), 'utf8')]),
  );
  const inner = new Set<string>();
  for (let before = -1; before < inner.size; ) {
    before = inner.size;
    for (const [name, text] of texts) {
      const helpers = [...text.matchAll(/from '\.\/(.+)\.[jt]s'/g)].map(([, helper]) => `${helper}.ts`);
      if (/import (?!type)[^;]*from '\.\.\/src\/(?!index\.)/.test(text) || helpers.some((helper) => inner.has(helper))) inner.add(name);
    }
  }
  return [...inner].filter((name) => name.endsWith('.test.ts')).map((name) => `test/${name}`);
}
