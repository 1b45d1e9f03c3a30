import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** `pnpm storm [STEPS]`: storms of the explorer, ten million steps by default, with everything repaired and then as written. Takes hours. */

const [text = '10000000', ...more] = process.argv.slice(2);
const steps = Number(text);
if (!Number.isSafeInteger(steps) || steps < 1 || more.length > 0) {
  console.error(`pnpm storm takes a number of steps, 1 or more; "${process.argv.slice(2).join(' ')}" is none`);
  process.exit(2);
}
const vitest = join(createRequire(import.meta.url).resolve('vitest/package.json'), '..', 'vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--project', 'explore', 'storm', '-t', 'a long run|ends the kernel in most'],
  {
    env: { ...process.env, RPAL_STEPS: `${steps}` },
    stdio: 'inherit',
  },
);
process.exit(status ?? 1);
