import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { groups } from './list.ts';
import { type Group, locate, type Mutant, type Place, root, testFiles } from './mutant.ts';
import { markdown, type Result, summary, wrong } from './report.ts';
import { Tests } from './tests.ts';

/** Tests that take so much longer than without the mutant, and this on top, are stuck. */
const PATIENCE = 10;
const GRACE_SECONDS = 20;

const USAGE = `usage: pnpm mutants [--json FILE] [--markdown FILE] [FILTER ...]
Changes one line at a time and runs the tests that are to notice. The files stay as they are: only the tests see the change.
FILTER: part of a package's folder, a kind, or part of a line; all that are given must fit.
--json: every result; --markdown: the tables of docs/mutants.md.
Exit status: 0 done; 1 a mutant survives and states no reason, or is killed and states one; 2 wrong usage.`;

interface Chosen extends Place {
  readonly group: Group;
  readonly mutant: Mutant;
}

function wrongUsage(message: string): never {
  console.error(`${message}\n${USAGE}`);
  process.exit(2);
}

function options() {
  try {
    const options = { json: { type: 'string' }, markdown: { type: 'string' }, help: { type: 'boolean' } } as const;
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    wrongUsage((error as Error).message);
  }
}

const { values, positionals: filters } = options();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const chosen: Chosen[] = groups
  .flatMap((group) => group.mutants.map((mutant) => ({ group, mutant })))
  .filter(({ group, mutant }) => filters.every((part) => [group.package, mutant.kind, mutant.text].some((text) => text.includes(part))))
  .map(({ group, mutant }) => ({ group, mutant, ...locate(group, mutant) }));
if (chosen.length === 0) wrongUsage(`no mutant fits: ${filters.join(' ')}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const tests = new Tests();

/** Seconds that each test file takes without a mutant. */
const seconds = new Map<string, number>();

/** Without a mutant the tests must pass: else a failure says nothing. */
async function check(file: string): Promise<void> {
  if (seconds.has(file)) return;
  const answer = await tests.run({ files: [file], change: null }, 300);
  if (answer.outcome !== 'passed') {
    console.error(`${file}, without a mutant: ${answer.outcome} (${answer.by}); mend that first`);
    process.exit(1);
  }
  seconds.set(file, answer.seconds);
}

const results: Result[] = [];
for (const { group, mutant, file: path, line } of chosen) {
  const { text, mutated, kind, survives } = mutant;
  const file = path.slice(root.length);
  const files = [...testFiles(group, mutant)];
  for (const test of files) await check(test);
  const usual = files.reduce((sum, test) => sum + (seconds.get(test) as number), 0);
  // The first that notices ends the run: the quick ones go first.
  files.sort((a, b) => (seconds.get(a) as number) - (seconds.get(b) as number));
  const answer = await tests.run({ files, change: { file, text, without: mutated } }, PATIENCE * usual + GRACE_SECONDS);
  const outcome = answer.outcome === 'passed' ? 'survived' : answer.outcome === 'failed' ? 'killed' : answer.outcome;
  const result: Result = {
    package: group.package,
    kind,
    file,
    line,
    text,
    mutated,
    outcome,
    by: answer.by,
    survives,
    seconds: answer.seconds,
  };
  results.push(result);
  console.log(`${wrong(result) ? '!' : ' '} ${outcome.padEnd(11)} ${kind.padEnd(10)} ${file}:${line}  ${text} -> ${mutated}`);
  console.log(`    ${answer.seconds.toFixed(1)} s  ${survives ?? answer.by}`);
}
tests.close();
console.log(summary(results));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
if (values.markdown !== undefined) writeFileSync(values.markdown, markdown(results));
process.exit(results.some(wrong) ? 1 : 0);
