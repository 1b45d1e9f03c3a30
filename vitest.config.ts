import { defineConfig } from 'vitest/config';
import { onBuiltPackages } from './scripts/built-packages.ts';
import { operations } from './vitest.base.ts';

export default defineConfig({
  test: {
    projects: ['packages/*', 'plugins/*', 'apps/*', 'docs', 'apps/bench/vitest.alone.config.ts', ...(onBuiltPackages ? [] : [operations])],
  },
});
