import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultProfile } from '@rpal/hw-x86';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-lines-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A profile of the user's own, whose name is not that of its file. */
const file = join(directory, 'mine.json');
const topology = { sockets: 1, coresPerSocket: 4, threadsPerCore: 1, coresPerCache: 4, memoryPerSocket: 1 };
writeFileSync(file, JSON.stringify({ ...defaultProfile, name: 'my-server', title: 'My server', topology }));

describe('the line that a result gives for making it again', () => {
  it.each([
    ['rfc', '--messages', '20'],
    ['compare', '--mechanism', 'pipe', '--messages', '10'],
    ['compare', '--mechanism', 'pipe,spin', '--messages', '10', '--workload', 'batch', '--depth', '5'],
    ['explain', 'pipe'],
    ['mesh', '--requests', '10'],
    ['mpi', '--ranks', '2,4', '--size', '8k', '--bandwidth', '100'],
  ])('runs as printed, and makes the same, with a profile out of a file, too: %s %s %s', async (...args) => {
    const first = await run([...args, '--profile', file, '--json', '-']);
    expect([first.code, first.stderr]).toEqual([0, '']);
    const { command, settings } = JSON.parse(first.stdout);
    expect(settings.profile).toBe('my-server');
    const again = await run([...command.split(' ').slice(2), '--json', '-']);
    expect([again.code, JSON.parse(again.stdout)]).toEqual([0, JSON.parse(first.stdout)]);
  });
});
