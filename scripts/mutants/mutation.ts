import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vitest/config';

/** A change of one place of a source file. */
export interface Change {
  /** Relative to the root. */
  readonly file: string;
  readonly text: string;
  readonly without: string;
}

/** The environment variable that holds the change, in JSON, if there is one. */
const VARIABLE = 'RPAL_MUTANT';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** From now on the tests that this process runs see this change, and no other; `null`: none. */
export function setChange(change: Change | null): void {
  if (change === null) delete process.env[VARIABLE];
  else process.env[VARIABLE] = JSON.stringify(change);
}

/** Absolute. */
export function changedFile({ file }: Change): string {
  return root + file;
}

/**
 * Tests see the source file that the change names with that change made. The file itself is not touched, so that nothing is left
 * behind by a run that was interrupted.
 */
export function mutation(): Plugin {
  return {
    name: 'mutation',
    enforce: 'pre',
    transform(code, id) {
      const wanted = process.env[VARIABLE];
      if (wanted === undefined) return null;
      const change = JSON.parse(wanted) as Change;
      if (id.split('?')[0] !== changedFile(change)) return null;
      const parts = code.split(change.text);
      if (parts.length !== 2) throw new Error(`${change.file} has the text ${parts.length - 1} times, not once: ${change.text}`);
      return { code: parts.join(change.without), map: null };
    },
  };
}
