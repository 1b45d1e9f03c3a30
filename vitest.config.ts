import { defineConfig } from 'vitest/config';
import { onBuiltPackages } from './scripts/built-packages.ts';
import { operations } from './vitest.base.ts';

export default defineConfig({
  test: { projects: ['packages/*', 'plugins/*', 'apps/*', 'docs', ...(onBuiltPackages ? [] : [operations])] },
});
