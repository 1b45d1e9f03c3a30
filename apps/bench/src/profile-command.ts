import { type CpuProfile, findProfile, profiles } from '@rpal/hw-x86';
import { Command } from 'commander';
import type { Io } from './io.js';
import { isProfileFile, readProfile } from './profile-file.js';
import { profileSchema } from './profile-schema.js';
import { textTable } from './report/text-table.js';
import { profileNamed } from './rfc-settings.js';
import { ExitCode, UsageError } from './usage.js';

/** `rpal-bench profile`: CPUs as data. @param done receives the exit code */
export function profileCommand(io: Io, done: (code: number) => void): Command {
  const command = new Command('profile').description('CPUs as data: lists them, prints one as JSON, checks a file of your own.');
  command
    .command('show', { isDefault: true })
    .description('print a profile as JSON, from which a file of your own can be made; without a name, list them')
    .argument('[profile]', 'a name, or a file')
    .action((name: string | undefined) => {
      if (name === undefined) io.stdout.write(`${list()}\n`);
      else io.data.write(`${JSON.stringify(profileNamed(name), null, 2)}\n`);
      done(ExitCode.OK);
    });
  command
    .command('check')
    .description('check a file, and say what it changes')
    .argument('<file>', 'JSON: a whole profile, or {"extends": NAME, ...} with what differs')
    .action((file: string) => {
      if (!isProfileFile(file)) throw new UsageError(`profile check takes a file, such as ./mine.json; "${file}" is none`);
      io.stdout.write(`${report(file, readProfile(file))}\n`);
      done(ExitCode.OK);
    });
  command
    .command('schema')
    .description(
      'print the JSON Schema of such files: what each field is, its unit, and how to find it out; profile.schema.json is the same',
    )
    .action(() => {
      io.data.write(`${JSON.stringify(profileSchema(), null, 2)}\n`);
      done(ExitCode.OK);
    });
  return command;
}

function list(): string {
  return textTable(
    ['profile', 'CPU'],
    profiles.map(({ name, title }) => [name, title]),
    [0, 1],
  );
}

/** What differs between a profile and the most similar built-in one. */
function report(file: string, profile: CpuProfile): string {
  const [base, changes] = profiles
    .map((other) => [other, differences(other, profile)] as const)
    .sort(([, a], [, b]) => a.length - b.length)[0] as readonly [CpuProfile, readonly Difference[]];
  const known = findProfile(profile.name) === undefined ? '' : ' (a built-in profile has this name, too)';
  const head = `${file} is a profile: ${profile.name}, ${profile.title}${known}`;
  if (changes.length === 0) return `${head}\nIt equals ${base.name}.`;
  const rows = changes.map(({ path, before, after }) => [path, before, after]);
  return `${head}\nAgainst ${base.name}:\n\n${textTable(['field', base.name, profile.name], rows, [0, 1, 2])}`;
}

interface Difference {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** Fields that give the source of a figure, and not its value. */
const ABOUT = new Set(['name', 'title', 'source', 'status']);

function differences(before: unknown, after: unknown, path = ''): readonly Difference[] {
  if (typeof before === 'object' && before !== null && typeof after === 'object' && after !== null) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => !ABOUT.has(key));
    return keys.flatMap((key) =>
      differences((before as Record<string, unknown>)[key], (after as Record<string, unknown>)[key], path === '' ? key : `${path}.${key}`),
    );
  }
  return before === after ? [] : [{ path, before: shown(before), after: shown(after) }];
}

function shown(value: unknown): string {
  return value === undefined ? '-' : (JSON.stringify(value) ?? '-');
}
