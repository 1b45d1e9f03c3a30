// Takes what each patch does out and runs the row's test, which must fail. usage: pnpm patches [NUMBER ...]
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** A mutant that makes the machine spin for ever has been noticed, too. */
const LIMIT_MS = 240_000;

/** The exports of a TypeScript file that imports nothing at run time. */
const load = async (path) => {
  const { outputText } = ts.transpileModule(readFileSync(`${root}${path}`, 'utf8'), { compilerOptions: { module: ts.ModuleKind.ESNext } });
  return import(`data:text/javascript,${encodeURIComponent(outputText)}`);
};

const { patchMutants } = await load('scripts/patches/mutants.ts');
const { patches } = await load('packages/rpal-core/src/patches.ts');
const wanted = process.argv.slice(2).map(Number);

/** Runs tests, with a change or without. @returns whether they pass, fail, or could not be run as they should */
const runTests = (test, named, mutant) => {
  const [, project, path] = /^(?:plugins\/)?([^/]+)\/(.*)$/.exec(test);
  const only = named === undefined ? [] : ['-t', named];
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [`${root}node_modules/vitest/vitest.mjs`, 'run', '--project', project, path, '--bail', '1', ...only],
    { cwd: root, encoding: 'utf8', timeout: LIMIT_MS, killSignal: 'SIGKILL', env: { ...process.env, ...mutant } },
  );
  if (error?.code === 'ETIMEDOUT') return 'fails (out of time)';
  const output = `${stdout}${stderr}`;
  const broken = /has the text \d+ times|No test files found|Transform failed|SyntaxError/.exec(output)?.[0];
  if (broken !== undefined) return `broken: ${broken}`;
  if (status === 0 && /Tests .*passed/s.test(output)) return 'passes';
  return /Tests .*failed/s.test(output) ? 'fails' : 'broken: no test was run';
};

/** What the tests say without a change: a test that fails anyway shows nothing. */
const unchanged = new Map();
let wrong = 0;
for (const { patch, file, text, without, named } of patchMutants) {
  if (wanted.length > 0 && !wanted.includes(patch)) continue;
  const { title, test } = patches.find((row) => row.patch === patch);
  const began = Date.now();
  const key = `${test} ${named}`;
  if (!unchanged.has(key)) unchanged.set(key, runTests(test, named, {}));
  const before = unchanged.get(key);
  const verdict =
    before !== 'passes' ? `${before} WITH the patch` : runTests(test, named, { RPAL_MUTANT: JSON.stringify({ file, text, without }) });
  const shown = before === 'passes' && verdict.startsWith('fails');
  if (!shown) wrong++;
  const seconds = `${String(Math.round((Date.now() - began) / 1000)).padStart(4)} s`;
  const row = [String(patch).padStart(2), title.padEnd(42), test.padEnd(46), seconds, shown ? verdict : verdict.toUpperCase()];
  process.stdout.write(`${row.join('  ')}\n`);
}
process.stdout.write(wrong === 0 ? 'Every test fails without its patch, and passes with it.\n' : `${wrong} rows are not shown.\n`);
process.exitCode = wrong === 0 ? 0 : 1;
