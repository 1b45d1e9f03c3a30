import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Script } from './case.js';
import { compile } from './compile.js';

let driver: string | null | undefined;

/** The driver, compiled; null if there is no Linux, no compiler, or no right to make namespaces here. */
function compiled(): string | null {
  if (driver !== undefined) return driver;
  driver = null;
  const binary = join(mkdtempSync(join(tmpdir(), 'rpal-cases-')), 'cases');
  if (compile(fileURLToPath(new URL('./cases.c', import.meta.url)), binary) !== null) return null;
  const { stdout } = spawnSync(binary, { input: 'list\ncall -1 39\n', encoding: 'utf8' });
  if (stdout === '0 0 2\n') driver = binary;
  return driver;
}

/** What the Linux at hand answers; null where it cannot be asked. */
export function onLinux(script: Script): string[] | null {
  const binary = compiled();
  if (binary === null) return null;
  const { stdout } = spawnSync(binary, { input: script.lines(), encoding: 'utf8', timeout: 30_000 });
  return stdout.trimEnd().split('\n');
}
