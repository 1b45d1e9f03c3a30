import { setImmediate as breathe } from 'node:timers/promises';
import { type System, verdicts } from '@rpal/compare';
import { COST_STATUSES, type CostLevel } from '@rpal/hw-x86';
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
import { type Run, renderSystem } from './os-text.js';
import { systemNamed } from './system-loader.js';
import { systems } from './systems.js';

interface Flags {
  readonly costs: CostLevel;
  readonly seed: number;
  readonly json?: string;
}

const value = z.union([z.number(), z.string()]);

/** What `os --json` writes. */
export const osJson = envelopeOf(
  'os',
  1,
  z.strictObject({ system: z.string(), costs: z.enum(['low', 'central', 'high']), seed: z.number().int() }),
  z.strictObject({
    title: z.string(),
    experiments: z.array(
      z.strictObject({
        name: z.string(),
        title: z.string(),
        rows: z.array(
          z.strictObject({
            id: z.string(),
            what: z.string(),
            published: value.describe('a figure, or a law in words'),
            unit: z.string().nullable().describe('null for a law'),
            within: z.number().nullable().describe('allowed distance as a share of the published figure; null: none'),
            source: z.string(),
            status: z.enum(COST_STATUSES),
            here: value,
            ratio: z.number().nullable().describe('here over published'),
            verdict: z.enum(['holds', 'misses', 'open']),
            why: z.string().describe('reason of a miss'),
          }),
        ),
        curves: z.array(
          z.strictObject({
            title: z.string(),
            over: z.string(),
            names: z.array(z.string()),
            points: z.array(z.strictObject({ at: z.number(), values: z.array(z.number().nullable()) })),
          }),
        ),
        left: z.array(z.string()).describe('what of the published experiment is not done here'),
      }),
    ),
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
  json.write(envelope(about, { title: system.title, experiments: runs.map(asData) }));
  if (json.textWanted) io.stdout.write(`${renderSystem(system, runs)}${complete ? '' : 'PARTIAL RESULT, interrupted\n'}`);
  tellWritten(io, `${runs.length} experiments`, json);
  return complete ? ExitCode.OK : ExitCode.INTERRUPTED;
}

async function runAll(system: System, options: { costs: CostLevel; seed: number }, progress: Progress): Promise<readonly Run[]> {
  const runs: Run[] = [];
  for (const experiment of system.experiments) {
    progress.show(experiment.name, runs.length, system.experiments.length);
    await breathe();
    if (progress.interrupted) break;
    const outcome = experiment.run(options);
    runs.push({ experiment, rows: verdicts(experiment, outcome), curves: outcome.curves ?? [] });
  }
  return runs;
}

function asData({ experiment: { name, title, left }, rows, curves }: Run) {
  return {
    name,
    title,
    rows: rows.map(({ published, here, ratio, verdict, why }) => ({
      id: published.id,
      what: published.what,
      published: published.value,
      unit: published.kind === 'figure' ? published.unit : null,
      within: published.kind === 'figure' ? published.within : null,
      source: published.source,
      status: published.status,
      here,
      ratio,
      verdict,
      why,
    })),
    curves,
    left,
  };
}
