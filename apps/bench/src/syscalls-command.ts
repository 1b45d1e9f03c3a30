import { createMachine, type SyscallTable } from '@rpal/kernel';
import { posix } from '@rpal/posix';
import { tmpfs } from '@rpal/tmpfs';
import { LinuxCall } from '@rpal/uapi';
import { Command, Option } from 'commander';
import { z } from 'zod';
import type { Io } from './io.js';
import { JSON_HELP, JsonOutput } from './json-output.js';
import { pluginOption } from './machine-options.js';
import { tellWritten } from './output-file.js';
import { loadPlugins } from './plugin-loader.js';
import { commandLine, envelope, envelopeOf } from './report/envelope.js';
import { textTable } from './report/text-table.js';
import { ExitCode, oneOf } from './usage.js';

const STATES = ['complete', 'partial', 'absent'] as const;
type State = (typeof STATES)[number];

/** How complete a call is in the model. */
interface Row {
  readonly number: number;
  readonly name: string;
  readonly state: State;
  /** What of it is not there; null unless the state is `partial`. */
  readonly missing: string | null;
  /** The plugin that defines it; null: the kernel, or none. */
  readonly plugin: string | null;
}

/** What `syscalls --json` writes. */
export const syscallsJson = envelopeOf(
  'syscalls',
  1,
  z.strictObject({ state: z.enum(STATES).nullable().describe('only calls in this state; null: all'), plugins: z.array(z.string()) }),
  z.strictObject({
    calls: z.array(
      z.strictObject({
        number: z.number().int(),
        name: z.string(),
        state: z.enum(STATES),
        missing: z.string().nullable().describe('what of a partial call is not there'),
        plugin: z.string().nullable().describe('who defines it; null: the kernel, or nobody'),
      }),
    ),
  }),
);

interface Flags {
  readonly state?: State;
  readonly plugin: readonly string[];
  readonly json?: string;
}

/** `rpal-bench syscalls`: which system calls the model has, as its code says. @param done receives the exit code */
export function syscallsCommand(io: Io, done: (code: number) => void): Command {
  return new Command('syscalls')
    .description('The system calls of Linux 6.15 on x86-64, and calls of plugins: which the model has, and what of each is missing.')
    .addOption(new Option('--state <state>', 'only calls that are complete, partial or absent').argParser(oneOf('--state', STATES)))
    .addOption(pluginOption())
    .option('--json <file>', JSON_HELP)
    .action(async ({ state, plugin, json: file }: Flags) => {
      const json = new JsonOutput(file, io);
      const { kernel } = createMachine({ plugins: [posix(), tmpfs(), ...(await loadPlugins(plugin, io.directory))] });
      const all = rowsOf(kernel.syscalls);
      const calls = state === undefined ? all : all.filter((row) => row.state === state);
      const words = [...(state === undefined ? [] : ['--state', state]), ...plugin.flatMap((name) => ['--plugin', name])];
      json.write(
        envelope(
          {
            schema: 'rpal-bench/syscalls',
            version: 1,
            complete: true,
            settings: { state: state ?? null, plugins: plugin },
            command: commandLine(['syscalls', ...words]),
          },
          { calls },
        ),
      );
      if (json.textWanted) io.stdout.write(`${table(calls)}\n\n${summary(all)}\n`);
      tellWritten(io, summary(all), json);
      done(ExitCode.OK);
    });
}

function rowsOf(syscalls: SyscallTable): readonly Row[] {
  const linux = Object.entries(LinuxCall).map(([name, number]): Row => {
    const call = syscalls.get(number);
    if (call === undefined) return { number, name, state: 'absent', missing: null, plugin: null };
    const { missing, plugin } = call;
    return { number, name, state: missing === null ? 'complete' : 'partial', missing, plugin };
  });
  const numbers = new Set<number>(Object.values(LinuxCall));
  const others = [...syscalls].filter(({ nr }) => !numbers.has(nr));
  return [
    ...linux,
    ...others.map(
      ({ nr, name, missing, plugin }): Row => ({ number: nr, name, state: missing === null ? 'complete' : 'partial', missing, plugin }),
    ),
  ];
}

function table(rows: readonly Row[]): string {
  const cells = rows.map(({ number, name, state, missing, plugin }) => [String(number), name, state, plugin ?? '', missing ?? '']);
  return textTable(['number', 'name', 'state', 'defined by', 'what is missing'], cells, [1, 2, 3, 4]);
}

function summary(rows: readonly Row[]): string {
  const count = (wanted: State): number => rows.filter(({ state }) => state === wanted).length;
  return `${rows.length} calls: ${count('complete')} complete, ${count('partial')} partial, ${count('absent')} absent`;
}
