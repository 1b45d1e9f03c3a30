import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { groups } from './list.ts';
import { type Group, locate, type Mutant, type Place, root, testFiles } from './mutant.ts';
import type { Change } from './mutation.ts';

/**
 * `pnpm mutants [FILTER ...]`: runs the tests that each mutant names, with its line changed, and tells which mutants they do not notice.
 * FILTER: part of a package's folder, a kind, or part of a line; all that are given must fit. Exit status 1 if a mutant survives that
 * states no reason, or is killed although it states one.
 */

/** Seconds after which tests that do not come to an end have noticed. */
const LIMIT = Number(process.env.MUTANTS_LIMIT ?? 120);

type Outcome = 'killed' | 'survived' | 'out of time' | 'broken';

interface Result {
  readonly outcome: Outcome;
  /** The first test that failed. */
  readonly by: string;
  readonly seconds: number;
}

const reports = mkdtempSync(join(tmpdir(), 'mutants-'));

/** Runs test files, with one line changed if there is a change. */
async function runTests(files: readonly string[], change: Change | null): Promise<Result> {
  const report = join(reports, 'report.json');
  rmSync(report, { force: true });
  const begun = Date.now();
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const options = ['--bail=1', '--reporter=json', `--outputFile=${report}`];
  const child = spawn(process.execPath, [vitest, 'run', ...files, ...options], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
    // A group of its own, which its workers belong to: one that is stuck in a loop does not end when it is asked to.
    detached: true,
    env: change === null ? process.env : { ...process.env, RPAL_MUTANT: JSON.stringify(change) },
  });
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  const kill = () => process.kill(-(child.pid as number), 'SIGKILL');
  process.once('exit', kill);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    kill();
  }, LIMIT * 1000);
  await new Promise((ended) => child.on('close', ended));
  clearTimeout(timer);
  process.off('exit', kill);
  const seconds = (Date.now() - begun) / 1000;
  if (late) return { outcome: 'out of time', by: '', seconds };
  return { ...verdict(report, errors), seconds };
}

interface Report {
  readonly numTotalTests: number;
  readonly success: boolean;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

function verdict(file: string, errors: string): { outcome: Outcome; by: string } {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new Error(`the tests have left no report: ${errors}`);
  }
  if (report.numTotalTests === 0 && report.success) throw new Error(`no tests were run: ${errors}`);
  if (report.success) return { outcome: 'survived', by: '' };
  const broken = report.testResults.find(({ message }) => /has the text \d+ times|Transform failed|SyntaxError/.test(message));
  if (broken !== undefined) return { outcome: 'broken', by: broken.message };
  const failed = report.testResults.flatMap(({ assertionResults }) => assertionResults).find(({ status }) => status === 'failed');
  return { outcome: 'killed', by: failed?.fullName ?? report.testResults.find(({ message }) => message)?.message ?? 'an error' };
}

/** Without a mutant the tests must pass: else a failure says nothing. */
async function checkTests(chosen: readonly Chosen[]): Promise<void> {
  const files = [...new Set(chosen.flatMap(({ group, mutant }) => testFiles(group, mutant)))];
  const { outcome, by } = await runTests(files, null);
  if (outcome !== 'survived') throw new Error(`without a mutant: ${outcome} (${by}); mend that first`);
}

interface Chosen extends Place {
  readonly group: Group;
  readonly mutant: Mutant;
}

const filters = process.argv.slice(2);
const chosen: Chosen[] = groups
  .flatMap((group) => group.mutants.map((mutant) => ({ group, mutant })))
  .filter(({ group, mutant }) => filters.every((part) => [group.package, mutant.kind, mutant.text].some((text) => text.includes(part))))
  .map(({ group, mutant }) => ({ group, mutant, ...locate(group, mutant) }));

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.once('exit', () => rmSync(reports, { recursive: true, force: true }));

const total = { killed: 0, survived: 0, 'out of time': 0, broken: 0 };
let wrong = 0;
const lines: string[] = [];

if (process.env.MUTANTS_UNCHECKED === undefined) await checkTests(chosen);
for (const { group, mutant, file, line } of chosen) {
  const { text, mutated, kind, survives } = mutant;
  const change = { file: file.slice(root.length), text, without: mutated };
  const { outcome, by, seconds } = await runTests(testFiles(group, mutant), change);
  total[outcome]++;
  const isWrong = outcome === 'broken' || (outcome === 'survived') !== (survives !== undefined);
  if (isWrong) wrong++;
  const row = `${isWrong ? '!' : ' '} ${outcome.padEnd(11)} ${kind.padEnd(10)} ${change.file}:${line}  ${text} -> ${mutated}`;
  if (isWrong) lines.push(row);
  console.log(`${row}\n    ${seconds.toFixed(1)} s  ${survives ?? by}`);
}
const killed = total.killed + total['out of time'];
console.log(
  `\n${chosen.length} mutants: ${killed} killed (${total['out of time']} by the time limit), ${total.survived} survived; ` +
    `${((100 * killed) / Math.max(1, chosen.length)).toFixed(1)} % killed`,
);
if (wrong > 0) console.log(`\nBroken, or survived without a reason, or killed although they have one:\n${lines.join('\n')}`);
process.exit(wrong > 0 ? 1 : 0);
