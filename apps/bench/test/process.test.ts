import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { rfcJson } from '../src/report/rfc-report.js';
import { isBuilt, program } from './built.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-process-'));
afterAll(() => rmSync(directory, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a shell line in which `bench` is the built program; `started` gets its process. */
function shell(line: string, started?: (kill: () => void) => void): Promise<Ended> {
  const child = spawn('bash', ['-c', `set -o pipefail; bench() { exec "${process.execPath}" "${program}" "$@"; }; ${line}`], {
    detached: true,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString();
  });
  // Ctrl-C goes to the whole foreground group.
  started?.(() => process.kill(-(child.pid as number), 'SIGINT'));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

describe.skipIf(!isBuilt())('the built program', () => {
  it('runs, and says nothing on stderr in a pipe', async () => {
    const { code, stdout, stderr } = await shell('bench rfc --messages 100');
    expect(stdout).toMatch(/^EPOLL: .*\nRPAL: /);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it('carries the words of no library in other languages, and what only simulates carries no zod', () => {
    const sources = (name: string): string[] => JSON.parse(readFileSync(join(dirname(program), `${name}.js.map`), 'utf8')).sources;
    const bundles = ['cli', 'program', 'perf', 'range-worker', 'sweep-thread'];
    const locales = bundles.flatMap(sources).filter((file) => /\/locales\//.test(file));
    expect(new Set(locales.map((file) => file.split('/').at(-1)))).toEqual(new Set(['en.js']));
    expect(['cli', 'perf', 'range-worker'].flatMap(sources).filter((file) => file.includes('/zod/'))).toEqual([]);
  });

  it('survives a reader that leaves: | head -1', async () => {
    const { code, stdout, stderr } = await shell('bench rfc --messages 100 --steps all | head -1');
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it('ends with exit code 2 on wrong use', async () => {
    const { code, stdout, stderr } = await shell('bench rfc --messages none');
    expect(stderr).toMatch(/^rpal-bench: --messages takes a whole number .*\n$/);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('writes a partial result on SIGINT', async () => {
    const file = join(directory, 'partial.json');
    const { code, stdout } = await shell(`bench rfc --messages 100000000 --json ${file}`, (kill) => setTimeout(kill, 2500));
    expect(code).toBe(130);
    expect(stdout).toMatch(/^PARTIAL RESULT/);
    expect(rfcJson.parse(JSON.parse(readFileSync(file, 'utf8'))).complete).toBe(false);
  });
});
