import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig, type ViteUserConfig } from 'vitest/config';
import { builtPackages, innerTests, onBuiltPackages } from './scripts/built-packages.ts';
import { mutation } from './scripts/mutants/mutation.ts';
import { readmeExampleModules } from './scripts/readme-modules.ts';

const setup = fileURLToPath(new URL('scripts/testing/setup.ts', import.meta.url));

/** Tests that count operations: in processes of their own. */
const OPERATIONS = '**/*.operations.test.ts';
/** Tests that do not bear what other tests of their process have loaded: in processes of their own. */
const ALONE = 'test/**/*.alone.test.ts';

/** The one test recipe: on sources, without isolation (the packages keep no global state that tests could share). */
export function project(name: string): ViteUserConfig {
  return defineConfig({
    plugins: [mutation(), readmeExampleModules(), ...(onBuiltPackages ? [builtPackages()] : [])],
    ssr: { resolve: { conditions: [onBuiltPackages ? 'import' : '@rpal/source'] } },
    test: {
      name,
      include: ['test/**/*.test.ts'],
      exclude: [...configDefaults.exclude, OPERATIONS, ALONE, ...(onBuiltPackages ? innerTests(name) : [])],
      setupFiles: [setup],
      isolate: false,
      environment: 'node',
      // A time limit finds what hangs; busy computers take several times as long as quiet ones.
      testTimeout: 120_000,
      hookTimeout: 120_000,
      // Node loads what is built, as it will at the users'.
      server: { deps: { external: [/\/dist\/index\.js$/] } },
    },
  });
}

/** The same recipe with isolation, for the tests of one package that want it. */
export function alone(name: string): ViteUserConfig {
  const recipe = project(name);
  return { ...recipe, test: { ...recipe.test, name: `${name} alone`, include: [ALONE], exclude: configDefaults.exclude, isolate: true } };
}

/** The tests of all packages that count operations. */
export const operations: ViteUserConfig = {
  plugins: [mutation()],
  ssr: { resolve: { conditions: ['@rpal/source'] } },
  test: {
    name: 'operations',
    include: [OPERATIONS],
    setupFiles: [setup],
    environment: 'node',
    testTimeout: 120_000,
  },
};
