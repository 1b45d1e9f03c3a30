import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { Io } from '../io.js';
import { Progress } from '../progress.js';
import { whole } from '../report/numbers.js';
import { ExitCode, oneOf, UsageError, wholeNumber } from '../usage.js';
import { type Engine, here, runPoints, threads } from './engine.js';
import { experiments } from './experiments.js';
import { modelIdentity } from './identity.js';
import { modulesIn } from './parameters.js';
import { queue, TASKS_AT_A_TIME } from './queue-engine.js';
import { type RedisAddress, redisAddress } from './redis.js';
import { type Scheduler, schedulerNamed, scriptFor } from './scripts.js';
import { nameOf, type Point, pointsOf, readSpecification, type Specification } from './spec.js';
import { isStore, type Result, Store, writeMerged } from './store.js';
import { redisOption } from './worker-command.js';

interface Flags {
  readonly out?: string;
  readonly engine: (typeof ENGINES)[number];
  readonly redis?: string;
  readonly jobs?: number;
  readonly shard?: Shard;
  readonly keepGoing?: true;
  readonly retries: number;
  readonly dryRun?: true;
}

/** What runs points: threads of this program, or workers that share a queue. */
const ENGINES = ['threads', 'bullmq'] as const;

/** Every `of`th point, beginning with the one of this index. */
interface Shard {
  readonly index: number;
  readonly of: number;
}

/** In the folder of a sweep: what was asked for, so that `merge` and `status` know. */
const REQUEST = 'sweep.json';

const HELP = `
Parameters: key=a,b,c, key=range(low,high,step) or key=double(low,high), both ends included. All combinations are run, each
once: results are kept by a hash of the settings and of the model, and a sweep that is run again goes on where it was.
With --engine bullmq points go through a queue in Redis to all machines on which \`rpal-bench worker\` runs.

${experiments.map(({ name, parameters }) => `  ${name.padEnd(8)}${Object.keys(parameters).join(', ')}, cost.NAME`).join('\n')}

Exit codes: 0 all points are done; 1 some failed; 2 wrong use; 130 interrupted.`;

/** `rpal-bench sweep`. @param done receives the exit code */
export function sweepCommand(io: Io, done: (code: number) => void): Command {
  const command = new Command('sweep').description(
    'Runs an experiment with all combinations of some settings, on all cores, and resumes by itself.',
  );
  command
    .command('run', { isDefault: true })
    .description('run the points that are not there yet')
    .argument('<spec>', 'a file of JSON, or the name of an experiment: rfc or compare')
    .argument('[parameters...]', 'key=values')
    .option('--out <folder>', 'where results are kept; by default sweeps/NAME')
    .addOption(
      new Option('--engine <name>', 'what runs points: threads here, or bullmq, the workers of a queue')
        .argParser(oneOf('--engine', ENGINES))
        .default('threads'),
    )
    .addOption(redisOption())
    .addOption(
      new Option(
        '--jobs <n>',
        `threads: how many, 1 is this one, one per core by default; bullmq: tasks in the queue, ${TASKS_AT_A_TIME} by default`,
      ).argParser(wholeNumber('--jobs', 1, 256, 'threads or tasks')),
    )
    .addOption(new Option('--shard <i/n>', 'every nth point, beginning with the ith: for a scheduler of jobs').argParser(shardFrom))
    .option('--keep-going', 'go on after a point that failed')
    .addOption(
      new Option('--retries <n>', 'run a failed point so often again').argParser(wholeNumber('--retries', 0, 100, 'times')).default(0),
    )
    .option('--dry-run', 'say what would be run, and end')
    .addHelpText('after', HELP)
    .action(async (spec: string, overrides: string[], flags: Flags) => done(await sweep(spec, overrides, flags, io)));
  command
    .command('status')
    .description('how much of a sweep is there')
    .argument('<folder>', 'where its results are kept')
    .action((folder: string) => done(status(folder, io)));
  command
    .command('merge')
    .description('write results.jsonl and results.csv from what all processes have written')
    .argument('<folder>', 'where the results are kept')
    .action((folder: string) => done(merge(folder, io)));
  command
    .command('script')
    .description('print a script that runs the sweep in pieces under Slurm, GNU parallel or Kubernetes')
    .argument('<scheduler>', 'slurm, parallel or k8s', schedulerNamed)
    .argument('<spec>', 'as for run')
    .argument('[parameters...]', 'as for run')
    .addOption(new Option('--shards <n>', 'pieces').argParser(wholeNumber('--shards', 1, 100_000, 'pieces')).default(16))
    .option('--out <folder>', 'as for run')
    .action((scheduler: Scheduler, spec: string, overrides: string[], { shards, out }: { shards: number; out?: string }) => {
      const specification = readSpecification(spec, overrides, io.directory);
      io.data.write(scriptFor(scheduler, [spec, ...overrides], out ?? folderOf(specification), shards));
      done(ExitCode.OK);
    });
  return command;
}

/** Parses `--shard`. */
function shardFrom(text: string): Shard {
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const shard = { index: Number(index), of: Number(of) };
  if (!(shard.index >= 1 && shard.index <= shard.of)) {
    throw new UsageError(`--shard takes i/n with i from 1 to n, such as 3/16; "${text}" is none`);
  }
  return shard;
}

function folderOf(specification: Specification): string {
  return join('sweeps', nameOf(specification));
}

async function sweep(spec: string, overrides: readonly string[], flags: Flags, io: Io): Promise<number> {
  const specification = readSpecification(spec, overrides, io.directory);
  const points = allPoints(specification, io.directory);
  if (flags.redis !== undefined && flags.engine !== 'bullmq') throw new UsageError('--redis is for --engine bullmq');
  const address = flags.engine === 'bullmq' ? redisAddress(flags.redis, io.env.REDIS_URL) : null;
  const folder = resolve(io.directory, flags.out ?? folderOf(specification));
  const own =
    flags.shard === undefined ? points : points.filter((_, at) => at % (flags.shard as Shard).of === (flags.shard as Shard).index - 1);
  if (flags.dryRun === true) {
    const first = own.slice(0, 3).map(({ settings }) => `  ${changed(specification, settings)}`);
    io.stdout.write(
      `${whole(own.length)} points of ${specification.experiment.name}\n${first.join('\n')}${own.length > 3 ? '\n  ...' : ''}\n`,
    );
    return ExitCode.OK;
  }
  const store = new Store(folder);
  const request = { experiment: specification.experiment.name, over: Object.fromEntries(specification.over) };
  writeFileSync(join(folder, REQUEST), `${JSON.stringify(request, null, 2)}\n`);
  const missing = own.filter(({ key }) => store.get(key) === undefined);
  const progress = new Progress(io);
  const failures = await runMissing(missing, specification, store, flags, address, progress, io).finally(() => {
    progress.end();
    store.close();
  });
  const shown = relative(io.directory, folder) || '.';
  const cached = own.length - missing.length;
  const there = own.filter(({ key }) => store.get(key) !== undefined).length;
  for (const { settings, error } of failures) io.stderr.write(`failed: ${changed(specification, settings)}: ${error}\n`);
  io.stdout.write(
    `${whole(there)} of ${whole(own.length)} points are done, ${whole(cached)} of them from before, ${whole(failures.length)} failed\n`,
  );
  if (points.every(({ key }) => store.get(key) !== undefined)) {
    const [lines, csv] = writeMerged(
      folder,
      points.map(({ key }) => store.get(key) as Result),
    );
    io.data.write(`${relative(io.directory, lines)}\n${relative(io.directory, csv)}\n`);
  } else io.stdout.write(`results so far are in ${shown}\n`);
  if (progress.interrupted) return ExitCode.INTERRUPTED;
  return there === own.length ? ExitCode.OK : ExitCode.FAILED;
}

/** A point that failed in spite of all retries. */
interface Failure {
  readonly settings: Point['settings'];
  readonly error: string;
}

async function runMissing(
  missing: readonly Point[],
  { experiment: { name } }: Specification,
  store: Store,
  { jobs, keepGoing, retries }: Flags,
  address: RedisAddress | null,
  progress: Progress,
  io: Io,
): Promise<readonly Failure[]> {
  if (missing.length === 0) return [];
  const { engine, atATime } = address === null ? ownThreads(jobs, missing.length) : await queued(address, jobs, io);
  let failed: { readonly point: Point; readonly error: string }[] = [];
  let through = 0;
  try {
    let round: readonly Point[] = missing;
    for (let attempt = 0; attempt <= retries && round.length > 0; attempt++) {
      failed = [];
      await runPoints(round, { experiment: name, directory: io.directory }, engine, atATime, {
        done(points, outcomes) {
          const results: Result[] = [];
          for (const [index, outcome] of outcomes.entries()) {
            const point = points[index] as Point;
            if ('figures' in outcome) results.push({ ...point, figures: outcome.figures });
            else failed.push({ point, error: outcome.error });
          }
          store.add(results);
          through += results.length;
          progress.show(`${through} of ${missing.length} points`, through, missing.length);
        },
        get stopped() {
          return failed.length > 0 && keepGoing !== true && attempt === retries;
        },
        signal: progress.signal,
      });
      round = failed.map(({ point }) => point);
      if (progress.interrupted) break;
    }
  } finally {
    await engine.close();
  }
  return failed.map(({ point, error }) => ({ settings: point.settings, error }));
}

/** What runs points, and how many tasks it is given at a time. */
interface Manned {
  readonly engine: Engine;
  readonly atATime: number;
}

function ownThreads(jobs = availableParallelism(), points: number): Manned {
  const atATime = Math.min(jobs, points);
  return { engine: atATime === 1 ? here : threads(), atATime };
}

async function queued(address: RedisAddress, atATime = TASKS_AT_A_TIME, io: Io): Promise<Manned> {
  return { engine: await queue(address, (news) => io.stderr.write(`${news}\n`)), atATime };
}

function allPoints(specification: Specification, directory: string): readonly Point[] {
  const named = specification.over.flatMap(([key, values]) => values.map((value) => ({ [key]: value })));
  return pointsOf(specification, modelIdentity(modulesIn(named), directory));
}

/** The settings that the sweep varies, as a user would write them. */
function changed({ over }: Specification, settings: Point['settings']): string {
  return over.map(([key]) => `${key}=${settings[key]}`).join(' ') || 'all settings as they are by default';
}

/** The sweep that a folder belongs to, and the results in it. */
function opened(folder: string, io: Io): { specification: Specification; points: readonly Point[]; store: Store } {
  const path = resolve(io.directory, folder);
  if (!isStore(path)) throw new UsageError(`${folder} holds no results of a sweep; "rpal-bench sweep" makes a folder of them`);
  const specification = readSpecification(join(path, REQUEST), [], io.directory);
  return { specification, points: allPoints(specification, io.directory), store: new Store(path) };
}

function status(folder: string, io: Io): number {
  const { specification, points, store } = opened(folder, io);
  const there = points.filter(({ key }) => store.get(key) !== undefined).length;
  io.stdout.write(`${specification.experiment.name}: ${whole(there)} of ${whole(points.length)} points are done\n`);
  return there === points.length ? ExitCode.OK : ExitCode.FAILED;
}

function merge(folder: string, io: Io): number {
  const { points, store, specification } = opened(folder, io);
  const results = points.map(({ key }) => store.get(key));
  const missing = points.filter((_, index) => results[index] === undefined);
  if (missing.length > 0) {
    const first = missing.slice(0, 5).map(({ settings }) => `  ${changed(specification, settings)}\n`);
    io.stderr.write(
      `${whole(missing.length)} of ${whole(points.length)} points are missing, such as\n${first.join('')}run the sweep again to have them\n`,
    );
    return ExitCode.FAILED;
  }
  const [lines, csv] = writeMerged(store.directory, results as Result[]);
  io.data.write(`${relative(io.directory, lines)}\n${relative(io.directory, csv)}\n`);
  return ExitCode.OK;
}
