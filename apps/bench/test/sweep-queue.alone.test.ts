import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, QueueEvents } from 'bullmq';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stream } from '../../../scripts/testing/draw.ts';
import { OtherVersion, type QueuedTask, RefusedTask, taskFrom, versionFor } from '../src/sweep/queued-task.js';
import { QUEUE, redisAddress } from '../src/sweep/redis.js';
import { pointsOf, readSpecification } from '../src/sweep/spec.js';
import { isBuilt, program } from './built.js';
import { missing, RedisServer } from './redis.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-queue-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A task as this program sends it. */
function taskOf(experiment: string, ...overrides: string[]): QueuedTask {
  const points = pointsOf(readSpecification(experiment, overrides, directory), 'model').map(({ settings }) => settings);
  return { sender: versionFor(points, directory), experiment, points: [...points] };
}

const taken = (data: unknown, ...allowed: string[]) => taskFrom(data, new Set(allowed), directory);

describe('a task out of the queue', () => {
  it('is run as it was sent', () => {
    const task = taskOf('compare', 'mechanism=pipe,call', 'size=8,16', 'cost.wrpkru=20');
    expect(taken(JSON.parse(JSON.stringify(task)))).toEqual({ experiment: 'compare', points: task.points, directory });
  });

  const task = taskOf('rfc', 'size=32');
  const [point] = task.points as [Record<string, string | number>];
  const withPoint = (more: object) => ({ ...task, points: [{ ...point, ...more }] });

  it.each<[string, unknown, RegExp]>([
    ['text', 'rm -rf', /it is not a task/],
    ['a field that is none', { ...task, run: 'process.exit()' }, /it is not a task.*"run"/],
    ['no points', { ...task, points: [] }, /it is not a task/],
    ['an unknown experiment', { ...task, experiment: 'constructor' }, /an experiment is one of rfc, compare; "constructor"/],
    ['an unknown parameter', withPoint({ speed: 1 }), /there is no parameter "speed"/],
    ['a parameter of all objects', withPoint({ toString: 'x' }), /there is no parameter "toString"/],
    ['a value out of range', withPoint({ size: 7 }), /size takes a whole number of bytes from 18 to 1024/],
    ['a value in another form', withPoint({ size: '32' }), /size is not written as rfc writes it: "32"/],
    ['a structure as a value', withPoint({ size: { $gt: 0 } }), /it is not a task/],
    [
      'settings that do not fit together',
      { ...taskOf('compare'), points: [{ ...taskOf('compare').points[0], mechanism: 'signal' }] },
      /signal takes 1 to 4 bytes/,
    ],
    ['a part of the settings', { ...task, points: [{ size: 32 }] }, /messages is missing/],
    [
      'a file to load',
      withPoint({ plugin: './plugin.ts' }),
      /it names ".\/plugin.ts", and a worker loads only .* worker --allow .\/plugin.ts/,
    ],
    ['a package to load', withPoint({ plugin: 'typescript#createProgram={"rootNames":[]}' }), /it names "typescript#createProgram"/],
    ['a profile to read', withPoint({ profile: '/etc/passwd' }), /it names "\/etc\/passwd"/],
  ])('is refused if it is %s', (_what, data, words) => {
    expect(() => taken(data)).toThrow(RefusedTask);
    expect(() => taken(data)).toThrow(words);
  });

  it('is refused whatever else it may be', () => {
    const fields = Object.entries(task).map(([key, value]) => [key, fc.oneof(fc.anything(), fc.constant(value))] as const);
    const somewhere: Record<string, fc.Arbitrary<unknown>> = Object.fromEntries(fields);
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.record(somewhere)), (data) => {
        fc.pre(JSON.stringify(data) !== JSON.stringify(task));
        expect(() => taken(data)).toThrow(RefusedTask);
      }),
    );
  });

  it('is refused if it comes from another version, or from one with another file of the plugin', () => {
    writeFileSync(join(directory, 'plugin.ts'), 'export default 1;\n');
    const sent = taskOf('rfc', 'plugin=./plugin.ts');
    expect(taken(sent, './plugin.ts').points).toEqual(sent.points);
    writeFileSync(join(directory, 'plugin.ts'), 'export default 2;\n');
    expect(() => taken(sent, './plugin.ts')).toThrow(OtherVersion);
    expect(() => taken({ ...task, sender: { ...task.sender, version: '0.0.9' } })).toThrow(/and the sender 0\.0\.9 .*: both must be built/);
  });
});

describe('the address of a queue', () => {
  it('is that of the flag, of the environment, or of this computer, and is shown without its password', () => {
    expect(redisAddress('rediss://me:secret@far:7000/2', 'redis://other').shown).toBe('rediss://far:7000/2');
    expect(redisAddress(undefined, 'redis://other').shown).toBe('redis://other:6379');
    expect(redisAddress(undefined, undefined).shown).toBe('redis://127.0.0.1:6379');
    expect(() => redisAddress(undefined, 'other')).toThrow('REDIS_URL takes redis://[user:password@]host');
  });

  it.each([
    [['sweep', 'rfc', '--engine', 'bullmq', '--redis', 'http://here'], 2, '--redis takes redis://'],
    [['worker', '--redis', 'here:6379'], 2, '--redis takes redis://'],
    [['sweep', 'rfc', '--redis', 'redis://here'], 2, '--redis is for --engine bullmq'],
    [['sweep', 'rfc', '--engine', 'slurm'], 2, '--engine takes one of threads, bullmq'],
    [
      ['sweep', 'rfc', '--engine', 'bullmq', '--redis', 'redis://127.0.0.1:1', '--out', 'nowhere'],
      1,
      'no Redis answers at redis://127.0.0.1:1: connect ECONNREFUSED',
    ],
  ])('%j: one sentence', async (args, code, words) => {
    const ran = await run(args, undefined, directory);
    expect([ran.code, ran.stdout]).toEqual([code, '']);
    expect(ran.stderr).toContain(words);
    expect(ran.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built program, going on by itself. */
class Going {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  constructor(...args: string[]) {
    this.#child = spawn(process.execPath, [program, ...args], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (text: Buffer) => {
      this.#stdout += text.toString();
    });
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.#stderr += text.toString();
    });
    this.ended = new Promise((resolve) => this.#child.on('close', (code) => resolve({ code, stdout: this.#stdout, stderr: this.#stderr })));
  }

  /** When stderr holds these words. */
  async said(words: string): Promise<void> {
    while (!this.#stderr.includes(words)) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

/** Which moment the worker is killed at. */
const SEED = Number(process.env.RPAL_KILL_SEED ?? 1);

describe.skipIf(!isBuilt())('a sweep on workers that share a queue', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    if (missing === null) redis = await RedisServer.start(directory);
  });
  afterAll(() => redis?.stop());
  const worker = (...args: string[]) => new Going('worker', '--redis', redis.url, ...args);
  const results = (out: string) => readFileSync(join(directory, out, 'results.jsonl'));
  const POINTS = ['compare', 'mechanism=pipe,unix', 'size=double(8,64)', 'messages=3000', 'seed=range(1,6,1)'];

  it('loses no point and doubles none when one of them is killed, and comes to the bytes of one thread', { timeout: 240_000 }, async ({
    skip,
  }) => {
    if (missing !== null) skip(missing);
    const draw = stream(SEED);
    const workers = [worker('--jobs', '1'), worker('--jobs', '1')] as const;
    await Promise.all(workers.map((each) => each.said('Ctrl-C ends it')));
    const sweep = new Going('sweep', ...POINTS, '--engine', 'bullmq', '--redis', redis.url, '--out', 'queued');
    const after = 500 + draw(1500);
    const early = await Promise.race([sweep.ended, new Promise<null>((resolve) => setTimeout(() => resolve(null), after))]);
    expect(early, `the sweep has ended within ${after} ms, before a worker was killed`).toBeNull();
    workers[0].kill('SIGKILL');
    const { code, stdout, stderr } = await sweep.ended;
    expect([code, stdout.split('\n')[0], stderr]).toEqual([0, '48 of 48 points are done, 0 of them from before, 0 failed', '']);
    workers[1].kill('SIGINT');
    const survivor = await workers[1].ended;
    expect([survivor.code, survivor.stdout]).toEqual([0, expect.stringMatching(/^\d+ points run, 0 of them failed; 0 tasks refused\n$/)]);

    const shards = readdirSync(join(directory, 'queued')).filter((name) => name.startsWith('shard-'));
    const lines = shards.flatMap((name) =>
      readFileSync(join(directory, 'queued', name), 'utf8')
        .trimEnd()
        .split('\n'),
    );
    const keys = lines.map((line) => (JSON.parse(line) as { key: string }).key);
    expect([keys.length, new Set(keys).size]).toEqual([48, 48]);
    expect((await new Going('sweep', ...POINTS, '--jobs', '1', '--out', 'alone').ended).code).toBe(0);
    expect(results('queued')).toEqual(results('alone'));
    // Nothing is left behind.
    const client = new Redis(redis.url);
    expect((await client.keys('bull:*')).filter((name) => /[0-9a-f]{8}-[0-9a-f]{4}/.test(name))).toEqual([]);
    client.disconnect();
  });

  it('runs plugins that a worker allows, tells which point failed, and goes on', { timeout: 120_000 }, async ({ skip }) => {
    if (missing !== null) skip(missing);
    writeFileSync(
      join(directory, 'picky.ts'),
      `import { definePlugin } from '@rpal/bus';\nexport default definePlugin({ name: 'picky', version: '1.0.0', setup({ machine }) { if (machine.platform.profile.name === 'epyc-9654') process.exit(3); } });\n`,
    );
    const own = worker('--jobs', '1', '--allow', './picky.ts');
    await own.said('Ctrl-C ends it');
    const sweep = await new Going(
      ...[
        'sweep',
        'compare',
        'profile=epyc-9654,xeon-platinum-8336c',
        'mechanism=pipe',
        'plugin=./picky.ts',
        'messages=10',
        '--keep-going',
      ],
      ...['--engine', 'bullmq', '--redis', redis.url, '--out', 'picky'],
    ).ended;
    own.kill('SIGINT');
    await own.ended;
    expect([sweep.code, sweep.stdout.split('\n')[0]]).toEqual([1, '1 of 2 points are done, 0 of them from before, 1 failed']);
    expect(sweep.stderr).toMatch(/failed: profile=epyc-9654 .*: the thread that ran it has ended with exit code 3/);
  });

  it('is refused by a worker of another version, which says so and ends, and by no means run', { timeout: 120_000 }, async ({ skip }) => {
    if (missing !== null) skip(missing);
    const own = worker();
    const args = ['sweep', 'compare', 'mechanism=pipe', 'messages=10', '--engine', 'bullmq', '--redis', redis.url, '--out', 'other'];
    // From its sources the program is another one than as it is built.
    const sender = await run(args, undefined, directory);
    expect([sender.code, sender.stdout.split('\n')[0]]).toEqual([1, '0 of 1 points are done, 0 of them from before, 1 failed']);
    expect(sender.stderr).toMatch(/refused it: this worker runs rpal-bench .* both must be built from the same sources/);
    const { code, stdout, stderr } = await own.ended;
    expect([code, stdout]).toEqual([1, '0 points run, 0 of them failed; 1 tasks refused\n']);
    expect(stderr).toContain('refused: this worker runs rpal-bench');
  });

  it('evaluates nothing that somebody else has put into the queue', { timeout: 120_000 }, async ({ skip }) => {
    if (missing !== null) skip(missing);
    mkdirSync(join(directory, 'evil'));
    writeFileSync(
      join(directory, 'evil', 'plugin.ts'),
      `import { writeFileSync } from 'node:fs';\nwriteFileSync('${directory}/evil/done', '');\n`,
    );
    const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    const queue = new Queue(QUEUE, { connection });
    queue.on('error', () => {});
    const events = new QueueEvents(QUEUE, { connection });
    await events.waitUntilReady();
    const own = worker('--jobs', '1');
    await own.said('Ctrl-C ends it');
    const task = taskOf('rfc');
    const evil = { ...task, points: [{ ...task.points[0], plugin: './evil/plugin.ts' }] };
    for (const data of [evil, 'text', { constructor: 1 }, null]) {
      const job = await queue.add(QUEUE, data);
      await expect(job.waitUntilFinished(events)).rejects.toThrow(/refused it: it (names|is not a task)/);
    }
    own.kill('SIGINT');
    expect((await own.ended).stdout).toBe('0 points run, 0 of them failed; 4 tasks refused\n');
    expect(readdirSync(join(directory, 'evil'))).toEqual(['plugin.ts']);
    await events.close();
    await queue.close();
    connection.disconnect();
  });
});
