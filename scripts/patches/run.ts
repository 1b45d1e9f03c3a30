import { writeFileSync } from 'node:fs';
import { patches } from '../../packages/rpal-core/src/patches.ts';
import { commandLine, refuse } from '../command-line.ts';
import { git } from '../git.ts';
import { type Answer, Tests } from '../mutants/tests.ts';
import { patchMutants } from './mutants.ts';
import { type Row, table } from './report.ts';

const USAGE = `usage: pnpm patches [--markdown FILE] [NUMBER ...]
Takes what each patch does out, in one place, and runs the row's test, which must fail. The files stay as they are: only the tests see the change.
--markdown: the table of packages/rpal-core/docs/patches.md; for all 35 only.
Exit status: 0 every test fails without its patch, and passes with it; 1 not so; 2 wrong usage.`;

/** Seconds. A mutant that makes the machine spin for ever has been noticed, too. */
const LIMIT = 240;

const {
  values: { markdown },
  positionals,
} = commandLine(USAGE, { markdown: { type: 'string' } });
const unknown = positionals.filter((text) => !patchMutants.some(({ patch }) => patch === Number(text)));
if (unknown.length > 0) refuse(USAGE, `no such patch: ${unknown.join(' ')}; they are 1 to ${patchMutants.length}`);
if (markdown !== undefined && positionals.length > 0) refuse(USAGE, '--markdown is for all patches');
const wanted = positionals.map(Number);
/** What is tested, for the page. */
const commit =
  markdown === undefined ? '' : `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' and changes'}`;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const tests = new Tests();

/** What the tests say without a change: a test that fails anyway shows nothing. */
const unchanged = new Map<string, Answer>();
const rows: Row[] = [];
for (const { patch, file, text, without, named } of patchMutants) {
  if (wanted.length > 0 && !wanted.includes(patch)) continue;
  const row = patches.find((of) => of.patch === patch);
  if (row === undefined) throw new Error(`the table of patches has no row ${patch}`);
  const order = { files: [row.test.startsWith('plugins/') ? row.test : `packages/${row.test}`], ...(named === undefined ? {} : { named }) };
  const key = `${row.test} ${named}`;
  const before = unchanged.get(key) ?? (await tests.run({ ...order, change: null }, LIMIT));
  unchanged.set(key, before);
  const after = before.outcome === 'passed' ? await tests.run({ ...order, change: { file, text, without } }, LIMIT) : before;
  const isShown = before.outcome === 'passed' && (after.outcome === 'failed' || after.outcome === 'out of time');
  const verdict = before.outcome === 'passed' ? after.outcome : `${before.outcome} WITH the patch`;
  rows.push({ ...row, verdict, isShown, by: after.by });
  const columns = [`${patch}`.padStart(2), row.title.padEnd(42), row.test.padEnd(46), `${after.seconds.toFixed(1).padStart(6)} s`];
  console.log([...columns, isShown ? verdict : verdict.toUpperCase(), after.by].join('  '));
}
tests.close();
const wrong = rows.filter(({ isShown }) => !isShown).length;
console.log(wrong === 0 ? 'Every test fails without its patch, and passes with it.' : `${wrong} rows are not shown.`);
if (markdown !== undefined) writeFileSync(markdown, table(rows, commit));
process.exit(wrong === 0 ? 0 : 1);
