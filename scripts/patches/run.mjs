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
let survivors = 0;
for (const { patch, file, text, without, named } of patchMutants) {
  if (wanted.length > 0 && !wanted.includes(patch)) continue;
  const { title, test } = patches.find((row) => row.patch === patch);
  const [, project, path] = /^(?:plugins\/)?([^/]+)\/(.*)$/.exec(test);
  const only = named === undefined ? [] : ['-t', named];
  const began = Date.now();
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [`${root}node_modules/vitest/vitest.mjs`, 'run', '--project', project, path, '--bail', '1', ...only],
    {
      cwd: root,
      encoding: 'utf8',
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
      env: { ...process.env, RPAL_MUTANT: JSON.stringify({ file, text, without }) },
    },
  );
  const output = `${stdout}${stderr}`;
  const broken = /has the text \d+ times|No test files found|Transform failed|SyntaxError/.exec(output)?.[0];
  const failed = error?.code === 'ETIMEDOUT' || (status !== 0 && /Tests .*failed/s.test(output));
  const verdict = broken !== undefined ? `broken: ${broken}` : failed ? (status === null ? 'fails (out of time)' : 'fails') : 'SURVIVES';
  if (broken !== undefined || !failed) survivors++;
  const row = [
    String(patch).padStart(2),
    title.padEnd(42),
    test.padEnd(46),
    `${String(Math.round((Date.now() - began) / 1000)).padStart(4)} s`,
    verdict,
  ];
  process.stdout.write(`${row.join('  ')}\n`);
}
process.stdout.write(survivors === 0 ? 'Every test fails without its patch.\n' : `${survivors} tests do not fail without their patch.\n`);
process.exitCode = survivors === 0 ? 0 : 1;
