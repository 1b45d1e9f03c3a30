import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultProfile } from '@rpal/hw-x86';
import { afterAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { comparisonJson } from '../src/compare/compare-command.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-compare-'));
afterAll(() => rmSync(directory, { recursive: true }));

type Json = z.infer<typeof comparisonJson>;

async function json(...args: string[]): Promise<Json> {
  const { code, stdout, stderr } = await run(['compare', '--messages', '20', '--json', '-', ...args]);
  expect([code, stderr]).toEqual([0, '']);
  return comparisonJson.parse(JSON.parse(stdout));
}

/** The RFC's server with a socket of four cores. */
const small = join(directory, 'small.json');
const topology = { sockets: 1, coresPerSocket: 4, threadsPerCore: 1, coresPerCache: 4, memoryPerSocket: 1 };
writeFileSync(small, JSON.stringify({ ...defaultProfile, name: 'small', topology }));

describe('rpal-bench compare', () => {
  it.each([
    ['same-socket', ['urpc', 'dbus', 'kdbus', 'cma', 'flip', 'rpal', 'unix'], ['lrpc', 'pct', 'dune']],
    ['same-cpu', ['urpc', 'lrpc', 'pct', 'dune', 'dbus', 'kdbus', 'cma', 'flip', 'rpal', 'unix'], []],
  ])('has what other operating systems do beside Linux and RPAL, on one profile: %s', async (placement, compared, left) => {
    const { data } = await json('--mechanism', 'urpc,lrpc,pct,dune,dbus,kdbus,cma,flip,rpal,unix', '--placement', placement);
    expect(data.rows.map(({ mechanism }) => mechanism)).toEqual(compared);
    expect(data.left).toEqual(
      left.map((mechanism) => ({ mechanism, size: 32, why: 'takes both sides on one CPU (--placement same-cpu)' })),
    );
  });

  it('has batches and several clients as workloads, and a line that makes them again', async () => {
    for (const [args, shown] of [
      [['--workload', 'batch', '--depth', '5'], 'batches of 5, '],
      [['--workload', 'fan-in', '--clients', '3'], '3 clients of one server, '],
    ] as const) {
      const line = ['compare', '--mechanism', 'unix,rpal', '--messages', '20', ...args];
      const { code, stdout } = await run(line);
      expect([code, stdout]).toEqual([0, expect.stringContaining(shown)]);
      const json = async (words: readonly string[]) => comparisonJson.parse(JSON.parse((await run([...words, '--json', '-'])).stdout));
      const { data, command } = await json(line);
      expect(data.rows.map(({ interval, oneWay }) => [interval !== null, oneWay])).toEqual([
        [true, null],
        [true, null],
      ]);
      expect((await json(command.split(' ').slice(2))).data).toEqual(data);
    }
  });

  it('prints mechanisms from the fastest to the slowest, within 80 columns, and where their cycles went', async () => {
    const { code, stdout } = await run(['compare', '--mechanism', 'unix,rpal,call,pipe', '--messages', '20']);
    expect(code).toBe(0);
    const [table = '', where = ''] = stdout.split('Where the way there goes');
    expect(table.match(/^ {2}(call|rpal|pipe|unix) /gm)).toEqual(['  call ', '  rpal ', '  pipe ', '  unix ']);
    expect(where).toMatch(/ {2}rpal +library/);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('gives JSON with everything, whose command makes the same rows again', async () => {
    const first = await json('--mechanism', 'pipe,rpal', '--size', '32,1k', '--placement', 'same-cpu', '--seed', '7');
    expect(first.data.rows.map(({ mechanism, size }) => [mechanism, size])).toEqual([
      ['pipe', 32],
      ['pipe', 1024],
      ['rpal', 32],
      ['rpal', 1024],
    ]);
    for (const { oneWay, causes } of first.data.rows)
      expect(causes.reduce((sum, { cycles }) => sum + cycles, 0)).toBeCloseTo(oneWay as number, 6);
    const [npx, program, ...words] = first.command.split(' ');
    expect([npx, program]).toEqual(['npx', 'rpal-bench']);
    const again = await run([...words, '--json', '-']);
    expect(JSON.parse(again.stdout)).toEqual(first);
  });

  it('says what it left out, and why', async () => {
    const { data } = await json('--mechanism', 'signal,spin,mq', '--size', '32', '--waiting', 'poll');
    expect(data.rows.map(({ mechanism }) => mechanism)).toEqual(['spin', 'mq']);
    expect(data.left).toEqual([{ mechanism: 'signal', size: 32, why: 'takes 1 to 4 bytes' }]);
    const { stdout } = await run(['compare', '--mechanism', 'signal,mq', '--size', '32', '--messages', '10']);
    expect(stdout).toContain('Left out\n\n  signal: takes 1 to 4 bytes (32 B)\n');
  });

  it('finds the configuration from which on several cores beat one thread, least first, for three workloads', async () => {
    const args = ['compare', '--workload', 'cost', '--messages', '10', '--profile', small];
    const { code, stdout } = await run([...args, '--mechanism', 'unix,call,spin,switch-to']);
    expect(code).toBe(0);
    const tables = stdout.split(/^(?:Stream|Batches|Several).*$/m).slice(1);
    const order = (table = '') => table.match(/^ {2}(call|spin|unix) +[-\d,]+$/gm)?.map((line) => line.split(' ')[2]);
    expect(tables.map(order)).toEqual([
      ['spin', 'unix', 'call'],
      ['spin', 'unix', 'call'],
      ['spin', 'unix'],
    ]);
    expect(tables.slice(0, 2).map((table) => / {2}call +-$/m.test(table))).toEqual([true, true]);
    expect(stdout).toContain('switch-to: stream: takes both sides on one CPU (--placement same-cpu)');
    expect(stdout).toContain('call: fan-in: is for two sides only');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const { data, command } = await json('--workload', 'cost', '--mechanism', 'pipe-epoll', '--handler', '40000', '--profile', small);
    expect(data.rows).toEqual([]);
    expect(data.costs.map(({ workload, cores }) => [workload, cores])).toEqual([
      ['stream', 2],
      ['batch', 2],
      // Two cores have one client: it works, and waits for the server besides.
      ['fan-in', 3],
    ]);
    for (const { work, byMechanism, oneThread } of data.costs) {
      expect(work).toBeGreaterThan(0);
      expect(byMechanism).toBeLessThan(oneThread);
    }
    expect(command).toContain(' --handler 40000 --depth 10');
    const onOneCpu = await run([...args, '--placement', 'same-cpu']);
    expect([onOneCpu.code, onOneCpu.stderr]).toEqual([2, expect.stringContaining('--workload cost compares two CPUs with one thread')]);
    const drawn = await run([...args, '--svg', join(directory, 'cost.svg')]);
    expect([drawn.code, drawn.stderr]).toEqual([2, expect.stringContaining('--svg draws cycles per message')]);
  });

  it('streams and serves requests, too', async () => {
    const stream = await json('--mechanism', 'pipe', '--workload', 'stream');
    expect(stream.data.rows[0]).toMatchObject({ oneWay: null, roundTrip: null });
    const trip = async (...more: string[]): Promise<number> =>
      (await json('--mechanism', 'spin', '--workload', 'request', ...more)).data.rows[0]?.roundTrip as number;
    const [idle, working, calling] = [
      await trip('--handler', '0'),
      await trip('--handler', '40000'),
      await trip('--handler', '0', '--calls', '3'),
    ];
    expect(working - idle).toBeGreaterThan(19_500);
    expect(calling).toBeGreaterThan(idle);
  });

  it('draws bars for one size and lines for several', async () => {
    const draw = async (sizes: string): Promise<string> => {
      const file = join(directory, 'chart.svg');
      const { code, stderr } = await run(['compare', '--mechanism', 'pipe,rpal', '--messages', '10', '--size', sizes, '--svg', file]);
      expect(code).toBe(0);
      expect(stderr).toBe(`${sizes === '32' ? 2 : 4} rows; wrote ${file}\n`);
      return readFileSync(file, 'utf8');
    };
    expect((await draw('32')).match(/<rect /g)).toHaveLength(3);
    expect((await draw('32,64')).match(/<polyline /g)).toHaveLength(2);
  });

  it('runs a mechanism of a file beside its own, by its name, and says what it is with others', async () => {
    const file = join(directory, 'mine.ts');
    writeFileSync(
      file,
      `import { byFork, mechanisms } from '@rpal/compare';
       export const mine = { ...mechanisms.find(({ name }) => name === 'pipe')!, name: 'mine', title: 'my own' };
       export const other = 1;`,
    );
    const { data } = await json('--mechanism', `pipe,${file}`);
    expect(data.rows.map(({ mechanism, oneWay }) => [mechanism, oneWay])).toEqual([
      ['pipe', data.rows[0]?.oneWay],
      ['mine', data.rows[0]?.oneWay],
    ]);
    expect((await run(['explain', `${file}#mine`, '--after', '10'])).stdout).toContain('my own');
    const swept = await run([
      'sweep',
      'compare',
      `mechanism=${file}#mine`,
      'messages=10',
      '--jobs',
      '1',
      '--out',
      join(directory, 'swept'),
    ]);
    expect(swept.stdout).toContain('1 of 1 points are done');
    const none = await run(['compare', '--mechanism', `${file}#other`]);
    expect([none.code, none.stderr]).toEqual([2, `rpal-bench: --mechanism "${file}#other" exports mine, and no such one\n`]);
  });

  it('lists its mechanisms', async () => {
    const { stdout } = await run(['compare', '--list']);
    expect(stdout).toContain('  pipe            a pipe each way\n');
  });

  it.each([
    [['--mechanism', 'carrier-pigeon'], 'a mechanism is one of pipe, '],
    [['--workload', 'batch', '--depth', '7'], '--messages takes a multiple of --depth, which is 7; 1000 is none'],
    [
      ['--workload', 'fan-in', '--clients', '32'],
      '--clients: a socket of xeon-platinum-8336c has cores for a server and 31 clients, not 32',
    ],
    [['--workload', 'fan-in', '--placement', 'same-cpu'], '--workload fan-in gives the server and each client a core'],
    [['--workload', 'fan-in', '--mechanism', 'pipe'], 'nothing to compare: pipe is for two sides only'],
    [['--size', '2m'], '--size takes bytes from 1 to 1 MiB'],
    [['--size', '0'], '--size takes bytes from 1 to 1 MiB'],
    [['--mechanism', 'signal'], 'nothing to compare: signal takes 1 to 4 bytes'],
    [['--profile', 'epyc-9654', '--placement', 'cross-socket', '--idle', 'deep'], '--idle takes one of'],
    [['--json', '/'], '--json takes the name of a file that can be written'],
  ])('refuses %j with exit code 2', async (args, complaint) => {
    const { code, stdout, stderr } = await run(['compare', ...args]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(complaint);
  });
});
