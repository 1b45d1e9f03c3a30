import { setImmediate as breathe } from 'node:timers/promises';
import { type CostLevel, type Ledger, profiles } from '@rpal/hw-x86';
import { Command, Option } from 'commander';
import { z } from 'zod';
import type { Io } from '../io.js';
import { JSON_HELP, JsonOutput } from '../json-output.js';
import { commandLine, envelope, envelopeOf } from '../report/envelope.js';
import { textTable } from '../report/text-table.js';
import { profileNamed, type RfcSettings } from '../rfc-settings.js';
import { ExitCode, wholeNumber } from '../usage.js';
import { pingPong } from './ping-pong.js';
import { type Prediction, predictions } from './predictions.js';

interface Flags {
  readonly profile: RfcSettings['profile'];
  readonly rounds: number;
  readonly json?: string;
}

/** A measurement of others, and what the model says. */
export interface Outcome extends Omit<Prediction, 'experiment'> {
  /** Microseconds per round trip. */
  readonly predicted: Readonly<Record<CostLevel, number>>;
  /** Of the central prediction, against the published figure. */
  readonly relativeError: number;
  /** Shares of the central prediction by cause, largest first. */
  readonly causes: readonly { readonly cause: string; readonly share: number }[];
}

const NOTE = `
Each row is a run on the model with no price changed for it. The published machines are not this profile, and where a source
leaves a condition open the column beside it says what was chosen. A row that is far off is a finding: about the model, or about
the condition. Low can exceed central where cheaper steps make a core just early enough to find its peer still awake, or late.`;

/** What `predict --json` writes. */
export const predictionsJson = envelopeOf(
  'predict',
  2,
  z.strictObject({ profile: z.string(), rounds: z.number().int() }),
  z.strictObject({
    outcomes: z.array(
      z.strictObject({
        what: z.string(),
        published: z.number().describe('microseconds per round trip'),
        source: z.string(),
        assumed: z.string().describe('what the source does not say and the experiment has to choose'),
        predicted: z.strictObject({ low: z.number(), central: z.number(), high: z.number() }).describe('microseconds per round trip'),
        relativeError: z.number().describe('of the central prediction'),
        causes: z.array(z.strictObject({ cause: z.string(), share: z.number() })),
      }),
    ),
  }),
);

/** `rpal-bench predict`: published measurements, predicted. */
export function predictCommand(io: Io, done: (code: number) => void): Command {
  return new Command('predict')
    .description(
      'Round trips that others measured (pipes, eventfds, epoll), predicted on the model, with sources, errors and what dominates.',
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
    .option('--json <file>', JSON_HELP)
    .action(async ({ profile, rounds, json }: Flags) => {
      const output = new JsonOutput(json, io);
      let interrupted = false;
      const noLonger = io.onInterrupt(() => {
        interrupted = true;
      });
      const outcomes: Outcome[] = [];
      for (const prediction of predictions) {
        await breathe();
        if (interrupted) break;
        outcomes.push(predict(prediction, profile, rounds));
      }
      noLonger();
      const complete = outcomes.length === predictions.length;
      const words = { profile: profile.name, rounds };
      const command = commandLine(['predict', '--profile', profile.name, '--rounds', String(rounds)]);
      output.write(envelope({ schema: 'rpal-bench/predict', version: 2, complete, settings: words, command }, { outcomes }));
      if (output.textWanted) {
        io.stdout.write(`${complete ? '' : 'PARTIAL RESULT, interrupted.\n\n'}${render(outcomes, profile.title)}\n${NOTE}\n`);
      }
      done(complete ? ExitCode.OK : ExitCode.INTERRUPTED);
    });
}

export function predict({ experiment, ...published }: Prediction, profile: RfcSettings['profile'], rounds: number): Outcome {
  const [low, central, high] = (['low', 'central', 'high'] as const).map((level) => pingPong({ ...experiment(profile, level), rounds }));
  const us = (run: typeof low): number => (run === undefined ? Number.NaN : run.cyclesPerRound / run.tscPerNs / 1000);
  const predicted = { low: us(low), central: us(central), high: us(high) };
  const causes = central === undefined ? [] : sharesOf(central.ledger);
  return { ...published, predicted, relativeError: predicted.central / published.published - 1, causes };
}

function sharesOf(ledger: Ledger): Outcome['causes'] {
  const sums = new Map<string, number>();
  for (const { step, cycles } of ledger.entries) sums.set(step.cause, (sums.get(step.cause) ?? 0) + cycles);
  return [...sums].map(([cause, cycles]) => ({ cause, share: cycles / ledger.total })).sort((a, b) => b.share - a.share);
}

function render(outcomes: readonly Outcome[], title: string): string {
  const rows = outcomes.map(({ what, published, predicted, relativeError, causes }) => [
    what,
    published.toFixed(2),
    predicted.central.toFixed(2),
    `${predicted.low.toFixed(2)} .. ${predicted.high.toFixed(2)}`,
    `${relativeError < 0 ? '' : '+'}${(100 * relativeError).toFixed(0)} %`,
    causes
      .slice(0, 3)
      .map(({ cause, share }) => `${cause} ${(100 * share).toFixed(0)} %`)
      .join(', '),
  ]);
  const table = textTable(['us per round trip', 'published', 'model', 'low .. high', 'error', 'most of it is'], rows, [0, 5]);
  const sources = [...new Set(outcomes.map(({ source }) => source))].map((source) => {
    const assumed = new Set(outcomes.filter((outcome) => outcome.source === source).map((outcome) => outcome.assumed));
    return `  ${source}\n    ${[...assumed].join('; ')}`;
  });
  return `${title}\n\n${table}\n\nSources, and what was assumed\n${sources.join('\n')}`;
}
