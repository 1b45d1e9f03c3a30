import { appendFileSync } from 'node:fs';
import { git } from '../git.ts';
import { resumedLog } from '../json-lines.ts';
import type { Result } from './report.ts';

/**
 * The results of a run, each written as it comes, as a line of JSON: a run that was interrupted goes on where it was, and runs with
 * different filters may share a file. Only results of the commit that is checked out count, none while files are changed, and none of a
 * mutant that could not be run as it should.
 */
export class Journal {
  /** What is checked out, in twelve digits; null while files differ from it. */
  readonly commit: string | null = checkedOut();
  readonly #file: string | undefined;
  readonly #known: Map<string, Result> = new Map();

  constructor(file: string | undefined) {
    this.#file = file;
    if (file === undefined || this.commit === null) return;
    for (const { commit, ...result } of resumedLog<Result & { readonly commit: string | null }>(file)) {
      if (commit === this.commit && result.outcome !== 'broken') this.#known.set(keyOf(result), result);
    }
  }

  /** What came of a mutant before; undefined: it has not been run. */
  find(mutant: Pick<Result, 'file' | 'text' | 'mutated'>): Result | undefined {
    return this.#known.get(keyOf(mutant));
  }

  add(result: Result): void {
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify({ commit: this.commit, ...result })}\n`);
  }
}

function keyOf({ file, text, mutated }: Pick<Result, 'file' | 'text' | 'mutated'>): string {
  return JSON.stringify([file, text, mutated]);
}

function checkedOut(): string | null {
  try {
    return git('status', '--porcelain', '--untracked-files=no') === '' ? git('rev-parse', 'HEAD').slice(0, 12) : null;
  } catch {
    return null;
  }
}
