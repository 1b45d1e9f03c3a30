import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Errno } from '@rpal/uapi';
import { Command, Option } from 'commander';
import type { Io } from '../io.js';
import { ExitCode, UsageError, wholeNumber } from '../usage.js';
import { type Replay, replay } from './player.js';
import type { TraceError } from './trace-error.js';
import { readTrace, type Trace, type TraceEvent } from './trace-line.js';

const HELP = `
Record with:  strace -f -X raw -v -s 1000000 -o FILE PROGRAM < /dev/null > /dev/null 2> /dev/null
(-xx is understood, too). Files that the program finds and has not made are put into the model's tree as the trace shows them. Where the
program began is what its getcwd says, or a line "# cwd DIRECTORY" of the file, or /.

Exit codes: 0 all calls agree; 1 some do not, or the model lacks a call; 2 the trace is cut or garbled, or wrong use.`;

interface Flags {
  readonly differences: number;
}

/** `rpal-bench replay-strace`: what a real program did, once more on the model. @param done receives the exit code */
export function replayStraceCommand(io: Io, done: (code: number) => void): Command {
  return new Command('replay-strace')
    .description('Makes the system calls of a real program, as strace has recorded them, on the model, and compares results call by call.')
    .argument('<file>', 'output of strace')
    .addOption(
      new Option('--differences <n>', 'show so many differences')
        .argParser(wholeNumber('--differences', 0, 1_000_000, 'differences'))
        .default(20),
    )
    .addHelpText('after', HELP)
    .action((file: string, { differences }: Flags) => {
      const text = textOf(resolve(io.directory, file), file);
      const trace = readTrace(text, (name) => (Errno as Readonly<Record<string, number>>)[name] ?? OTHER_ERRORS[name]);
      const result = replay(trace, directoryOf(text, trace.events));
      io.stdout.write(report(file, result, differences));
      done(exitCode(trace, result));
    });
}

/** Errors of calls that the model does not have. */
const OTHER_ERRORS: Readonly<Record<string, number>> = {
  ERESTARTSYS: 512,
  ERESTARTNOINTR: 513,
  ERESTARTNOHAND: 514,
  ERESTART_RESTARTBLOCK: 516,
  ENOTBLK: 15,
  EDOM: 33,
  ENETUNREACH: 101,
  EHOSTUNREACH: 113,
  EADDRNOTAVAIL: 99,
  ENOMEDIUM: 123,
};

function textOf(path: string, file: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    throw new UsageError(`"${file}" cannot be read: ${(error as Error).message}`);
  }
}

/** Where the program began: as the file says, or as its first getcwd does. */
function directoryOf(text: string, events: readonly TraceEvent[]): string {
  const [, said] = /^# cwd (\S+)$/m.exec(text) ?? [];
  if (said !== undefined) return said;
  for (const event of events) {
    if (event.kind !== 'end') continue;
    const [first] = event.call.args;
    if (event.call.name === 'chdir') break;
    if (event.call.name === 'getcwd' && first?.kind === 'bytes') return String.fromCharCode(...first.bytes).replace(/\0$/, '');
  }
  return '/';
}

function exitCode(trace: Trace, { error, differences }: Replay): number {
  if (trace.error !== null && error === trace.error) return ExitCode.USAGE;
  return error !== null || differences.length > 0 ? ExitCode.FAILED : ExitCode.OK;
}

function report(file: string, { compared, agreed, tasks, differences, ignored, error }: Replay, most: number): string {
  const lines = differences.slice(0, most).map(({ line, text, what }) => `line ${line}: ${shortened(text)}\n  ${what}`);
  if (differences.length > most) lines.push(`and ${differences.length - most} more`);
  const counts = `${compared} calls of ${tasks === 1 ? 'one task' : `${tasks} tasks`} compared: ${agreed} agree, ${compared - agreed} do not`;
  lines.push(counts);
  for (const [what, calls] of [...ignored].sort()) lines.push(`not compared in ${calls} of them: ${what}`);
  if (error !== null) lines.push(ending(file, error));
  return `${lines.join('\n')}\n`;
}

function ending(file: string, { line, message }: TraceError): string {
  return `${file}, line ${line}: ${message}. What was before it has been compared`;
}

function shortened(text: string): string {
  return text.length > 160 ? `${text.slice(0, 100)} ... ${text.slice(-50)}` : text;
}
