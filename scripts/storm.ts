import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';
import type { StormResult, storm } from '../packages/explore/src/index.ts';
import { type QuirkName, quirkNames } from '../packages/rpal-core/src/quirks.ts';
import { resumedLog } from './json-lines.ts';

const USAGE = `usage: pnpm storm [STEPS] [--from SEED] [--log FILE] [--repair NAMES]
Runs storms of the explorer, of some 10,000 steps each, until there are STEPS in all (ten million by default), and says what they came to.
  --from SEED    the first seed, 1000 by default; each storm has the next one
  --log FILE     a line of JSON for each storm; those that are in it count, and are not run again: a run that was stopped goes on,
                 and runs with other seeds, of other computers, can be put together in one file
  --repair NAMES defects of the series to repair, with commas; all (the default): a storm that fails is a mistake of the model; none: as written
Exit codes: 0 done, 1 a storm with everything repaired has failed, 2 wrong use.`;

/** Steps after which a storm begins nothing new. */
const LENGTH = 10_000;
/** How many failures are printed. */
const SHOWN = 20;

interface Line extends StormResult {
  readonly seed: number;
  /** As it was asked for. */
  readonly repair: string;
}

/** The names that `--repair` means. */
function repairOf(text: string): readonly QuirkName[] {
  if (text === 'all') return quirkNames;
  return text === 'none' ? [] : (text.split(',') as QuirkName[]);
}

function refuse(text: string): never {
  console.error(`${text}\n${USAGE}`);
  process.exit(2);
}

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        from: { type: 'string', default: '1000' },
        log: { type: 'string' },
        repair: { type: 'string', default: 'all' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const [steps = '10000000', ...rest] = positionals;
    for (const text of [steps, values.from]) if (!/^[1-9]\d{0,14}$/.test(text)) refuse(`"${text}" is no whole number from 1 on`);
    if (rest.length > 0) refuse(`"${rest.join(' ')}" is too much`);
    const strangers = repairOf(values.repair).filter((name) => !(quirkNames as readonly string[]).includes(name));
    if (strangers.length > 0) refuse(`there is no defect called ${strangers.join(', ')}`);
    return { steps: Number(steps), from: Number(values.from), log: values.log, repair: values.repair };
  } catch (error) {
    return refuse((error as Error).message);
  }
}

/** The explorer from its sources, in one module: that is several times as fast as to load each by itself. */
async function bundled(): Promise<{ readonly storm: typeof storm }> {
  const explore = fileURLToPath(new URL('../packages/explore/src/index.ts', import.meta.url));
  const directory = mkdtempSync(join(tmpdir(), 'rpal-storm-'));
  try {
    const file = join(directory, 'explore.mjs');
    const bundle = await rolldown({ input: explore, platform: 'node', resolve: { conditionNames: ['@rpal/source', 'import', 'node'] } });
    await bundle.write({ file, codeSplitting: false });
    await bundle.close();
    return await import(pathToFileURL(file).href);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The storms that a log has of this kind. */
function logged(file: string, repair: string): Line[] {
  return resumedLog<Line>(file).filter((line) => line.repair === repair);
}

const { steps: wanted, from, log, repair } = options();
if (log !== undefined && !existsSync(dirname(log))) refuse(`--log: there is no directory ${dirname(log)}`);
const lines = log === undefined ? [] : logged(log, repair);
const done = new Set(lines.map(({ seed }) => seed));
const sum = (of: 'steps' | 'calls' | 'put' | 'received' | 'lost'): number => lines.reduce((total, line) => total + line[of], 0);

const explorer = await bundled();
let steps = sum('steps');
for (let seed = from; steps < wanted; seed++) {
  if (done.has(seed)) continue;
  const result = explorer.storm({ seed, steps: LENGTH, deaths: seed % 4, rpal: { repair: repairOf(repair) } });
  const line: Line = { seed, repair, ...result };
  lines.push(line);
  steps += result.steps;
  if (log !== undefined) appendFileSync(log, `${JSON.stringify(line)}\n`);
}

/** As a failure's kind: what is the same in all of them. */
const kindOf = (failure: string): string => failure.replace(/\d+/g, 'N');
const kinds = new Map<string, number[]>();
for (const { seed, failure } of lines) {
  if (failure !== null) kinds.set(kindOf(failure), [...(kinds.get(kindOf(failure)) ?? []), seed]);
}
const failures = [...kinds].sort(([, a], [, b]) => b.length - a.length);
const failed = lines.filter(({ failure }) => failure !== null).length;
console.log(`${lines.length} storms, ${sum('steps')} steps, repaired: ${repair}; ${failed} failed`);
console.log(
  `${sum('calls')} calls put ${sum('put')} words into queues: ${sum('received')} received, ${sum('lost')} lost with their receivers`,
);
for (const [kind, seeds] of failures.slice(0, SHOWN)) {
  console.log(`${`${seeds.length}`.padStart(6)}  ${kind}  (seed ${Math.min(...seeds)})`);
}
if (failures.length > SHOWN) console.log(`and ${failures.length - SHOWN} others`);
process.exit(repair === 'all' && failed > 0 ? 1 : 0);
