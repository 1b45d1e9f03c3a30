import { defineConfig, type Options } from 'tsup';

/** The one build recipe: ES modules with declarations, nothing bundled that a package depends on. */
export function library(options: Partial<Options> = {}): ReturnType<typeof defineConfig> {
  return defineConfig({
    entry: ['src/index.ts'],
    format: 'esm',
    target: 'es2022',
    dts: true,
    clean: true,
    sourcemap: true,
    treeshake: true,
    ...options,
  });
}
