import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Ends the program: that is no way to use it. */
export function refuse(usage: string, text: string): never {
  console.error(`${text}\n${usage}`);
  process.exit(2);
}

/** What `parseArgs` finds by these options. */
type Given<T extends NonNullable<ParseArgsConfig['options']>> = ReturnType<typeof parseArgs<{ allowPositionals: true; options: T }>>;

/** The options and words that the program was given. With `--help` it says how it is used, and ends. */
export function commandLine<const T extends NonNullable<ParseArgsConfig['options']>>(usage: string, options: T): Given<T> {
  try {
    const given = parseArgs({ allowPositionals: true, options: { ...options, help: { type: 'boolean' } } });
    if (!('help' in given.values)) return given as Given<T>;
  } catch (error) {
    refuse(usage, (error as Error).message);
  }
  console.log(usage);
  process.exit(0);
}
