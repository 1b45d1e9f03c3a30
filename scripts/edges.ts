import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';
import type { compareSeed } from '../packages/kernel/test/real/edge-run.ts';
import { resumedLog } from './json-lines.ts';

const USAGE = `usage: pnpm exec jiti scripts/edges.ts [CALLS] [--from SEED] [--log FILE]
Makes system calls with registers from the edges on the model and on the Linux at hand, 2,500 for each seed, until there are CALLS
in all (a million by default), and prints where the two differ, but for what packages/kernel/test/real/edge-listed.ts lists.
It wants a C compiler, and to be root: the calls are made in namespaces of their own.
  --from SEED    the first seed, 1 by default; each batch has the next one
  --log FILE     a line of JSON for each batch; those that are in it count, and are not run again: a run that was stopped goes on
Exit codes: 0 no difference, 1 differences, or the comparison cannot be made here, 2 wrong use.`;

/** Calls of one seed. */
const BATCH = 2500;

interface Line {
  readonly seed: number;
  readonly calls: number;
  readonly differences: readonly string[];
}

function refuse(text: string): never {
  console.error(`${text}\n${USAGE}`);
  process.exit(2);
}

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { from: { type: 'string', default: '1' }, log: { type: 'string' }, help: { type: 'boolean', default: false } },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const [calls = '1000000', ...rest] = positionals;
    for (const text of [calls, values.from]) if (!/^[1-9]\d{0,14}$/.test(text)) refuse(`"${text}" is no whole number from 1 on`);
    if (rest.length > 0) refuse(`"${rest.join(' ')}" is too much`);
    return { calls: Number(calls), from: Number(values.from), log: values.log };
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const SOURCES = fileURLToPath(new URL('../packages/kernel/test/real/', import.meta.url));

/** Model and comparison from their sources, in one module: that is several times as fast as to load each by itself. */
async function bundled(): Promise<{ readonly compareSeed: typeof compareSeed }> {
  const directory = mkdtempSync(join(tmpdir(), 'rpal-edges-'));
  try {
    const file = join(directory, 'edges.mjs');
    const bundle = await rolldown({
      input: join(SOURCES, 'edge-run.ts'),
      platform: 'node',
      resolve: { conditionNames: ['@rpal/source', 'import', 'node'] },
    });
    await bundle.write({ file, codeSplitting: false });
    await bundle.close();
    return await import(pathToFileURL(file).href);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const { calls: wanted, from, log } = options();
if (log !== undefined && !existsSync(dirname(log))) refuse(`--log: there is no directory ${dirname(log)}`);
const lines = log === undefined ? [] : resumedLog<Line>(log);
const done = new Set(lines.map(({ seed }) => seed));
let calls = lines.reduce((sum, line) => sum + line.calls, 0);

const run = await bundled();
for (let seed = from; calls < wanted; seed++) {
  if (done.has(seed)) continue;
  const result = await run.compareSeed(SOURCES, seed, BATCH);
  if (typeof result === 'string') {
    console.error(result);
    process.exit(1);
  }
  const line: Line = { seed, calls: BATCH, differences: result };
  lines.push(line);
  calls += BATCH;
  if (log !== undefined) appendFileSync(log, `${JSON.stringify(line)}\n`);
}
const differences = lines.flatMap(({ seed, differences: found }) => found.map((text) => `seed ${seed}: ${text}`));
console.log(`${calls} calls of ${lines.length} seeds, ${differences.length} differences`);
for (const text of differences) console.log(text);
process.exit(differences.length > 0 ? 1 : 0);
