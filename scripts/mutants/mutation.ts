import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vitest/config';

/** A change of one place of a source file, as the environment variable RPAL_MUTANT has it, in JSON. */
export interface Change {
  /** Relative to the root. */
  readonly file: string;
  readonly text: string;
  readonly without: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Tests see the source file that RPAL_MUTANT names with that change made. The file itself is not touched, so that nothing is left
 * behind by a run that was interrupted, and several can go on at the same time.
 */
export function mutation(): Plugin {
  const wanted = process.env.RPAL_MUTANT;
  const mutant = wanted === undefined ? null : (JSON.parse(wanted) as Change);
  return {
    name: 'mutation',
    enforce: 'pre',
    transform(code, id) {
      if (mutant === null || id.split('?')[0] !== `${root}${mutant.file}`) return null;
      const parts = code.split(mutant.text);
      if (parts.length !== 2) throw new Error(`${mutant.file} has the text ${parts.length - 1} times, not once: ${mutant.text}`);
      return { code: parts.join(mutant.without), map: null };
    },
  };
}
