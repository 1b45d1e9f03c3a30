import { setImmediate as breathe } from 'node:timers/promises';
import { CompareError } from '@rpal/compare';
import type { CostLevel } from '@rpal/hw-x86';
import type { IdleStateName } from '@rpal/sched';
import { Command, Option } from 'commander';
import { z } from 'zod';
import type { Io } from '../io.js';
import { JSON_HELP, JsonOutput } from '../json-output.js';
import { costsOption, idleOption, option, placementOption, profileOption, seedOption } from '../machine-options.js';
import { MODULE_SYNTAX } from '../module-loader.js';
import { checkApart, OutputFile, tellWritten } from '../output-file.js';
import { profileWord } from '../profile-file.js';
import { Progress } from '../progress.js';
import { commandLine, envelope, envelopeOf } from '../report/envelope.js';
import type { Placement } from '../rfc-benchmark.js';
import { checkPlace } from '../rfc-settings.js';
import { ExitCode, oneOf, UsageError, wholeNumber } from '../usage.js';
import { drawComparison } from './compare-svg.js';
import { type Comparison, renderComparison } from './compare-text.js';
import {
  COST_WORKLOADS,
  type CompareSettings,
  type CostRow,
  checkWorkload,
  costRow,
  type Left,
  measureRow,
  type Row,
  WORKLOADS,
  type WorkloadName,
  whyNoCost,
  whyNot,
} from './comparison.js';
import { builtInMechanisms, mechanismsNamed } from './mechanism-loader.js';
import { sizeFrom } from './sizes.js';

interface Flags {
  readonly mechanism: string;
  readonly workload: WorkloadName;
  readonly size: readonly number[];
  readonly messages: number;
  readonly profile: CompareSettings['profile'];
  readonly placement: Placement;
  readonly idle: IdleStateName;
  readonly costs: CostLevel;
  readonly seed: number;
  readonly waiting: CompareSettings['waiting'];
  readonly handler: number;
  readonly calls: number;
  readonly depth: number;
  readonly clients: number;
  readonly svg?: string;
  readonly json?: string;
  readonly list?: true;
}

const LARGEST = 1024 * 1024;

const cycles = z.number().describe('TSC cycles per message');
const perMessage = z.number().describe('per message');

/** What `compare --json` writes. */
export const comparisonJson = envelopeOf(
  'compare',
  2,
  z.strictObject({
    mechanisms: z.array(z.string()),
    workload: z.enum(WORKLOADS),
    sizes: z.array(z.number().int()).describe('bytes'),
    messages: z.number().int(),
    profile: z.string(),
    placement: z.enum(['same-cpu', 'same-socket', 'cross-socket']),
    idle: z.string(),
    costs: z.enum(['low', 'central', 'high']),
    seed: z.number().int(),
    waiting: z.enum(['own', 'sleep', 'poll']),
    handlerCycles: cycles,
    handlerCalls: perMessage,
    depth: z.number().int().describe('of batch and cost: requests before their answers'),
    clients: z.number().int().describe('of fan-in'),
  }),
  z.strictObject({
    rows: z.array(
      z.strictObject({
        mechanism: z.string(),
        size: z.number().int().describe('bytes'),
        waiting: z.enum(['sleep', 'poll']),
        oneWay: cycles.nullable().describe('from the beginning of a send to its receipt; null where messages overlap'),
        roundTrip: cycles.nullable(),
        interval: cycles.nullable().describe('between two messages, where they overlap'),
        busy: cycles.describe('what the CPUs of both sides were not halted for'),
        copies: z.number().int().describe('of each byte'),
        counts: z.strictObject({
          kernelEntries: perMessage,
          contextSwitches: perMessage,
          pageFaults: perMessage,
          ipis: perMessage,
          tlbFlushes: perMessage,
          linesMoved: perMessage,
        }),
        causes: z.array(z.strictObject({ cause: z.string(), cycles })).describe('of the way there; they add up to it'),
        fingerprint: z.string().describe('hash of the final state of the machine'),
      }),
    ),
    costs: z
      .array(
        z.strictObject({
          workload: z.enum(COST_WORKLOADS),
          mechanism: z.string(),
          size: z.number().int().describe('bytes'),
          waiting: z.enum(['sleep', 'poll']),
          cores: z.number().int().nullable().describe('from which on several cores beat one thread, of stream and batch 2; null: none do'),
          work: cycles.nullable().describe('from which on they do, of fan-in the one asked for; null: they never do'),
          byMechanism: cycles.describe('with these cores and this work'),
          oneThread: cycles.describe('with this work'),
        }),
      )
      .describe('of the workload cost, which has no rows'),
    left: z.array(z.strictObject({ mechanism: z.string(), size: z.number().int(), why: z.string() })),
  }),
);

/** `rpal-bench compare`: mechanisms side by side. @param done receives the exit code */
export function compareCommand(io: Io, done: (code: number) => void): Command {
  return new Command('compare')
    .description('Ways to exchange messages side by side: one workload and one machine, and what each message took with each of them.')
    .addOption(
      new Option(
        '--mechanism <names>',
        `all of Linux and of RPAL, or with commas between: ${MODULE_SYNTAX}; --list shows the names`,
      ).default('all'),
    )
    .addOption(
      option(
        '--workload <name>',
        'ping-pong: one message at a time; stream: as many as fit; batch: several requests, then their answers; request: ping-pong with a server that works on each; fan-in: several clients of one server; cost: from how much work per message two CPUs beat one thread, in a stream and in batches, and how many cores do with several clients',
        oneOf('--workload', WORKLOADS),
      ).default('ping-pong', 'ping-pong'),
    )
    .addOption(option('--size <bytes>', 'sizes with commas between, such as 32,4k,1m', sizesFrom).default([32], '32'))
    .addOption(
      option('--messages <n>', 'messages per mechanism and size', wholeNumber('--messages', 1, 10_000_000, 'messages')).default(1000),
    )
    .addOption(profileOption())
    .addOption(placementOption())
    .addOption(idleOption())
    .addOption(costsOption())
    .addOption(seedOption())
    .addOption(
      option('--waiting <how>', 'sleep, poll, or own: as each mechanism does', oneOf('--waiting', ['own', 'sleep', 'poll'])).default(
        'own',
        'own',
      ),
    )
    .addOption(
      option(
        '--handler <cycles>',
        'TSC cycles per request: of the server, or with cost of each of several clients',
        wholeNumber('--handler', 0, 1e9, 'cycles'),
      ).default(5000),
    )
    .addOption(option('--calls <n>', 'system calls of the server per request', wholeNumber('--calls', 0, 1000, 'calls')).default(0))
    .addOption(
      option('--depth <n>', 'of batch and cost: requests before their answers', wholeNumber('--depth', 1, 10_000, 'requests')).default(10),
    )
    .addOption(option('--clients <n>', 'of fan-in, each on a core of its own', wholeNumber('--clients', 1, 255, 'clients')).default(4))
    .addOption(new Option('--list', 'show the mechanisms and end'))
    .addOption(new Option('--svg <file>', 'draw a chart to a file'))
    .addOption(new Option('--json <file>', JSON_HELP))
    .action(async (flags: Flags) => done(flags.list === true ? list(io) : await compare(flags, io)));
}

function list(io: Io): number {
  io.stdout.write(`${builtInMechanisms.map(({ name, title }) => `  ${name.padEnd(16)}${title}`).join('\n')}\n`);
  return ExitCode.OK;
}

/** Parses `--size`. */
function sizesFrom(text: string): readonly number[] {
  const sizes = text.split(',').map((word) => sizeFrom('--size', word, LARGEST));
  return [...new Set(sizes)].sort((a, b) => a - b);
}

async function compare(flags: Flags, io: Io): Promise<number> {
  const settings: CompareSettings = {
    mechanisms: await mechanismsNamed(flags.mechanism, io.directory),
    workload: flags.workload,
    sizes: flags.size,
    messages: flags.messages,
    profile: flags.profile,
    placement: flags.placement,
    idle: flags.idle,
    costs: flags.costs,
    seed: flags.seed,
    waiting: flags.waiting,
    handlerCycles: flags.workload === 'request' || flags.workload === 'cost' ? flags.handler : 0,
    handlerCalls: flags.workload === 'request' ? flags.calls : 0,
    depth: flags.depth,
    clients: flags.clients,
  };
  checkPlace(settings);
  if (settings.workload === 'cost' && flags.svg !== undefined) {
    throw new UsageError('--svg draws cycles per message; --workload cost has a table, and --json');
  }
  checkWorkload(settings);
  const json = new JsonOutput(flags.json, io);
  const svg = flags.svg === undefined ? undefined : new OutputFile('--svg', flags.svg);
  checkApart(json, svg);
  const progress = new Progress(io);
  const comparison = await run(settings, progress).finally(() => progress.end());
  if (comparison.rows.length + comparison.costs.length === 0) {
    throw new UsageError(`nothing to compare: ${comparison.left.map(({ mechanism, why }) => `${mechanism} ${why}`).join('; ')}`);
  }
  svg?.write(drawComparison(settings, comparison));
  const { rows, costs, left, complete } = comparison;
  json.write(
    envelope(
      { schema: 'rpal-bench/compare', version: 2, complete, settings: inWords(settings), command: lineOf(settings, flags.mechanism) },
      { rows, costs, left },
    ),
  );
  if (json.textWanted) io.stdout.write(renderComparison(settings, comparison));
  tellWritten(io, `${rows.length + costs.length} rows`, svg, json);
  return complete ? ExitCode.OK : ExitCode.INTERRUPTED;
}

async function run(settings: CompareSettings, progress: Progress): Promise<Comparison> {
  const rows: Row[] = [];
  const costs: CostRow[] = [];
  const left: Left[] = [];
  const parts = settings.workload === 'cost' ? COST_WORKLOADS : [null];
  const all = settings.mechanisms.length * settings.sizes.length * parts.length;
  for (const mechanism of settings.mechanisms) {
    for (const size of settings.sizes) {
      for (const part of parts) {
        progress.show(`${mechanism.name}, ${size} bytes`, rows.length + costs.length + left.length, all);
        await breathe();
        if (progress.interrupted) return { rows, costs, left, complete: false };
        const why = part === null ? whyNot(mechanism, settings, size) : whyNoCost(part, mechanism, settings, size);
        if (why !== null) left.push({ mechanism: mechanism.name, size, why: part === null ? why : `${part}: ${why}` });
        else if (part !== null) costs.push(costRow(part, mechanism, settings, size));
        else rows.push(measureRow(mechanism, settings, size));
      }
    }
  }
  return { rows, costs, left, complete: true };
}

function inWords({ mechanisms: chosen, profile, ...others }: CompareSettings) {
  return { mechanisms: chosen.map(({ name }) => name), profile: profile.name, ...others };
}

/** The command line of these settings. */
function lineOf(settings: CompareSettings, named: string): string {
  const { workload, handlerCycles, handlerCalls, depth, clients } = settings;
  const words = inWords(settings);
  const own: Partial<Record<WorkloadName, readonly string[]>> = {
    batch: ['--depth', String(depth)],
    request: ['--handler', String(handlerCycles), '--calls', String(handlerCalls)],
    cost: ['--handler', String(handlerCycles), '--depth', String(depth)],
    'fan-in': ['--clients', String(clients)],
  };
  return commandLine([
    'compare',
    '--mechanism',
    named,
    '--workload',
    workload,
    '--size',
    words.sizes.join(','),
    '--messages',
    String(words.messages),
    '--profile',
    profileWord(settings.profile),
    '--placement',
    words.placement,
    '--idle',
    words.idle.toLowerCase(),
    '--costs',
    words.costs,
    '--seed',
    String(words.seed),
    '--waiting',
    words.waiting,
    ...(own[workload] ?? []),
  ]);
}

/** A mechanism that failed is a failed run, not wrong use; but what cannot be combined is. */
export function isWrongComparison(error: unknown): boolean {
  return error instanceof CompareError && error.code === 'USAGE';
}
