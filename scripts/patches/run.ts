import { patches } from '../../packages/rpal-core/src/patches.ts';
import { type Answer, Tests } from '../mutants/tests.ts';
import { patchMutants } from './mutants.ts';

/** `pnpm patches [NUMBER ...]`: takes what each patch does out and runs the row's test, which must fail. */

/** Seconds. A mutant that makes the machine spin for ever has been noticed, too. */
const LIMIT = 240;

const wanted = process.argv.slice(2).map(Number);
const unknown = process.argv.slice(2).filter((_, index) => !patchMutants.some(({ patch }) => patch === wanted[index]));
if (unknown.length > 0) {
  console.error(`no such patch: ${unknown.join(' ')}; they are 1 to ${patchMutants.length}`);
  process.exit(2);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const tests = new Tests();

/** What the tests say without a change: a test that fails anyway shows nothing. */
const unchanged = new Map<string, Answer>();
let wrong = 0;
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
  if (!isShown) wrong++;
  const verdict = before.outcome === 'passed' ? after.outcome : `${before.outcome} WITH the patch`;
  const columns = [`${patch}`.padStart(2), row.title.padEnd(42), row.test.padEnd(46), `${after.seconds.toFixed(1).padStart(6)} s`];
  console.log([...columns, isShown ? verdict : verdict.toUpperCase(), after.by].join('  '));
}
tests.close();
console.log(wrong === 0 ? 'Every test fails without its patch, and passes with it.' : `${wrong} rows are not shown.`);
process.exit(wrong === 0 ? 0 : 1);
