import { writeFileSync } from 'node:fs';
import { commandLine, refuse } from '../command-line.ts';
import { Journal } from './journal.ts';
import { groups } from './list.ts';
import { type Group, locate, type Mutant, type Place, root, testFiles } from './mutant.ts';
import { markdown, type Result, summary, wrong } from './report.ts';
import { type Answer, Tests, withoutTest } from './tests.ts';

/** Tests that take so many times as long as without the mutant, and seconds on top, are stuck; so are those that take the longest time. */
const PATIENCE = 10;
const GRACE = 20;
const LONGEST = 300;
/** Seconds that a test file is taken to need which has not been run yet. */
const UNKNOWN = 10;

const USAGE = `usage: pnpm mutants [--json FILE] [--markdown FILE] [FILTER ...]
Changes one line at a time and runs the tests that are to notice. The files stay as they are: only the tests see the change.
FILTER: part of a package's folder, a kind, or part of a line; all that are given must fit.
--json: every result, a line each; those that are there, of the commit that is checked out, are not run again.
--markdown: docs/mutants.md.
Exit status: 0 done; 1 a mutant survives and states no reason, or is killed and states one; 2 wrong usage.`;

interface Chosen {
  readonly group: Group;
  readonly mutant: Mutant;
}

const { values, positionals: filters } = commandLine(USAGE, { json: { type: 'string' }, markdown: { type: 'string' } });
const chosen: Chosen[] = groups
  .flatMap((group) => group.mutants.map((mutant) => ({ group, mutant })))
  .filter(({ group, mutant }) => filters.every((part) => [group.package, mutant.kind, mutant.text].some((text) => text.includes(part))));
if (chosen.length === 0) refuse(USAGE, `no mutant fits: ${filters.join(' ')}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const tests = new Tests();
const journal = new Journal(values.json);

/** Seconds that test files have taken. */
const seconds = new Map<string, number>();
/** By source file: the test file that has noticed the last mutant of it. */
const noticed = new Map<string, string>();
/** Test files that have passed without a mutant. */
const sound = new Set<string>();

/** Where a test has failed: without a mutant it must pass, else its failure says nothing. @returns what is wrong with it, or '' */
async function complaint(file: string): Promise<string> {
  if (file === '' || sound.has(file)) return '';
  const answer = await tests.run({ files: [file], change: null }, LONGEST);
  if (answer.outcome !== 'passed') return `${file}, without a mutant: ${answer.outcome} (${answer.by}); mend that first`;
  sound.add(file);
  return '';
}

/** Runs the tests that are to notice. The first that does ends the run: that of the line's neighbours goes first, then the quick ones. */
async function answerTo({ group, mutant }: Chosen, file: string): Promise<Answer> {
  const usual = (test: string): number => seconds.get(test) ?? UNKNOWN;
  const turn = (test: string): number => (test === noticed.get(file) ? 0 : usual(test));
  const files = [...testFiles(group, mutant)].sort((a, b) => turn(a) - turn(b));
  const change = { file, text: mutant.text, without: mutant.mutated };
  for (let limit = PATIENCE * files.reduce((sum, test) => sum + usual(test), 0) + GRACE; ; limit *= PATIENCE) {
    const answer = await tests.run({ files, change }, Math.min(limit, LONGEST));
    // Stuck, or is it the computer that has much else to do?
    if (answer.outcome === 'out of time' && limit < LONGEST && !(await inTime(files, limit))) continue;
    for (const [test, taken] of Object.entries(answer.files)) if (test !== answer.in) seconds.set(test, taken);
    if (answer.in !== '') noticed.set(file, answer.in);
    const wrong = await complaint(answer.in);
    return wrong === '' ? answer : withoutTest('broken', wrong, answer.seconds);
  }
}

/** Without a mutant these tests take less than half of `limit`, seconds. */
async function inTime(files: readonly string[], limit: number): Promise<boolean> {
  const { outcome, seconds } = await tests.run({ files, change: null }, limit);
  return outcome === 'passed' && seconds < limit / 2;
}

const OUTCOMES = { passed: 'survived', failed: 'killed', 'out of time': 'out of time', broken: 'broken' } as const;

async function resultOf(one: Chosen): Promise<Result> {
  const { text, mutated, kind, survives } = one.mutant;
  const known = { package: one.group.package, kind, text, mutated, survives };
  let place: Place;
  try {
    place = locate(one.group, one.mutant);
  } catch (error) {
    return { ...known, file: one.group.package, line: 0, outcome: 'broken', by: (error as Error).message, seconds: 0 };
  }
  const file = place.file.slice(root.length);
  const before = journal.find({ file, text, mutated });
  if (before !== undefined) return { ...before, survives };
  const { outcome, by, seconds } = await answerTo(one, file);
  const result = { ...known, file, line: place.line, outcome: OUTCOMES[outcome], by, seconds };
  journal.add(result);
  return result;
}

const results: Result[] = [];
for (const one of chosen) {
  const result = await resultOf(one);
  results.push(result);
  const { outcome, kind, file, line, text, mutated, seconds, survives, by } = result;
  console.log(`${wrong(result) ? '!' : ' '} ${outcome.padEnd(11)} ${kind.padEnd(10)} ${file}:${line}  ${text} -> ${mutated}`);
  console.log(`    ${seconds.toFixed(1)} s  ${survives ?? by}`);
}
tests.close();
console.log(summary(results));
if (values.markdown !== undefined) writeFileSync(values.markdown, markdown(results, journal.commit));
process.exit(results.some(wrong) ? 1 : 0);
