import { z } from 'zod';
import manifest from '../../package.json' with { type: 'json' };

/** What a command's JSON says before its data. The same for all commands. */
export interface About<S> {
  /** `rpal-bench/` and the command's name. */
  readonly schema: string;
  /** Of the form of `settings` and `data`: a field that is added leaves it, one that changes or goes raises it. */
  readonly version: number;
  /** False: interrupted; what is here is a partial result. */
  readonly complete: boolean;
  /** What was asked for, with all defaults filled in. */
  readonly settings: S;
  /** The line that makes this again. */
  readonly command: string;
}

/** The versions that a result depends on. */
const conditions = z.strictObject({
  model: z.string().describe('version of rpal-bench and of the model in it'),
  node: z.string().describe('version of Node; no result of the model depends on it'),
});

/** The form of a command's JSON, for documentation and for tests. */
export function envelopeOf<S extends z.ZodType, D extends z.ZodType>(name: string, version: number, settings: S, data: D) {
  return z.strictObject({
    schema: z.literal(`rpal-bench/${name}`),
    version: z.literal(version),
    complete: z.boolean().describe('false: interrupted; what is here is a partial result'),
    settings: settings.describe('what was asked for, with all defaults filled in'),
    conditions,
    command: z.string().describe('the line that makes this again'),
    data,
  });
}

/** The text of a command's JSON, to which a version that made it is added. */
export function envelope<S, D>(about: About<S>, data: D): string {
  const { schema, version, complete, settings, command } = about;
  const now = { model: manifest.version, node: process.version };
  return `${JSON.stringify({ schema, version, complete, settings, conditions: now, command, data }, null, 2)}\n`;
}

/** A command line that runs as it is printed, in a checkout and elsewhere. */
export function commandLine(words: readonly string[]): string {
  return ['npx', 'rpal-bench', ...words].map(shellWord).join(' ');
}

/** A word as the shell takes it for one: quoted if it would be taken apart. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
