import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig, type ViteUserConfig } from 'vitest/config';
import { builtPackages, innerTests, onBuiltPackages } from './scripts/built-packages.ts';
import { mutation } from './scripts/mutants/mutation.ts';
import { readmeExampleModules } from './scripts/readme-modules.ts';

/** The one test recipe: on sources, without isolation (the packages keep no global state that tests could share). */
export function project(name: string): ViteUserConfig {
  return defineConfig({
    plugins: [mutation(), readmeExampleModules(), ...(onBuiltPackages ? [builtPackages()] : [])],
    ssr: { resolve: { conditions: [onBuiltPackages ? 'import' : '@rpal/source'] } },
    test: {
      name,
      include: ['test/**/*.test.ts'],
      exclude: [...configDefaults.exclude, ...(onBuiltPackages ? innerTests(name) : [])],
      setupFiles: [fileURLToPath(new URL('scripts/testing/setup.ts', import.meta.url))],
      isolate: false,
      environment: 'node',
      testTimeout: 30_000,
      // Node loads what is built, as it will at the users'.
      server: { deps: { external: [/\/dist\/index\.js$/] } },
    },
  });
}
