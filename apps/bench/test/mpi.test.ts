import { describe, expect, it } from 'vitest';
import { mpiJson } from '../src/mpi/mpi-command.js';
import { run } from './terminal.js';

describe('rpal-bench mpi', () => {
  it('shows both ways side by side, and where the bandwidth of memory comes from', async () => {
    const { code, stdout } = await run(['mpi', '--ranks', '2,4', '--size', '64k']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/ranks +eager GB\/s +wait +attach GB\/s +wait +gain +messages come from\n +2 .* the cache\n +4 .* the cache\n/);
    expect(stdout.replace(/\s+/g, ' ')).toContain('8 channels of DDR-3200 are 205 GB/s');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('writes JSON of its form, and its command makes it again', async () => {
    const json = async (args: readonly string[]) => mpiJson.parse(JSON.parse((await run([...args, '--json', '-'])).stdout));
    const { data, command } = await json(['mpi', '--ranks', '2', '--size', '4k', '--workload', 'ping-pong']);
    expect(data.rows[0]?.ways.map(({ transport }) => transport)).toEqual(['eager', 'attach']);
    expect((await json(command.split(' ').slice(2))).data).toEqual(data);
  });

  it('ends when the user wants it, with what there is', async () => {
    const { code, stdout } = await run(['mpi', '--ranks', '2,4', '--size', '4k'], /2 ranks, eager/);
    expect(code).toBe(130);
    expect(stdout).toContain('PARTIAL RESULT, interrupted');
  });

  it.each([
    [['--ranks', '65'], '--ranks: xeon-platinum-8336c has 64 cores, and each rank takes one; not 65'],
    [['--ranks', '2,3', '--workload', 'ping-pong'], '--ranks: a ping-pong is between two; 3 is odd'],
    [['--ranks', '1'], '--ranks takes a whole number of processes from 2'],
    [['--size', '65m'], '--size takes bytes from 1 to 64 MiB'],
    [['--workload', 'bcast'], '--workload takes one of ring, ping-pong; "bcast" is none of them'],
  ])('refuses %j with exit code 2', async (args, complaint) => {
    const { code, stderr } = await run(['mpi', ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(complaint);
  });
});
