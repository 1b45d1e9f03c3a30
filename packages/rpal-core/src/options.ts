import type { PluginDefinition } from '@rpal/bus';
import { type QuirkName, quirkNames, type RaceFix, raceFixPatches } from './quirks.js';

/** What `rpal()` takes. */
export interface RpalOptions {
  /** Behaviour of the series to repair, by name, or all of it. Default: none. */
  readonly repair?: 'all' | readonly QuirkName[];
  /** Parts of patches to leave out, which close races: numbers of patches, see `raceFixes`. Default: none. */
  readonly without?: readonly RaceFix[];
}

/** Checks the options. A Standard Schema written by hand, so that RPAL in a browser carries no schema library. */
export const rpalOptions: NonNullable<PluginDefinition<Required<RpalOptions>>['options']> = {
  '~standard': {
    version: 1,
    vendor: '@rpal/rpal-core',
    validate(input) {
      if (typeof input !== 'object' || input === null) return { issues: [{ message: 'must be an object' }] };
      const { repair = [], without = [], ...rest } = input as RpalOptions;
      const issues = [
        ...(repair === 'all' ? [] : strangers(repair, quirkNames).map((name) => ({ path: ['repair'], message: `${name}; or 'all'` }))),
        ...strangers(without, raceFixPatches).map((message) => ({ path: ['without'], message })),
        ...Object.keys(rest).map((name) => ({ path: [name], message: 'there is no such option; there are repair and without' })),
      ];
      return issues.length > 0 ? { issues } : { value: { repair, without } };
    },
  },
};

/** Says what is wrong with a list that may only contain members of `known`. */
function strangers(list: unknown, known: readonly unknown[]): string[] {
  if (!Array.isArray(list)) return [`must be a list of: ${known.join(', ')}`];
  return list
    .filter((entry) => !known.includes(entry))
    .map((entry) => `there is no ${JSON.stringify(entry)}; there are ${known.join(', ')}`);
}
