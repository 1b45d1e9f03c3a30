import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attempt, build, command, root } from './outside-project.ts';

/** `rpal-bench` as it is built. */
const bench = (...args: string[]) => attempt(process.execPath, [join(root, 'apps/bench/dist/cli.js'), ...args], root);
const noMpk = (isolation: string) => `./plugins/no-mpk/dist/index.js#noMpk={"isolation":"${isolation}"}`;

describe('rpal-bench with a plugin of the repository', () => {
  beforeAll(build, 900_000);
  const rfc = ['rfc', '--messages', '20', '--phase', 'rpal', '--profile'];

  it('runs RPAL on CPUs without protection keys, where it does not start by itself', { timeout: 120_000 }, () => {
    const alone = bench(...rfc, 'epyc-7713-nopku');
    expect(alone.status).toBe(2);
    expect(alone.stderr).toMatch(/needs protection keys \(PKU\), which epyc-7713-nopku does not have/);
    const helped = bench(...rfc, 'epyc-7713-nopku', '--plugin', noMpk('page-table'));
    expect([helped.status, helped.stderr]).toEqual([0, '']);
    expect(helped.stdout).toMatch(/plugins +@rpal\/rpal-core, @rpal\/no-mpk/);
  });

  it('says why an isolation cannot be had there', { timeout: 60_000 }, () => {
    const { status, stderr } = bench(...rfc, 'epyc-7713-nopku', '--plugin', noMpk('vmfunc'));
    expect(status).toBe(2);
    expect(stderr).toMatch(/needs VMFUNC, an instruction of Intel's VMX, which epyc-7713-nopku does not have; choose page-table or none/);
  });

  it('shows the plugin as the provider of its slot', { timeout: 60_000 }, () => {
    expect(bench('plugins', '--plugin', noMpk('vmfunc')).stdout).toMatch(/rpalIsolation +@rpal\/no-mpk\n/);
  });
});

describe('a checkout in which only the benchmark has been run', () => {
  const checkout = mkdtempSync(join(tmpdir(), 'rpal-checkout-'));
  afterAll(() => rmSync(checkout, { recursive: true }));
  const comparison = ['compare', '--mechanism', 'call', '--messages', '10'];

  it('runs any command, by npm run bench and as the tour prints it', { timeout: 300_000 }, () => {
    command('git', ['clone', '--quiet', root, checkout]);
    const byNpm = command('npm', ['run', '--silent', 'bench', '--', ...comparison], checkout);
    expect(byNpm).toContain('call');
    // What few need is not there, and the commands that need it say so.
    const worker = attempt(process.execPath, [join(checkout, 'apps/bench/dist/cli.js'), 'worker'], checkout);
    expect([worker.status, worker.stderr]).toEqual([2, expect.stringContaining('bullmq and ioredis, which are not installed')]);
    // --no: whatever is not installed here is not looked for in the registry.
    expect(command('npx', ['--no', 'rpal-bench', ...comparison], checkout)).toBe(byNpm);
  });
});
