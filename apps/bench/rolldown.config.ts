import { constantBindings } from './constant-bindings.ts';
import { ownFields } from './own-fields.ts';
import { ownPackages } from './own-packages.ts';

/**
 * Each command as one module, the packages in it. What crosses a border between modules is looked up at each use, and in one
 * module it is a constant that V8 compiles in. Bundles without a chunk in common, for the same reason. Libraries are in them, too:
 * to find and open their hundred files took half of the time in which `rpal-bench --help` ends. Only jiti, which finds its compiler
 * beside itself, stays outside, and what keeps a queue, which few install.
 */
export default ['src/cli.ts', 'src/program.ts', 'src/perf.ts', 'src/range-worker.ts', 'src/sweep/sweep-thread.ts'].map((input) => ({
  input,
  platform: 'node',
  resolve: { conditionNames: ['@rpal/source', 'import', 'node'] },
  external: ['jiti', 'bullmq', 'ioredis'],
  plugins: [ownPackages(), ownFields(), constantBindings()],
  output: { dir: 'dist', format: 'esm', sourcemap: true, codeSplitting: false },
}));
