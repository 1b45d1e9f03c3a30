import { execFileSync } from 'node:child_process';
import { root } from './mutants/mutant.ts';

/** What git says, in the project. @throws Error if it fails, as where there is no repository */
export function git(...words: readonly string[]): string {
  return execFileSync('git', words, { cwd: root, encoding: 'utf8' }).trim();
}
