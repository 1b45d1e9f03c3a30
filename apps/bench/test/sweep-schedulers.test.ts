import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stream } from '../../../scripts/testing/draw.ts';
import { isBuilt, program } from './built.js';
import { missing, SlurmCluster } from './slurm.js';

/** Scripts say `npx rpal-bench`: a project that has the built program, with a name that a shell would take apart. */
const directory = mkdtempSync(join(tmpdir(), 'rpal schedulers-'));
afterAll(() => rmSync(directory, { recursive: true }));

const POINTS = ['compare', 'mechanism=pipe,call', 'size=double(8,32)', 'messages=10', 'seed=range(1,2,1)'];
const SHARDS = 2;

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

function ended(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  const child = spawn(command, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const each of [child.stdout, child.stderr]) {
    each.on('data', (text: Buffer) => {
      output += text.toString();
    });
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

const bench = (...args: string[]) => ended(process.execPath, [program, ...args]);

/** The script that the program prints for these points, in a file. */
async function scriptIn(file: string, scheduler: string, out: string, points = POINTS): Promise<string> {
  const { code, output } = await bench('sweep', 'script', scheduler, ...points, '--shards', String(SHARDS), '--out', out);
  expect(code).toBe(0);
  writeFileSync(join(directory, file), output, { mode: 0o755 });
  return output;
}

const results = (out: string) => readFileSync(join(directory, out, 'results.jsonl'));

/** Each point once, however many processes wrote. */
function keysIn(out: string): string[] {
  const shards = readdirSync(join(directory, out)).filter((name) => name.startsWith('shard-'));
  return shards.flatMap((name) =>
    readFileSync(join(directory, out, name), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).key as string),
  );
}

/** Merges the shards: no point is lost or doubled, and they come to the bytes of one thread. */
async function expectWhole(out: string, alone: string): Promise<void> {
  expect((await bench('sweep', 'merge', out)).code).toBe(0);
  expect(results(out)).toEqual(results(alone));
  expect(new Set(keysIn(out)).size).toBe(12);
  expect(keysIn(out)).toHaveLength(12);
}

describe.skipIf(!isBuilt())('a script for a scheduler of jobs', { timeout: 240_000 }, () => {
  beforeAll(async () => {
    const bin = join(directory, 'node_modules', '.bin');
    mkdirSync(bin, { recursive: true });
    symlinkSync(join(program, '..', '..', 'bin', 'rpal-bench.cjs'), join(bin, 'rpal-bench'));
    writeFileSync(join(directory, 'package.json'), '{ "private": true }\n');
    expect((await bench('sweep', ...POINTS, '--jobs', '1', '--out', 'alone')).code).toBe(0);
  }, 60_000);

  describe('of Slurm', () => {
    let slurm: SlurmCluster;
    beforeAll(async () => {
      if (missing === null) slurm = await SlurmCluster.start(mkdtempSync(join(tmpdir(), 'rpal-slurm-')));
    }, 90_000);
    afterAll(() => slurm?.stop());

    it('runs as a job array, and merged comes to the bytes of one thread', async ({ skip }) => {
      if (missing !== null) skip(missing);
      await scriptIn('array.sh', 'slurm', 'arrays of jobs');
      const job = await ended('sbatch', ['--wait', 'array.sh'], slurm.env);
      expect(job).toEqual({ code: 0, output: expect.stringMatching(/^Submitted batch job \d+\n$/) });
      await expectWhole('arrays of jobs', 'alone');
    });

    it('loses and doubles no point when Slurm takes a task from its node and queues it again', async ({ skip }) => {
      if (missing !== null) skip(missing);
      const points = POINTS.map((word) => word.replace('messages=10', 'messages=4000'));
      await scriptIn('requeued.sh', 'slurm', 'requeued', points);
      const job = ended('sbatch', ['--wait', 'requeued.sh'], slurm.env);
      const running = (): string[] => slurm.ask('squeue', '--noheader', '--states=R', '--format=%i').split('\n').filter(Boolean);
      while (running().length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
      await new Promise((resolve) => setTimeout(resolve, stream(SEED)(2000)));
      const [task] = running() as [string];
      expect(spawnSync('scontrol', ['requeue', task], { env: slurm.env }).status).toBe(0);
      // Slurm waits two minutes by itself, in case the node is broken.
      expect(spawnSync('scontrol', ['update', `jobid=${task}`, 'StartTime=now'], { env: slurm.env }).status).toBe(0);
      expect((await job).code).toBe(0);
      expect((await bench('sweep', ...points, '--jobs', '1', '--out', 'alone-longer')).code).toBe(0);
      await expectWhole('requeued', 'alone-longer');
    });

    it('ends with the exit code of the task that went wrong', async ({ skip }) => {
      if (missing !== null) skip(missing);
      const script = await scriptIn('wrong.sh', 'slurm', 'wrong');
      writeFileSync(join(directory, 'wrong.sh'), script.replaceAll('mechanism=pipe,call', 'mechanism=pigeon'));
      expect((await ended('sbatch', ['--wait', 'wrong.sh'], slurm.env)).code).toBe(2);
    });
  });

  it('of GNU parallel runs and merges, and once more runs nothing', async ({ skip }) => {
    if (spawnSync('parallel', ['--version']).status !== 0)
      skip('there is no GNU parallel: install one, such as with `apt install parallel`');
    await scriptIn('parallel.sh', 'parallel', 'in parallel');
    const once = await ended('./parallel.sh', []);
    expect([once.code, once.output]).toEqual([0, expect.stringContaining('in parallel/results.jsonl\n')]);
    expect(results('in parallel')).toEqual(results('alone'));
    const twice = await ended('./parallel.sh', []);
    expect([twice.code, twice.output]).toEqual([0, 'in parallel/results.jsonl\nin parallel/results.csv\n']);
  });

  it('of Kubernetes has a container whose command runs the piece of its index', async () => {
    const script = await scriptIn('job.yaml', 'k8s', join(directory, 'indexed jobs'));
    const [, indent = '', command = ''] = /command:\n +- sh\n +- -c\n +- \|\n( +)(.*)\n/.exec(script) ?? [];
    expect(indent.length).toBeGreaterThan(script.match(/^( +)- \|$/m)?.[1]?.length ?? 99);
    for (let index = 0; index < SHARDS; index++) {
      const { code, output } = await ended('sh', ['-c', command], { ...process.env, JOB_COMPLETION_INDEX: String(index) });
      expect([code, output]).toEqual([0, expect.stringContaining('6 of 6 points are done')]);
    }
    expect(script).toContain(`mountPath: ${JSON.stringify(join(directory, 'indexed jobs'))}`);
    expect(results('indexed jobs')).toEqual(results('alone'));
  });
});

/** Which moment a task is taken away at. */
const SEED = Number(process.env.RPAL_KILL_SEED ?? 1);
