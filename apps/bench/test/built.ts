import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const app = join(dirname(fileURLToPath(import.meta.url)), '..');
/** The built program. */
export const program = join(app, 'dist', 'cli.js');
/** `pnpm perf`, built with it. */
export const perf = join(app, 'dist', 'perf.js');

/** Whether the program has been built, from what the sources are now. `npm test` builds it. */
export function isBuilt(): boolean {
  if (!existsSync(program)) return false;
  const sources = [
    join(app, 'src'),
    ...readdirSync(join(app, '..', '..', 'packages')).map((name) => join(app, '..', '..', 'packages', name, 'src')),
  ];
  const newest = sources
    .flatMap((source) => readdirSync(source, { recursive: true }).map((name) => join(source, String(name))))
    .reduce((time, file) => Math.max(time, statSync(file).mtimeMs), 0);
  return statSync(program).mtimeMs > newest;
}
