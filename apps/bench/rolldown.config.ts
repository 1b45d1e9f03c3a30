import { ownFields } from './own-fields.ts';
import { ownPackages } from './own-packages.ts';
import manifest from './package.json' with { type: 'json' };

/**
 * Each command as one module, the packages in it. What crosses a border between modules is looked up at each use, and in one
 * module it is a constant that V8 compiles in. Two bundles without a chunk in common, for the same reason.
 */
export default ['src/cli.ts', 'src/perf.ts', 'src/sweep/worker.ts'].map((input) => ({
  input,
  platform: 'node',
  resolve: { conditionNames: ['@rpal/source', 'import', 'node'] },
  external: Object.keys(manifest.dependencies).filter((name) => !name.startsWith('@rpal/')),
  plugins: [ownPackages(), ownFields()],
  output: { dir: 'dist', format: 'esm', sourcemap: true, codeSplitting: false },
}));
