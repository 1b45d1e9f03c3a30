import { Command, Option } from 'commander';
import type { Io } from '../io.js';
import { JSON_HELP, JsonOutput } from '../json-output.js';
import { tellWritten } from '../output-file.js';
import { Progress } from '../progress.js';
import { commandLine, envelope } from '../report/envelope.js';
import { ExitCode, wholeNumber } from '../usage.js';
import { renderHost } from './host-text.js';
import { measureHost } from './measure.js';

interface Flags {
  readonly rounds: number;
  readonly json?: string;
}

/** `--rounds`, for every command that measures. */
export function roundsOption(): Option {
  return new Option('--rounds <n>', 'how often everything is measured, in turns')
    .argParser(wholeNumber('--rounds', 1, 1000, 'rounds'))
    .default(15);
}

/** `rpal-bench host`: this computer, measured. @param done receives the exit code */
export function hostCommand(io: Io, done: (code: number) => void): Command {
  return new Command('host')
    .description('Measures this computer with its own C compiler: single steps and, apart from them, round trips of eleven mechanisms.')
    .addOption(roundsOption())
    .addOption(new Option('--json <file>', JSON_HELP))
    .action(async ({ rounds, json }: Flags) => {
      const output = new JsonOutput(json, io);
      const progress = new Progress(io);
      const { report, complete } = await measureHost(rounds, progress).finally(() => progress.end());
      const command = commandLine(['host', '--rounds', String(rounds)]);
      output.write(envelope({ schema: 'rpal-bench/host', version: 1, complete, settings: { rounds }, command }, report));
      if (output.textWanted) io.stdout.write(renderHost(report, complete));
      tellWritten(io, `${rounds} rounds`, output);
      done(complete ? ExitCode.OK : ExitCode.INTERRUPTED);
    });
}
