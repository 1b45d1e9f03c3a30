import { fileURLToPath } from 'node:url';
import type { StormResult } from '../packages/explore/src/index.ts';
import { type QuirkName, quirkNames } from '../packages/rpal-core/src/quirks.ts';
import { commandLine, refuse } from './command-line.ts';
import { bundled, SeedLog, wanted } from './seeds.ts';

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

const { values, positionals } = commandLine(USAGE, {
  from: { type: 'string', default: '1000' },
  log: { type: 'string' },
  repair: { type: 'string', default: 'all' },
});
const { amount, from } = wanted(USAGE, positionals, values.from, '10000000');
const { repair } = values;
const strangers = repairOf(repair).filter((name) => !(quirkNames as readonly string[]).includes(name));
if (strangers.length > 0) refuse(USAGE, `there is no defect called ${strangers.join(', ')}`);
const log = new SeedLog<Line>(USAGE, values.log, (line) => line.repair === repair);
const { lines } = log;
const sum = (of: 'steps' | 'calls' | 'put' | 'received' | 'lost'): number => lines.reduce((total, line) => total + line[of], 0);

const { storm } = await bundled<typeof import('../packages/explore/src/index.ts')>(
  fileURLToPath(new URL('../packages/explore/src/index.ts', import.meta.url)),
);
let steps = sum('steps');
for (let seed = from; steps < amount; seed++) {
  if (log.has(seed)) continue;
  const result = storm({ seed, steps: LENGTH, deaths: seed % 4, rpal: { repair: repairOf(repair) } });
  log.add({ seed, repair, ...result });
  steps += result.steps;
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
