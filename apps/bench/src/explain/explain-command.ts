import { type Mechanism, type Stretch, type Waiting, type Waterfall, waterfall } from '@rpal/compare';
import type { CostLevel } from '@rpal/hw-x86';
import type { IdleStateName } from '@rpal/sched';
import { type Frame, speedscopeFile } from '@rpal/trace';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { warmUpOf } from '../compare/comparison.js';
import { mechanismNamed } from '../compare/mechanism-loader.js';
import { sizeText } from '../compare/sizes.js';
import type { Io } from '../io.js';
import { JSON_HELP, JsonOutput } from '../json-output.js';
import { costsOption, idleOption, option, placementOption, profileOption } from '../machine-options.js';
import { MODULE_SYNTAX } from '../module-loader.js';
import { checkApart, OutputFile, tellWritten } from '../output-file.js';
import { profileWord } from '../profile-file.js';
import { commandLine, envelope, envelopeOf } from '../report/envelope.js';
import { whole } from '../report/numbers.js';
import { cpusFor, type Placement } from '../rfc-benchmark.js';
import { checkPlace, type RfcSettings } from '../rfc-settings.js';
import { ExitCode, UsageError, wholeNumber } from '../usage.js';
import { waterfallPage } from './explain-page.js';
import { drawWaterfall } from './explain-svg.js';
import { renderWaterfall } from './explain-text.js';

interface Flags {
  readonly size: number;
  readonly after: number;
  readonly profile: RfcSettings['profile'];
  readonly placement: Placement;
  readonly idle: IdleStateName;
  readonly costs: CostLevel;
  readonly html?: string;
  readonly svg?: string;
  readonly speedscope?: string;
  readonly json?: string;
}

const stretch = z.strictObject({
  at: z.number().describe('TSC cycles after the client began to send'),
  cycles: z.number().describe('TSC cycles'),
  step: z.string().describe('package and name'),
  cause: z.string(),
  cpu: z.number().int().nullable().describe('where the message is; null: on its way between two CPUs'),
});

/** What `explain --json` writes. */
export const explanationJson = envelopeOf(
  'explain',
  1,
  z.strictObject({
    mechanism: z.string(),
    size: z.number().int(),
    after: z.number().int().describe('messages before the one that is followed'),
    profile: z.string(),
    placement: z.string(),
    idle: z.string(),
    costs: z.string(),
  }),
  z.strictObject({
    there: z.array(stretch),
    back: z.array(stretch),
    oneWay: z.number(),
    roundTrip: z.number(),
    tscGHz: z.number(),
  }),
);

/** `rpal-bench explain`: one message, step by step. @param done receives the exit code */
export function explainCommand(io: Io, done: (code: number) => void): Command {
  return new Command('explain')
    .description(
      'Follows one message there and back, step by step: on which CPU it is, what is executed or waited for, and what that takes.',
    )
    .argument('<mechanism>', `${MODULE_SYNTAX}, as in compare`)
    .addOption(option('--size <bytes>', 'bytes of the message', wholeNumber('--size', 1, 1 << 20, 'bytes')).default(32))
    .addOption(option('--after <n>', 'messages before it', wholeNumber('--after', 10, 1_000_000, 'messages')).default(warmUpOf(1000)))
    .addOption(profileOption())
    .addOption(placementOption())
    .addOption(idleOption())
    .addOption(costsOption())
    .addOption(new Option('--html <file>', 'write a page with the picture and the table'))
    .addOption(new Option('--svg <file>', 'draw the picture to a file'))
    .addOption(new Option('--speedscope <file>', 'write stacks over time, by cause and by step, for https://www.speedscope.app'))
    .addOption(new Option('--json <file>', JSON_HELP))
    .action(async (mechanism: string, flags: Flags) => done(explain(await mechanismNamed(mechanism, io.directory), mechanism, flags, io)));
}

function explain(mechanism: Mechanism, named: string, { html, svg, speedscope, json, ...settings }: Flags, io: Io): number {
  const { size, after, profile, placement, idle, costs } = settings;
  checkPlace(settings);
  const [smallest, largest] = mechanism.sizes;
  if (size < smallest || size > largest)
    throw new UsageError(`--size: ${mechanism.name} takes ${smallest} to ${largest} bytes, not ${size}`);
  const page = html === undefined ? undefined : new OutputFile('--html', html);
  const picture = svg === undefined ? undefined : new OutputFile('--svg', svg);
  const stacks = speedscope === undefined ? undefined : new OutputFile('--speedscope', speedscope);
  const output = new JsonOutput(json, io);
  checkApart(page, picture, stacks, output);
  const found = waterfall(mechanism, {
    machine: { profile, idle, costs },
    size,
    cpus: cpusFor(profile, placement),
    waiting: mechanism.waits[0] as Waiting,
    warmUp: after,
  });
  const title = `One message of ${sizeText(size)}: ${mechanism.title}`;
  const conditions = `${profile.name}, ${placement}, idle in ${idle}, ${costs} step costs`;
  const words = { mechanism: mechanism.name, size, after, profile: profile.name, placement, idle, costs };
  const command = commandLine([
    'explain',
    named,
    ...Object.entries({ ...words, profile: profileWord(profile), idle: idle.toLowerCase() }).flatMap(([key, value]) =>
      key === 'mechanism' ? [] : [`--${key}`, String(value)],
    ),
  ]);
  page?.write(waterfallPage(title, conditions, found, command));
  picture?.write(drawWaterfall(title, found));
  stacks?.write(`${JSON.stringify(stacksOf(title, found))}\n`);
  output.write(envelope({ schema: 'rpal-bench/explain', version: 1, complete: true, settings: words, command }, found));
  if (output.textWanted) io.stdout.write(renderWaterfall(title, conditions, found));
  tellWritten(io, `${whole(Math.round(found.oneWay))} cycles one way`, page, picture, stacks, output);
  return ExitCode.OK;
}

/** Cycles as stacks: what was executed within why it was, on the way there and on the way back. */
function stacksOf(title: string, { there, back }: Waterfall) {
  const framesOf = (stretches: readonly Stretch[]): Frame[] =>
    stretches.flatMap(({ at, cycles, cause, step }, index) => {
      const frame = { name: step, begin: at, end: at + cycles };
      if (stretches[index - 1]?.cause === cause) return [frame];
      const other = stretches.slice(index).find((next) => next.cause !== cause);
      const last = stretches.at(-1) as Stretch;
      return [{ name: cause, begin: at, end: other?.at ?? last.at + last.cycles }, frame];
    });
  return speedscopeFile(title, 'none', [
    ['the way there', framesOf(there)],
    ['the way back', framesOf(back)],
  ]);
}
