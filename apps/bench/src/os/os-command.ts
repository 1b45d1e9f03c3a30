import { setImmediate as breathe } from 'node:timers/promises';
import type { ExperimentOptions, System } from '@rpal/compare';
import type { CostLevel } from '@rpal/hw-x86';
import { Argument, Command } from 'commander';
import { z } from 'zod';
import type { Io } from '../io.js';
import { JSON_HELP, JsonOutput } from '../json-output.js';
import { costsOption, seedOption } from '../machine-options.js';
import { MODULE_SYNTAX } from '../module-loader.js';
import { tellWritten } from '../output-file.js';
import { Progress } from '../progress.js';
import { commandLine, envelope, envelopeOf } from '../report/envelope.js';
import { ExitCode } from '../usage.js';
import { experimentData, experimentJson, type Run, runOf } from './experiment-data.js';
import { renderSystem } from './os-text.js';
import { systemNamed } from './system-loader.js';
import { systems } from './systems.js';

interface Flags {
  readonly costs: CostLevel;
  readonly seed: number;
  readonly json?: string;
}

/** What `os --json` writes. */
export const osJson = envelopeOf(
  'os',
  1,
  z.strictObject({ system: z.string(), costs: z.enum(['low', 'central', 'high']), seed: z.number().int() }),
  z.strictObject({
    title: z.string(),
    experiments: z.array(experimentJson),
  }),
);

/** `rpal-bench os`: other structures for an operating system, beside what was published about them. @param done receives the exit code */
export function osCommand(io: Io, done: (code: number) => void): Command {
  return new Command('os')
    .description('Other structures for an operating system: what was published about them, and what comes out on modelled machines.')
    .addArgument(new Argument('[system]', `${MODULE_SYNTAX}; without one, the list`))
    .addOption(costsOption())
    .addOption(seedOption())
    .option('--json <file>', JSON_HELP)
    .action(async (name: string | undefined, flags: Flags) => done(name === undefined ? list(io) : await run(name, flags, io)));
}

function list(io: Io): number {
  for (const { name, title } of systems) io.stdout.write(`  ${name.padEnd(16)}${title}\n`);
  return ExitCode.OK;
}

async function run(name: string, { costs, seed, json: file }: Flags, io: Io): Promise<number> {
  const system = await systemNamed(name, io.directory);
  const json = new JsonOutput(file, io);
  const progress = new Progress(io);
  const runs = await runAll(system, { costs, seed }, progress).finally(() => progress.end());
  const complete = runs.length === system.experiments.length;
  const command = commandLine(['os', name, '--costs', costs, '--seed', String(seed)]);
  const about = { schema: 'rpal-bench/os', version: 1, complete, settings: { system: system.name, costs, seed }, command };
  json.write(envelope(about, { title: system.title, experiments: runs.map(experimentData) }));
  if (json.textWanted) io.stdout.write(`${renderSystem(system, runs)}${complete ? '' : 'PARTIAL RESULT, interrupted\n'}`);
  tellWritten(io, `${runs.length} experiments`, json);
  return complete ? ExitCode.OK : ExitCode.INTERRUPTED;
}

async function runAll(system: System, options: ExperimentOptions, progress: Progress): Promise<readonly Run[]> {
  const runs: Run[] = [];
  for (const experiment of system.experiments) {
    progress.show(experiment.name, runs.length, system.experiments.length);
    await breathe();
    if (progress.interrupted) break;
    runs.push(runOf(experiment, options));
  }
  return runs;
}
