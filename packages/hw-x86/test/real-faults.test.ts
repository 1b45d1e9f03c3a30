import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { BareMetal, Pte } from '../src/index.js';
import { XEON } from './support.js';

const KEY = 1;
const NOTHING = '-1 -1';

/** The pages that the C program makes. */
const PAGES: Readonly<Record<string, { flags: number; noExecute: boolean; rights?: number } | { address: number }>> = {
  missing: { address: 0x5000 },
  'read-only': { flags: Pte.user, noExecute: true },
  'read-write': { flags: Pte.user | Pte.writable, noExecute: true },
  'read-execute': { flags: Pte.user, noExecute: false },
  kernel: { address: -0x7f00_0000 },
  'non-canonical': { address: 0x1_2345_6789_abcd },
  'key-open': { flags: Pte.user | Pte.writable, noExecute: false, rights: 0 },
  'key-no-access': { flags: Pte.user | Pte.writable, noExecute: false, rights: 1 },
  'key-no-write': { flags: Pte.user | Pte.writable, noExecute: false, rights: 2 },
};

/** Exception and error code of one access in the model, as the C program prints them. */
function modelled(name: string, kind: string): string {
  const metal = new BareMetal({ profile: XEON });
  const root = metal.addressSpace();
  const page = PAGES[name]!;
  let address = 0x1000;
  let rights = 0;
  if ('address' in page) {
    address = page.address;
    if (address < 0) metal.map(root, address, { flags: Pte.writable | Pte.global });
  } else {
    rights = page.rights ?? 0;
    metal.map(root, address, { flags: page.flags, noExecute: page.noExecute, key: page.rights === undefined ? 0 : KEY });
  }
  let result = NOTHING;
  metal.onException = (_, { vector, code }) => {
    result = `${vector} ${code}`;
    return 'skip';
  };
  metal.start(0, function* (core) {
    core.load(root);
    core.user = true;
    core.wrpkru(rights << (2 * KEY));
    if (kind === 'r') core.read8(address);
    else if (kind === 'w') core.write8(address, 1);
    else core.fetch(address);
    yield;
  });
  metal.run();
  return result;
}

/** What the processor of this computer did, line by line; undefined without a C compiler. */
function real(keys: boolean): readonly string[] | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'faults-'));
  try {
    const source = fileURLToPath(new URL('faults.c', import.meta.url));
    const cc = spawnSync('cc', ['-O1', '-w', '-o', join(directory, 'faults'), source], { encoding: 'utf8' });
    if (cc.error !== undefined) return undefined;
    if (cc.status !== 0) throw new Error(cc.stderr);
    const run = spawnSync(join(directory, 'faults'), keys ? ['keys'] : [], { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`faults ended with ${run.signal ?? run.status}: ${run.stderr}`);
    return run.stdout.trim().split('\n');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe('page faults', () => {
  it('are reported as the processor of this computer reports them', ({ skip }) => {
    skip(process.platform !== 'linux' || process.arch !== 'x64', 'this is not Linux on x86-64');
    // Protection keys are tried where the processor has them and the kernel has switched them on.
    const keys = /\bospke\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
    const lines = real(keys);
    if (lines === undefined) return skip('there is no C compiler (cc)');
    expect([16, 25]).toContain(lines.length);
    for (const line of lines) {
      const [name, kind, trap, error] = line.split(' ') as [string, string, string, string];
      expect(`${name} ${kind} ${modelled(name, kind)}`, 'the model, then the processor').toBe(`${name} ${kind} ${trap} ${error}`);
    }
  });
});
