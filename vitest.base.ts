import { fileURLToPath } from 'node:url';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { mutation } from './scripts/mutants/mutation.ts';
import { readmeExampleModules } from './scripts/readme-modules.ts';

/** The one test recipe: on sources, without isolation (the packages keep no global state that tests could share). */
export function project(name: string): ViteUserConfig {
  return defineConfig({
    plugins: [mutation(), readmeExampleModules()],
    ssr: { resolve: { conditions: ['@rpal/source'] } },
    test: {
      name,
      include: ['test/**/*.test.ts'],
      setupFiles: [fileURLToPath(new URL('scripts/testing/setup.ts', import.meta.url))],
      isolate: false,
      environment: 'node',
      testTimeout: 30_000,
    },
  });
}
