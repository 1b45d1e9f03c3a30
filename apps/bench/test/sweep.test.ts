import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { pointsOf, readSpecification } from '../src/sweep/spec.js';
import { csvOf } from '../src/sweep/store.js';
import { isBuilt, program } from './built.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-sweep-'));
afterAll(() => rmSync(directory, { recursive: true }));

let folders = 0;
const folder = (): string => join(directory, String(folders++));

const POINTS = ['compare', 'mechanism=pipe,call', 'size=double(8,32)', 'messages=10', 'seed=range(1,2,1)'];
const sweep = (...args: string[]) => run(['sweep', ...POINTS, '--jobs', '1', ...args], undefined, directory);
const linesIn = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');
const shards = (out: string): string[] => readdirSync(out).filter((name) => name.startsWith('shard-'));

describe('the points of a sweep', () => {
  const points = (...overrides: string[]) => pointsOf(readSpecification('rfc', overrides, directory), 'model');

  it('are all combinations in the order given, the last parameter fastest, each other setting at its standard', () => {
    const all = points('size=32,64', 'phase=epoll,rpal');
    expect(all.map(({ settings: { size, phase } }) => [size, phase])).toEqual([
      [32, 'epoll'],
      [32, 'rpal'],
      [64, 'epoll'],
      [64, 'rpal'],
    ]);
    expect(all[0]?.settings).toMatchObject({ messages: 10_000, profile: 'xeon-platinum-8336c', placement: 'same-socket', seed: 1 });
  });

  it('have keys that differ exactly if their settings do, whatever order they were given in', () => {
    fc.assert(
      fc.property(fc.integer({ min: 18, max: 1024 }), fc.integer({ min: 0, max: 1000 }), (size, seed) => {
        const [one] = points(`size=${size}`, `seed=${seed}`);
        const [other] = points(`seed=${seed}`, `size=${size}`);
        const [next] = points(`size=${size}`, `seed=${seed + 1}`);
        expect(one?.key).toBe(other?.key);
        expect(one?.key).not.toBe(next?.key);
      }),
    );
    const spec = readSpecification('rfc', [], directory);
    expect(pointsOf(spec, 'model')[0]?.key).not.toBe(pointsOf(spec, 'another model')[0]?.key);
  });

  it('of a range are both ends and what is between, free of rounding', () => {
    expect(points('clock=range(2,2.3,0.1)').map(({ settings }) => settings.clock)).toEqual([2, 2.1, 2.2, 2.3]);
    expect(points('size=double(20,90)').map(({ settings }) => settings.size)).toEqual([20, 40, 80]);
  });

  it('can be over the price of a hardware event', async () => {
    const [cheap, dear] = (
      await Promise.all(
        ['0', '5000'].map((price) => run(['sweep', 'rfc', `cost.wrpkru=${price}`, 'messages=20', '--jobs', '1', '--out', folder()])),
      )
    ).map(({ code, stdout }) => {
      expect(code).toBe(0);
      return stdout;
    });
    expect(cheap).toContain('1 of 1 points are done');
    expect(dear).toContain('1 of 1 points are done');
    const [a, b] = [folders - 2, folders - 1].map(
      (n) => JSON.parse(linesIn(join(directory, String(n), 'results.jsonl'))[0] as string).figures['rpal [cycles]'],
    );
    expect(b - a).toBeGreaterThan(5000);
  });

  it.each([
    [['nothing'], 'an experiment is one of rfc, compare'],
    [['./nothing.json'], 'there is no file'],
    [['rfc', 'size'], 'parameters are given as key=a,b,c'],
    [['rfc', 'speed=1'], 'there is no parameter "speed"; there are messages, size, phase'],
    [['rfc', 'cost.nothing=1'], 'cost. takes the name of a hardware event'],
    [['rfc', 'size=7'], 'size takes a whole number of bytes from 18 to 1024'],
    [['rfc', 'size=range(9,1,1)'], 'size takes range(low,high,step)'],
    [['rfc', 'seed=range(0,9000000,1)'], 'are the most'],
    [['rfc', 'profile=epyc-9654', 'placement=cross-socket', 'idle=C1E', 'repair=nothing'], 'repair takes none, all, or names'],
    [['compare', 'mechanism=signal', 'size=64'], 'signal takes 1 to 4 bytes'],
    [['rfc', '--shard', '0/4'], '--shard takes i/n'],
    [['status', 'nowhere'], 'nowhere holds no results'],
  ])('that cannot be are refused with exit code 2 before anything runs: %j', async (args, complaint) => {
    const { code, stderr, stdout } = await run(['sweep', ...args], undefined, directory);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(complaint);
  });

  it('may be in a file, whose parameters those of the command line replace', async () => {
    writeFileSync(
      join(directory, 'spec.json'),
      JSON.stringify({ experiment: 'compare', over: { mechanism: ['pipe', 'call'], size: 'double(8,16)', messages: 10 } }),
    );
    const { stdout } = await run(['sweep', './spec.json', 'size=8', '--dry-run'], undefined, directory);
    expect(stdout).toBe('2 points of compare\n  mechanism=pipe size=8 messages=10\n  mechanism=call size=8 messages=10\n');
    writeFileSync(join(directory, 'bad.json'), '{"experiment": "rfc", "over": {}, "what": 1}');
    const { code, stderr } = await run(['sweep', './bad.json'], undefined, directory);
    expect(code).toBe(2);
    expect(stderr).toContain('bad.json is no sweep');
  });
});

describe('a sweep', () => {
  it('writes results as JSON Lines and CSV, computes nothing the second time, and comes to the same bytes in another folder', async () => {
    const [a, b] = [folder(), folder()];
    const first = await sweep('--out', a);
    expect([first.code, first.stdout]).toEqual([
      0,
      '12 of 12 points are done, 0 of them from before, 0 failed\n0/results.jsonl\n0/results.csv\n'.replaceAll('0/', `${folders - 2}/`),
    ]);
    expect((await sweep('--out', a)).stdout).toContain('12 of 12 points are done, 12 of them from before');
    await sweep('--out', b);
    for (const name of ['results.jsonl', 'results.csv']) expect(readFileSync(join(b, name))).toEqual(readFileSync(join(a, name)));
    expect(linesIn(join(a, 'results.csv'))[0]).toMatch(/^mechanism,workload,size,.*,one way \[cycles\],/);
  });

  it('in shards, and merged, comes to the same bytes', async () => {
    const [whole, pieces] = [folder(), folder()];
    await sweep('--out', whole);
    const first = await sweep('--out', pieces, '--shard', '1/3');
    expect(first.stdout).toContain('4 of 4 points are done');
    expect(first.code).toBe(0);
    const early = await run(['sweep', 'merge', pieces], undefined, directory);
    expect([early.code, early.stderr.split('\n')[0]]).toEqual([1, '8 of 12 points are missing, such as']);
    expect((await run(['sweep', 'status', pieces], undefined, directory)).stdout).toBe('compare: 4 of 12 points are done\n');
    await sweep('--out', pieces, '--shard', '2/3');
    await sweep('--out', pieces, '--shard', '3/3');
    expect((await run(['sweep', 'merge', pieces], undefined, directory)).code).toBe(0);
    expect(readFileSync(join(pieces, 'results.jsonl'))).toEqual(readFileSync(join(whole, 'results.jsonl')));
  });

  it('drops a line that a killed process did not finish, and runs its point again', async () => {
    const out = folder();
    await sweep('--out', out);
    const file = join(out, shards(out)[0] as string);
    const whole = readFileSync(file);
    writeFileSync(file, whole.subarray(0, whole.length - 20));
    expect((await sweep('--out', out)).stdout).toContain('12 of 12 points are done, 11 of them from before');
  });

  it('says so if two runs of one point disagree, and if a file holds what is not a result', async () => {
    const out = folder();
    await sweep('--out', out);
    const file = join(out, shards(out)[0] as string);
    const result = JSON.parse(linesIn(file)[0] as string);
    writeFileSync(
      join(out, 'shard-other-1.jsonl'),
      `${JSON.stringify({ ...result, figures: { ...result.figures, fingerprint: 'another' } })}\n`,
    );
    const disagreeing = await sweep('--out', out);
    expect(disagreeing.code).toBe(1);
    expect(disagreeing.stderr).toContain('two results for one point');
    writeFileSync(join(out, 'shard-other-1.jsonl'), 'nonsense\n');
    const nonsense = await sweep('--out', out);
    expect(nonsense.code).toBe(2);
    expect(nonsense.stderr).toContain('shard-other-1.jsonl, line 1 is not a result');
  });

  it('stops at a point that fails, or goes on, as one likes, tries again if told so, and ends with exit code 1', async () => {
    const out = folder();
    writeFileSync(
      join(directory, 'breaks.ts'),
      `import { definePlugin } from '@rpal/bus';\nexport default definePlugin({ name: 'breaks', version: '1.0.0', setup({ machine }) { if (machine.platform.profile.name === 'epyc-9654') throw new Error('no such socket'); } });\n`,
    );
    const args = [
      'sweep',
      'compare',
      'profile=epyc-9654,xeon-platinum-8336c',
      'plugin=./breaks.ts',
      'mechanism=call',
      'messages=10',
      '--jobs',
      '1',
      '--out',
      out,
    ];
    const stopped = await run(args, undefined, directory);
    expect(stopped.code).toBe(1);
    expect(stopped.stdout).toContain(' of 2 points are done, 0 of them from before, 1 failed');
    const goneOn = await run([...args, '--keep-going', '--retries', '2'], undefined, directory);
    expect([goneOn.code, goneOn.stdout.split('\n')[0]]).toEqual([1, expect.stringContaining('1 of 2 points are done')]);
    expect(goneOn.stderr).toContain('failed: profile=epyc-9654');
    expect(goneOn.stderr).toContain('no such socket');
  });

  // Once a sweep that had lost its server reported 843 cycles without a word.
  it('whose server dies says who, of which signal and where, whatever it talked through, and reports no figure', async () => {
    const out = folder();
    writeFileSync(
      join(directory, 'kills.ts'),
      `const setup = ({ events, machine }: any): void => {
         let calls = 0;
         events.syscallEnter.on('test', (cpu: any, time: any, { process }: any) => {
           if (process.pid === 2 && ++calls === 12) machine.kernel.signals.sendToProcess(machine.platform.cpus[cpu], process, 9);
         });
       };
       export default { definition: { name: 'kills', version: '0.1.0', setup }, input: {} };`,
    );
    const mechanisms = ['pipe', 'stream', 'pipe-epoll', 'mq', 'futex', 'eventfd-ring', 'rpal'];
    const args = ['sweep', 'compare', `mechanism=${mechanisms}`, 'messages=20', 'plugin=./kills.ts', '--jobs', '1', '--keep-going'];
    const { code, stdout, stderr } = await run([...args, '--out', out], undefined, directory);
    expect([code, stdout.split('\n')[0]]).toEqual([1, '0 of 7 points are done, 0 of them from before, 7 failed']);
    const lines = stderr.split('\n').filter((line) => line.startsWith('failed: '));
    expect(lines.map((line) => /mechanism=(\S+)/.exec(line)?.[1]).sort()).toEqual(mechanisms.sort());
    for (const line of lines)
      expect(line).toMatch(/(client|server) \(process 2\) died of SIGKILL on CPU \d+ at \d+ TSC cycles .*, in \w+\(/);
  });

  it('prints scripts for schedulers of jobs', async () => {
    const script = async (scheduler: string): Promise<string> =>
      (await run(['sweep', 'script', scheduler, 'rfc', 'size=double(32,512)', '--shards', '4', '--out', '/shared/x'], undefined, directory))
        .stdout;
    expect(await script('slurm')).toContain('#SBATCH --array=1-4\n');
    expect(await script('slurm')).toContain(
      "npx rpal-bench sweep rfc 'size=double(32,512)' --out /shared/x --jobs 1 --shard $SLURM_ARRAY_TASK_ID/4\n",
    );
    expect(await script('parallel')).toContain('--resume-failed');
    expect(await script('k8s')).toContain('completionMode: Indexed');
  });

  it('quotes what a CSV cell may not hold as it is', () => {
    expect(csvOf([{ key: 'k', settings: { plugin: 'a,"b"' }, figures: { 'x [cycles]': 1.5 } }])).toBe('plugin,x [cycles]\n"a,""b""",1.5\n');
  });
});

describe.skipIf(!isBuilt())('a sweep on worker threads', () => {
  const args = (out: string, ...more: string[]): string[] => [program, 'sweep', ...POINTS, '--out', out, ...more];
  const ended = (words: string[], killAfter?: number): Promise<number | null> => {
    const child = spawn(process.execPath, words, { cwd: directory, stdio: 'ignore' });
    if (killAfter !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfter);
    return new Promise((resolve) => child.on('close', resolve));
  };

  it('comes to the same bytes as in one thread, also when it was killed again and again', { timeout: 120_000 }, async () => {
    const [one, many, killed] = [folder(), folder(), folder()];
    expect(await ended(args(one, '--jobs', '1'))).toBe(0);
    expect(await ended(args(many, '--jobs', '3'))).toBe(0);
    for (const after of [300, 600, 900]) await ended(args(killed, '--jobs', '2'), after);
    expect(await ended(args(killed, '--jobs', '2'))).toBe(0);
    const results = readFileSync(join(one, 'results.jsonl'));
    expect(readFileSync(join(many, 'results.jsonl'))).toEqual(results);
    expect(readFileSync(join(killed, 'results.jsonl'))).toEqual(results);
    const keys = shards(killed).flatMap((name) => linesIn(join(killed, name)).map((line) => JSON.parse(line).key as string));
    expect(new Set(keys).size).toBe(12);
    expect(keys).toHaveLength(12);
  });
});
