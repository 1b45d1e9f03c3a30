import { setImmediate as breathe } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { z } from 'zod';
import type { Io } from '../io.js';
import { JSON_HELP, JsonOutput } from '../json-output.js';
import { idleOption, profileOption } from '../machine-options.js';
import { profileWord } from '../profile-file.js';
import { Progress } from '../progress.js';
import { commandLine, envelope, envelopeOf } from '../report/envelope.js';
import { textTable } from '../report/text-table.js';
import { checkPlace, PROFILE_HELP } from '../rfc-settings.js';
import { ExitCode, wholeNumber } from '../usage.js';
import { roundsOption } from './host-command.js';
import { type HostSource, hostOption, hostReport, sourceWords } from './host-source.js';
import { circumstances, figure, spreadText } from './host-text.js';
import { type Accuracy, accuracyOf, type ModelSettings, type Validated, validated } from './validation.js';

interface Flags extends HostSource, Omit<ModelSettings, 'idle'> {
  readonly idle?: ModelSettings['idle'];
  readonly json?: string;
}

const ns = z.number().describe('nanoseconds per round trip');
const PLACEMENTS = ['same-cpu', 'same-socket'] as const;

/** What `validate --json` writes. */
export const validationJson = envelopeOf(
  'validate',
  2,
  z.strictObject({
    profile: z.string(),
    host: z.string().nullable().describe('null: measured now'),
    rounds: z.number().int(),
    idle: z.string(),
    messages: z.number().int(),
    seeds: z.number().int().describe('runs on the model, per row and cost level'),
  }),
  z.strictObject({
    rows: z.array(
      z.strictObject({
        mechanism: z.string(),
        placement: z.enum(PLACEMENTS),
        size: z.number().int().describe('bytes'),
        median: ns.describe('measured, nanoseconds per round trip'),
        low: ns.describe('a quarter of the rounds are below'),
        high: ns.describe('a quarter of the rounds are above'),
        predicted: z.strictObject({ low: ns, central: ns, high: ns }).describe('the median of the seeds, at each cost level'),
        seeds: z.strictObject({ low: ns, high: ns }).describe('at central costs; all seeds lie within'),
        relativeError: z.number().describe('of the central prediction against the median'),
        causes: z.array(z.strictObject({ cause: z.string(), share: z.number() })).describe('of the central prediction'),
      }),
    ),
    accuracy: z
      .array(
        z.strictObject({
          placement: z.enum(PLACEMENTS),
          count: z.number().int(),
          median: z.number().describe('of the absolute relative errors'),
          worst: z.number(),
        }),
      )
      .describe('one for each placement that was measured'),
    doubts: z.array(z.string()).describe('why measured figures may not be trusted'),
  }),
);

/** `rpal-bench validate`: predicted beside measured. @param done receives the exit code */
export function validateCommand(io: Io, done: (code: number) => void): Command {
  return new Command('validate')
    .description('Round trips of this computer, predicted on the model beside what was measured: errors, and what dominates.')
    .addOption(profileOption(`${PROFILE_HELP}, such as calibrate writes`))
    .addOption(hostOption())
    .addOption(roundsOption())
    .addOption(idleOption('idle CPUs of the model').default(undefined, 'guest if this computer is one, else c1'))
    .addOption(
      new Option('--messages <n>', 'round trips on the model, per row and cost level')
        .argParser(wholeNumber('--messages', 1, 1_000_000, 'round trips'))
        .default(100),
    )
    .addOption(
      new Option('--seeds <n>', 'runs per row and cost level, with other disturbances each; their median counts')
        .argParser(wholeNumber('--seeds', 1, 1000, 'seeds'))
        .default(5),
    )
    .addOption(new Option('--json <file>', JSON_HELP))
    .action(async (flags: Flags) => {
      const { profile, messages, seeds } = flags;
      const output = new JsonOutput(flags.json, io);
      const progress = new Progress(io);
      try {
        const report = await hostReport(flags, io.directory, progress);
        const idle = flags.idle ?? (report?.computer.guest === true ? 'guest' : 'C1');
        checkPlace({ profile, idle, placement: 'same-socket' });
        const rows: Validated[] = [];
        const composites = report?.composites ?? [];
        for (const [index, composite] of composites.entries()) {
          progress.show(`${composite.mechanism}, ${composite.size} bytes, on the model`, index, composites.length);
          await breathe();
          if (progress.interrupted) break;
          const row = validated(composite, { profile, idle, messages, seeds });
          if (row !== null) rows.push(row);
        }
        const complete = report !== null && !progress.interrupted;
        const accuracy = PLACEMENTS.flatMap((placement) => {
          const those = rows.filter((row) => row.placement === placement);
          return those.length === 0 ? [] : [{ placement, ...accuracyOf(those) }];
        });
        const settings = { profile: profile.name, host: flags.host ?? null, rounds: flags.rounds, idle, messages, seeds };
        const model = [
          '--profile',
          profileWord(profile),
          '--idle',
          idle.toLowerCase(),
          '--messages',
          String(messages),
          '--seeds',
          String(seeds),
        ];
        const command = commandLine(['validate', ...sourceWords(flags), ...model]);
        const data = { rows, accuracy, doubts: report?.doubts ?? [] };
        output.write(envelope({ schema: 'rpal-bench/validate', version: 2, complete, settings, command }, data));
        if (output.textWanted) {
          const measured = report === null ? '' : `${circumstances(report)}\n`;
          io.stdout.write(`${complete ? '' : 'PARTIAL RESULT, interrupted.\n\n'}${measured}${render(rows, accuracy, { profile, idle })}`);
        }
        done(complete ? ExitCode.OK : ExitCode.INTERRUPTED);
      } finally {
        progress.end();
      }
    });
}

function render(
  rows: readonly Validated[],
  accuracy: readonly (Accuracy & { readonly placement: string })[],
  { profile, idle }: Pick<ModelSettings, 'profile' | 'idle'>,
): string {
  const tables = accuracy.map(({ placement, count, median, worst }) => {
    const cells = rows
      .filter((row) => row.placement === placement)
      .map(({ mechanism, size, predicted, relativeError, ...measured }) => [
        mechanism,
        String(size),
        figure(measured.median),
        percent((measured.high - measured.low) / 2 / measured.median),
        ...spreadText({ median: predicted.central, low: predicted.low, high: predicted.high }),
        percent(relativeError, '+'),
      ]);
    const head = [placement, 'bytes', 'measured', '+/-', 'model', 'low .. high', 'error'];
    return `${textTable(head, cells)}\n${count} round trips, error ${percent(median)} in the median, ${percent(worst)} at worst`;
  });
  const parts = rows.map(({ mechanism, size, placement, causes }) => [
    mechanism,
    String(size),
    placement,
    causes
      .slice(0, 3)
      .map(({ cause, share }) => `${cause} ${percent(share)}`)
      .join(', '),
  ]);
  return `The model: ${profile.title}, idle in ${idle}

Nanoseconds per round trip

${tables.join('\n\n')}

What most of the model's is

${textTable(['', 'bytes', 'where', ''], parts, [0, 2, 3])}

Measured is the median of the rounds; half of them lie within as much to both
sides as +/- says. The model is the median of some seeds, between which small
disturbances differ; low and high have all costs at one end at once.
`;
}

function percent(share: number, sign = ''): string {
  return `${share >= 0 ? sign : ''}${(100 * share).toFixed(0)} %`;
}
