import { setImmediate as breathe } from 'node:timers/promises';
import { type CostLevel, disturbances, type Ledger, profiles } from '@rpal/hw-x86';
import { Command, Option } from 'commander';
import { z } from 'zod';
import type { Io } from '../io.js';
import { JSON_HELP, JsonOutput } from '../json-output.js';
import { experimentData, experimentJson, type Run, runOf } from '../os/experiment-data.js';
import { READING, renderRun } from '../os/os-text.js';
import { profileWord } from '../profile-file.js';
import { Progress } from '../progress.js';
import { commandLine, envelope, envelopeOf } from '../report/envelope.js';
import { textTable } from '../report/text-table.js';
import { profileNamed, type RfcSettings } from '../rfc-settings.js';
import { FIRST_SEED, overSeeds } from '../seeds.js';
import { ExitCode, wholeNumber } from '../usage.js';
import { experiments } from './experiments/index.js';
import { type PingPongResult, pingPong } from './experiments/ping-pong.js';
import { type Prediction, predictions } from './predictions.js';
import { modeText, type SeedRun, type SeedSpread, spreadOver } from './seeds.js';

interface Flags {
  readonly profile: RfcSettings['profile'];
  readonly rounds: number;
  readonly seeds: number;
  readonly json?: string;
}

/** A measurement of others, and what the model says. */
export interface Outcome extends Omit<Prediction, 'experiment'> {
  /** Microseconds per round trip; the central one is the median of the seeds. */
  readonly predicted: Readonly<Record<CostLevel, number>>;
  /** At central costs. */
  readonly seeds: SeedSpread;
  /** Of the central prediction, against the published figure. */
  readonly relativeError: number;
  /** Shares of the central prediction by cause, largest first. */
  readonly causes: readonly { readonly cause: string; readonly share: number }[];
}

const NOTE = `
Each row is a run on the model with no price changed for it. The published
machines are not this profile, and where a source leaves a condition open, the
sentence below it says what was chosen. A row that is far off is a finding:
about the model, or about the condition. The central figure is the median of
some seeds, between which small disturbances differ: idle exits, interrupts,
kernel entries. Where the seeds lie more than a tenth apart, two modes are
named: two CPUs can stay awake together, or find each other asleep. Low can
exceed central where cheaper steps make a core just early enough to find its
peer still awake, or late.`;

/** What `predict --json` writes. */
export const predictionsJson = envelopeOf(
  'predict',
  4,
  z.strictObject({ profile: z.string(), rounds: z.number().int(), seeds: z.number().int() }),
  z.strictObject({
    outcomes: z.array(
      z.strictObject({
        what: z.string(),
        published: z.number().describe('microseconds per round trip'),
        source: z.string(),
        assumed: z.string().describe('what the source does not say and the experiment has to choose'),
        predicted: z.strictObject({ low: z.number(), central: z.number(), high: z.number() }).describe('microseconds per round trip'),
        seeds: z
          .strictObject({
            median: z.number(),
            low: z.number(),
            high: z.number(),
            modes: z.array(
              z.strictObject({
                seeds: z.number().int(),
                trip: z.number().describe('median, microseconds'),
                asleep: z.number().describe('of the wake-ups, how many found the other CPU idle'),
              }),
            ),
          })
          .describe('microseconds per round trip at central costs, over the seeds; two modes if they lie more than a tenth apart'),
        relativeError: z.number().describe('of the central prediction'),
        causes: z.array(z.strictObject({ cause: z.string(), share: z.number() })),
      }),
    ),
    experiments: z.array(experimentJson).describe('several mechanisms or sizes together, with the first seed'),
  }),
);

/** `rpal-bench predict`: published measurements, predicted. */
export function predictCommand(io: Io, done: (code: number) => void): Command {
  return new Command('predict')
    .description(
      'What others measured, predicted on the model: round trips of pipes, eventfds and epoll with errors and what dominates, and orders and ratios of mechanisms and sizes.',
    )
    .addOption(
      new Option('--profile <name>', `CPUs: ${profiles.map(({ name }) => name).join(', ')}`)
        .argParser(profileNamed)
        .default(profiles[0], profiles[0]?.name),
    )
    .addOption(
      new Option('--rounds <n>', 'round trips per row and cost level')
        .argParser(wholeNumber('--rounds', 10, 1_000_000, 'round trips'))
        .default(1000),
    )
    .addOption(
      new Option('--seeds <n>', 'runs per row, with other disturbances each')
        .argParser(wholeNumber('--seeds', 1, 1000, 'seeds'))
        .default(5),
    )
    .option('--json <file>', JSON_HELP)
    .action(async ({ profile, rounds, seeds, json }: Flags) => {
      const output = new JsonOutput(json, io);
      const progress = new Progress(io);
      const all = predictions.length + experiments.length;
      const outcomes: Outcome[] = [];
      const runs: Run[] = [];
      try {
        for (const prediction of predictions) {
          progress.show(prediction.what, outcomes.length, all);
          await breathe();
          if (progress.interrupted) break;
          outcomes.push(predict(prediction, profile, rounds, seeds));
        }
        for (const experiment of experiments) {
          progress.show(experiment.name, outcomes.length + runs.length, all);
          await breathe();
          if (progress.interrupted) break;
          runs.push(runOf(experiment, { costs: 'central', seed: FIRST_SEED }));
        }
      } finally {
        progress.end();
      }
      const complete = outcomes.length === predictions.length && runs.length === experiments.length;
      const words = { profile: profile.name, rounds, seeds };
      const command = commandLine(['predict', '--profile', profileWord(profile), '--rounds', String(rounds), '--seeds', String(seeds)]);
      output.write(
        envelope(
          { schema: 'rpal-bench/predict', version: 4, complete, settings: words, command },
          { outcomes, experiments: runs.map(experimentData) },
        ),
      );
      if (output.textWanted) {
        io.stdout.write(
          `${complete ? '' : 'PARTIAL RESULT, interrupted.\n\n'}${render(outcomes, profile.title)}\n${NOTE}\n\n${renderRuns(runs)}\n`,
        );
      }
      done(complete ? ExitCode.OK : ExitCode.INTERRUPTED);
    });
}

/** @param seeds runs at central costs, each with other disturbances */
export function predict({ experiment, ...published }: Prediction, profile: RfcSettings['profile'], rounds: number, seeds: number): Outcome {
  const run = (level: CostLevel, seed: number): PingPongResult => {
    const { machine, ...options } = experiment(profile, level);
    return pingPong({ ...options, machine: { ...machine, seed, disturbance: disturbances }, rounds });
  };
  const us = ({ cyclesPerRound, tscPerNs }: PingPongResult): number => cyclesPerRound / tscPerNs / 1000;
  const central = overSeeds(seeds, (seed) => run('central', seed));
  const spread = spreadOver(central.map((each, index): SeedRun => ({ seed: FIRST_SEED + index, trip: us(each), asleep: asleepIn(each) })));
  const typical = central.find((each) => us(each) === spread.median) as PingPongResult;
  const predicted = { low: us(run('low', FIRST_SEED)), central: spread.median, high: us(run('high', FIRST_SEED)) };
  return {
    ...published,
    predicted,
    seeds: spread,
    relativeError: spread.median / published.published - 1,
    causes: sharesOf(typical.ledger),
  };
}

/** How many of the two wake-ups of a round trip end an idle period. */
function asleepIn({ ledger, rounds }: PingPongResult): number {
  return (ledger.entries.find(({ step }) => step.name === '@rpal/sched:idleLeave')?.count ?? 0) / (2 * rounds);
}

function sharesOf(ledger: Ledger): Outcome['causes'] {
  const sums = new Map<string, number>();
  for (const { step, cycles } of ledger.entries) sums.set(step.cause, (sums.get(step.cause) ?? 0) + cycles);
  return [...sums].map(([cause, cycles]) => ({ cause, share: cycles / ledger.total })).sort((a, b) => b.share - a.share);
}

function render(outcomes: readonly Outcome[], title: string): string {
  const rows = outcomes.map(({ what, published, predicted, seeds, relativeError, causes }) => [
    what,
    published.toFixed(2),
    predicted.central.toFixed(2),
    `${seeds.low.toFixed(2)} .. ${seeds.high.toFixed(2)}`,
    `${predicted.low.toFixed(2)} .. ${predicted.high.toFixed(2)}`,
    `${relativeError < 0 ? '' : '+'}${(100 * relativeError).toFixed(0)} %`,
    causes
      .slice(0, 3)
      .map(({ cause, share }) => `${cause} ${(100 * share).toFixed(0)} %`)
      .join(', '),
  ]);
  const table = textTable(['us per round trip', 'published', 'model', 'seeds', 'low .. high', 'error', 'most of it is'], rows, [0, 6]);
  const apart = outcomes.filter(({ seeds }) => seeds.modes.length > 1);
  const modes = apart.map(({ what, seeds }) => `  ${what}: ${seeds.modes.map(modeText).join('; ')}`);
  const sources = [...new Set(outcomes.map(({ source }) => source))].map((source) => {
    const assumed = new Set(outcomes.filter((outcome) => outcome.source === source).map((outcome) => outcome.assumed));
    return `  ${source}\n    ${[...assumed].join('; ')}`;
  });
  const named = modes.length === 0 ? '' : `\n\nSeeds that lie more than a tenth apart\n${modes.join('\n')}`;
  return `${title}\n\n${table}${named}\n\nSources, and what was assumed\n${sources.join('\n')}`;
}

function renderRuns(runs: readonly Run[]): string {
  const head = 'Orders and ratios of several mechanisms or sizes, central prices, first seed';
  return [head, '', ...runs.flatMap(renderRun), READING].join('\n');
}
