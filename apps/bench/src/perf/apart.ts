import { spawnSync } from 'node:child_process';
import { fail } from '../outcome.js';

/**
 * Runs one part of the `perf` script in a process of its own: what an engine has compiled for one part slows another one down.
 * @param script the `perf` script @param words what tells it which part, as the first arguments
 * @returns what the part has written to its standard output, as JSON
 */
export function apart<T>(script: string, ...words: readonly string[]): T {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...words], { encoding: 'utf8' });
  if (status !== 0) fail(`${words.join(' ')} failed: ${stderr.trim() || `exit code ${status}`}`);
  return JSON.parse(stdout) as T;
}
