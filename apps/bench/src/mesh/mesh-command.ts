import { setImmediate as breathe } from 'node:timers/promises';
import type { Mechanism } from '@rpal/compare';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { mechanismNamed } from '../compare/mechanism-loader.js';
import type { Io } from '../io.js';
import { JSON_HELP, JsonOutput } from '../json-output.js';
import { option, placementOption, profileOption } from '../machine-options.js';
import { MODULE_SYNTAX } from '../module-loader.js';
import { tellWritten } from '../output-file.js';
import { profileWord } from '../profile-file.js';
import { Progress } from '../progress.js';
import { commandLine, envelope, envelopeOf } from '../report/envelope.js';
import { percent, whole } from '../report/numbers.js';
import { textTable } from '../report/text-table.js';
import type { Placement } from '../rfc-benchmark.js';
import { checkPlace, type RfcSettings } from '../rfc-settings.js';
import { ExitCode, UsageError, wholeNumber } from '../usage.js';
import { CLAIMED, crossing, HANDLERS, type Line, meshLine } from './mesh.js';

interface Flags {
  readonly from: string;
  readonly to: string;
  readonly rate: number;
  readonly size: number;
  readonly hops: number;
  readonly calls: number;
  readonly requests: number;
  readonly profile: RfcSettings['profile'];
  readonly placement: Placement;
  readonly json?: string;
}

/** What `mesh --json` writes. */
export const meshJson = envelopeOf(
  'mesh',
  1,
  z.strictObject({
    from: z.string(),
    to: z.string(),
    rate: z.number().describe('requests per second'),
    size: z.number().int().describe('bytes of request and answer'),
    hops: z.number().int().describe('exchanges per request'),
    calls: z.number().int().describe('system calls of a handler'),
    requests: z.number().int(),
    profile: z.string(),
    placement: z.string(),
  }),
  z.strictObject({
    lines: z.array(
      z.strictObject({
        handler: z.number().describe('microseconds of computing per request'),
        before: z.number().describe('CPU microseconds per request'),
        after: z.number().describe('CPU microseconds per request'),
        saved: z.number().describe('share of the CPU time'),
      }),
    ),
    claimedAt: z.number().nullable().describe('handler microseconds at which 15.5 % are saved; null: nowhere among those tried'),
  }),
);

/** `rpal-bench mesh`: what a service mesh would save. @param done receives the exit code */
export function meshCommand(io: Io, done: (code: number) => void): Command {
  return new Command('mesh')
    .description(
      'What an application beside its proxy would save: CPU time per request with one mechanism and with another, by the time that handlers compute.',
    )
    .addOption(new Option('--from <mechanism>', `what is used today: ${MODULE_SYNTAX}`).default('unix'))
    .addOption(new Option('--to <mechanism>', 'what it would be').default('rpal'))
    .addOption(option('--rate <n>', 'requests per second', wholeNumber('--rate', 1, 1_000_000, 'requests per second')).default(10_000))
    .addOption(option('--size <bytes>', 'bytes of request and answer', wholeNumber('--size', 1, 1 << 20, 'bytes')).default(256))
    .addOption(
      option('--hops <n>', 'exchanges per request: application to proxy and back is one', wholeNumber('--hops', 1, 16, 'hops')).default(1),
    )
    .addOption(option('--calls <n>', 'system calls of each handler', wholeNumber('--calls', 0, 1000, 'calls')).default(2))
    .addOption(option('--requests <n>', 'requests per line', wholeNumber('--requests', 10, 1_000_000, 'requests')).default(200))
    .addOption(profileOption())
    .addOption(placementOption('the two'))
    .addOption(new Option('--json <file>', JSON_HELP))
    .action(async (flags: Flags) => done(await mesh(flags, io)));
}

async function mesh(flags: Flags, io: Io): Promise<number> {
  const { from, to, rate, size, hops, calls, requests: count, profile, placement } = flags;
  checkPlace({ profile, placement, idle: 'C1E' });
  const json = new JsonOutput(flags.json, io);
  const [before, after] = [await mechanismNamed(from, io.directory), await mechanismNamed(to, io.directory)];
  for (const { name, sizes } of [before, after]) {
    if (size < sizes[0] || size > sizes[1]) throw new UsageError(`--size: ${name} takes ${sizes[0]} to ${sizes[1]} bytes, not ${size}`);
  }
  const progress = new Progress(io);
  const lines: Line[] = [];
  try {
    for (const [index, handler] of HANDLERS.entries()) {
      progress.show('handler times', index, HANDLERS.length);
      await breathe();
      if (progress.interrupted) break;
      lines.push(meshLine(before, after, flags, handler));
    }
  } finally {
    progress.end();
  }
  const complete = lines.length === HANDLERS.length;
  const claimedAt = crossing(lines);
  const settings = { from, to, rate, size, hops, calls, requests: count, profile: profile.name, placement };
  const words = { ...settings, profile: profileWord(profile) };
  const command = commandLine(['mesh', ...Object.entries(words).flatMap(([key, value]) => [`--${key}`, String(value)])]);
  json.write(envelope({ schema: 'rpal-bench/mesh', version: 1, complete, settings, command }, { lines, claimedAt }));
  if (json.textWanted) io.stdout.write(render(flags, [before, after], lines, claimedAt, complete));
  tellWritten(io, `${lines.length} handler times`, json);
  return complete ? ExitCode.OK : ExitCode.INTERRUPTED;
}

function render(
  flags: Flags,
  [before, after]: readonly [Mechanism, Mechanism],
  lines: readonly Line[],
  claimedAt: number | null,
  complete: boolean,
): string {
  const { rate, size, hops, calls, placement, profile } = flags;
  const rows = lines.map(({ handler, before: a, after: b, saved }) => [
    String(handler),
    a.toFixed(2),
    b.toFixed(2),
    percent(saved),
    `${((a * rate) / 1e4).toFixed(1)} % -> ${((b * rate) / 1e4).toFixed(1)} %`,
  ]);
  const claim = percent(CLAIMED);
  const verdict =
    claimedAt === null
      ? `At none of these is the saving ${claim}, which the RFC states as the most.`
      : `The RFC's ${claim} are met where handlers compute about ${claimedAt.toFixed(0)} us per request;\nlonger ones save less.`;
  return [
    profile.title,
    `${whole(rate)} requests a second of ${size} bytes, ${hops} ${hops === 1 ? 'hop' : 'hops'} each, ${calls} system calls per handler, ${placement}${complete ? '' : ' (PARTIAL RESULT, interrupted)'}`,
    '',
    textTable(['handler us', `${before.name} us`, `${after.name} us`, 'saved', 'of one CPU'], rows),
    '',
    'Microseconds of CPU time per request on both sides, idle states left out, the',
    "client's own sleep between requests included.",
    verdict,
    '',
  ].join('\n');
}
