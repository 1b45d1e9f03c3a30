import { availableParallelism, hostname } from 'node:os';
import { Command, Option } from 'commander';
import type { Io } from '../io.js';
import { several } from '../machine-options.js';
import { whole } from '../report/numbers.js';
import { ExitCode, wholeNumber } from '../usage.js';
import { threads } from './engine.js';
import { OtherVersion, type QueuedOutcomes, RefusedTask, taskFrom, versionFor } from './queued-task.js';
import { connect, QUEUE, queueLibrary, type RedisAddress, redisAddress } from './redis.js';

interface Flags {
  readonly redis?: string;
  readonly jobs: number;
  readonly allow: readonly string[];
}

/** A worker that has not been heard of for so long has died, and another takes over what it was at, ms. */
const LOCK = 5000;
/** Workers that may die over a task before it counts as failed: it may be the task that kills them. */
const DEATHS = 5;

const HELP = `
Each machine of a sweep runs one: rpal-bench sweep SPEC --engine bullmq --redis URL hands the points out. What comes out of the
queue is never run: names of experiments and settings are looked up, values are checked as on the command line, and plugins,
mechanisms and profiles of files are loaded only if --allow names them here, as the sweep names them. A sweep from another
version of rpal-bench, or with other files of plugins, is refused. Redis itself should let in only who may use the machines.

Exit codes: 0 ended by Ctrl-C, after what it was at; 1 it was of another version than the sender, or no Redis is there; 2 wrong use.`;

/** The option that says where the queue is. */
export function redisOption(): Option {
  return new Option('--redis <url>', 'where the queue is; REDIS_URL if it is set, else the Redis of this computer');
}

/** `rpal-bench worker`. @param done receives the exit code */
export function workerCommand(io: Io, done: (code: number) => void): Command {
  return new Command('worker')
    .description('Runs points of sweeps that are handed out through a queue, until it is ended.')
    .addOption(redisOption())
    .addOption(
      new Option('--jobs <n>', 'worker threads')
        .argParser(wholeNumber('--jobs', 1, 256, 'threads'))
        .default(availableParallelism(), 'one per core'),
    )
    .addOption(
      new Option('--allow <module>', 'a plugin, mechanism or profile that points may name; may be repeated')
        .argParser(several)
        .default([], 'none'),
    )
    .addHelpText('after', HELP)
    .action(async (flags: Flags) => done(await work(flags, redisAddress(flags.redis, io.env.REDIS_URL), io)));
}

async function work({ jobs, allow }: Flags, address: RedisAddress, io: Io): Promise<number> {
  const { Worker } = await queueLibrary();
  const client = await connect(address);
  const pool = threads();
  const own = `${hostname()}:${process.pid}`;
  const allowed = new Set(allow);
  const counts = { points: 0, failed: 0, refused: 0 };
  let wrongVersion = false;
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });

  async function handle(data: unknown): Promise<QueuedOutcomes> {
    try {
      const { took, outcomes } = await pool.run(taskFrom(data, allowed, io.directory));
      counts.points += outcomes.length;
      counts.failed += outcomes.filter((outcome) => 'error' in outcome).length;
      return { worker: own, took, outcomes: [...outcomes] };
    } catch (error) {
      if (!(error instanceof RefusedTask)) throw error;
      counts.refused++;
      io.stderr.write(`refused: ${error.message}\n`);
      if (error instanceof OtherVersion) {
        wrongVersion = true;
        end();
      }
      throw new RefusedTask(`${own} refused it: ${error.message}`);
    }
  }

  const worker = new Worker<unknown, QueuedOutcomes>(QUEUE, ({ data }) => handle(data), {
    connection: client,
    concurrency: jobs,
    lockDuration: LOCK,
    stalledInterval: LOCK / 2,
    maxStalledCount: DEATHS,
    name: own,
  });
  // It goes on by itself once Redis is there again.
  worker.on('error', () => {});
  await worker.waitUntilReady();
  const { version, identity } = versionFor([], io.directory);
  io.stderr.write(`rpal-bench ${version} (${identity}) runs points from ${address.shown} on ${jobs} threads; Ctrl-C ends it\n`);
  const noLonger = io.onInterrupt(end);
  await ended;
  noLonger();
  await worker.close();
  await pool.close();
  client.disconnect();
  const { points, failed, refused } = counts;
  io.stdout.write(`${whole(points)} points run, ${whole(failed)} of them failed; ${whole(refused)} tasks refused\n`);
  return wrongVersion ? ExitCode.FAILED : ExitCode.OK;
}
