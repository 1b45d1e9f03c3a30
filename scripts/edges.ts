import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandLine } from './command-line.ts';
import { bundled, SeedLog, wanted } from './seeds.ts';

const USAGE = `usage: pnpm exec jiti scripts/edges.ts [CALLS] [--from SEED] [--log FILE]
Makes system calls with registers from the edges on the model and on the Linux at hand, up to eight in a process, until CALLS have been
compared (a million by default), and prints where the two differ. Calls that packages/kernel/test/real/edge-listed.ts lists are not counted.
It wants a C compiler, and to be root: the calls are made in namespaces of their own.
  --from SEED    the first seed, 1 by default; each batch has the next one
  --log FILE     a line of JSON for each batch; those that are in it count, and are not run again: a run that was stopped goes on
Exit codes: 0 no difference, 1 differences, or the comparison cannot be made here, 2 wrong use.`;

/** Calls drawn for one seed. */
const BATCH = 10_000;

interface Line {
  readonly seed: number;
  readonly calls: number;
  readonly listed: number;
  readonly differences: readonly string[];
}

const { values, positionals } = commandLine(USAGE, { from: { type: 'string', default: '1' }, log: { type: 'string' } });
const { amount, from } = wanted(USAGE, positionals, values.from, '1000000');
const log = new SeedLog<Line>(USAGE, values.log);
const { lines } = log;
let calls = lines.reduce((sum, line) => sum + line.calls, 0);

const sources = fileURLToPath(new URL('../packages/kernel/test/real/', import.meta.url));
const { compareSeed } = await bundled<typeof import('../packages/kernel/test/real/edge-run.ts')>(join(sources, 'edge-run.ts'));
for (let seed = from; calls < amount; seed++) {
  if (log.has(seed)) continue;
  const result = await compareSeed(seed, BATCH, sources);
  if (typeof result === 'string') {
    console.error(result);
    process.exit(1);
  }
  log.add({ seed, ...result });
  calls += result.calls;
}
const differences = lines.flatMap(({ seed, differences: found }) => found.map((text) => `seed ${seed}: ${text}`));
const listed = lines.reduce((sum, line) => sum + line.listed, 0);
console.log(
  `${calls} calls of ${lines.length} seeds, ${differences.length} differences; ${listed} further calls are of what is known to differ`,
);
for (const text of differences) console.log(text);
process.exit(differences.length > 0 ? 1 : 0);
