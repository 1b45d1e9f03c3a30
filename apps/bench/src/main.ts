import { BusError, TapError } from '@rpal/bus';
import { Command, CommanderError } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { compareCommand, isWrongComparison } from './compare/compare-command.js';
import { explainCommand } from './explain/explain-command.js';
import { exploreCommand } from './explore/explore-command.js';
import { replayCommand } from './explore/replay-command.js';
import { reportCommand } from './full-report/report-command.js';
import { calibrateCommand } from './host/calibrate-command.js';
import { hostCommand } from './host/host-command.js';
import { validateCommand } from './host/validate-command.js';
import { instructionsCommand } from './instructions/instructions-command.js';
import { type Io, textOutput } from './io.js';
import { meshCommand } from './mesh/mesh-command.js';
import { mpiCommand } from './mpi/mpi-command.js';
import { osCommand } from './os/os-command.js';
import { pluginsCommand } from './plugins-command.js';
import { predictCommand } from './predict/predict-command.js';
import { profileCommand } from './profile-command.js';
import { questionCommand, questionsCommand } from './questions-command.js';
import { replayStraceCommand } from './replay/replay-strace-command.js';
import { COLUMNS, folded, laidOut } from './report/columns.js';
import { rfcCommand } from './rfc-command.js';
import { runCommand } from './run/run-command.js';
import { sweepCommand } from './sweep/sweep-command.js';
import { workerCommand } from './sweep/worker-command.js';
import { syscallsCommand } from './syscalls-command.js';
import { traceCommand } from './trace/trace-command.js';
import { ExitCode, UsageError } from './usage.js';

/**
 * The command line.
 * @param args what follows the command's name
 * @returns the exit code: 0 done, 1 the run failed, 2 wrong use, 130 interrupted
 */
export async function main(args: readonly string[], given: Io): Promise<number> {
  const io = { ...given, stdout: textOutput(given.stdout, (text) => given.stdout.write(folded(text))) };
  let code: number = ExitCode.OK;
  const program = new Command('rpal-bench')
    .description('RPAL (Run Process As Library) on modelled machines: the experiments of the RFC and of its reviewers.')
    .version(manifest.version, '--version', 'print the version')
    .helpCommand(false)
    .showHelpAfterError(false);
  const done = (result: number): void => {
    code = result;
  };
  for (const command of [
    rfcCommand,
    compareCommand,
    explainCommand,
    traceCommand,
    reportCommand,
    meshCommand,
    mpiCommand,
    osCommand,
    sweepCommand,
    workerCommand,
    runCommand,
    questionsCommand,
    questionCommand,
    predictCommand,
    hostCommand,
    validateCommand,
    instructionsCommand,
    calibrateCommand,
    exploreCommand,
    replayCommand,
    replayStraceCommand,
    pluginsCommand,
    profileCommand,
    syscallsCommand,
  ])
    program.addCommand(command(io, done));
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride().allowExcessArguments(false).helpCommand(false);
    command.configureOutput({
      writeOut: (text) => given.stdout.write(laidOut(text)),
      writeErr: (text) => given.stderr.write(laidOut(text)),
      // Commander's own complaints are reported below, in one line as all others.
      outputError: () => {},
      getOutHelpWidth: () => COLUMNS,
      getErrHelpWidth: () => COLUMNS,
    });
  }
  if (args.length === 0) {
    program.outputHelp({ error: true });
    return ExitCode.USAGE;
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.OK;
    const wrongUse = error instanceof UsageError || error instanceof CommanderError || isWrongPlugin(error) || isWrongComparison(error);
    io.stderr.write(`rpal-bench: ${sentence(error)}\n`);
    return wrongUse ? ExitCode.USAGE : ExitCode.FAILED;
  }
}

/** Plugins that do not fit together, or not onto the machine: found out before anything runs. */
function isWrongPlugin(error: unknown): boolean {
  return error instanceof BusError && !(error instanceof TapError);
}

/** What went wrong, in one line. */
function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .replace(/^error: /, '')
    .replace(/too many arguments.*/, 'takes no argument beside its options; --help lists them')
    .replace(/\s*\n\s*/g, ' ');
}
