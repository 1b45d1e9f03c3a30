import { defineConfig } from 'vitest/config';
import { onBuiltPackages } from './scripts/built-packages.ts';
import { operations } from './vitest.base.ts';

export default defineConfig({
  test: {
    // All cores: vitest leaves one free for the work of whoever watches, and on two that is half of them.
    maxWorkers: '100%',
    reporters: ['default', './scripts/testing/skipped.ts'],
    projects: ['packages/*', 'plugins/*', 'apps/*', 'docs', 'apps/bench/vitest.alone.config.ts', ...(onBuiltPackages ? [] : [operations])],
  },
});
