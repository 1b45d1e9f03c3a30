import { spawnSync } from 'node:child_process';
import { platform } from 'node:os';

/** Compiles a driver for the real kernel. @returns why that is not possible here; null if it has been done */
export function compile(source: string, binary: string): string | null {
  if (platform() !== 'linux') return `the comparison needs Linux, this is ${platform()}`;
  const compiled = spawnSync('cc', ['-O1', '-pthread', '-o', binary, source], { encoding: 'utf8' });
  if (compiled.error !== undefined) return 'there is no C compiler ("cc")';
  return compiled.status === 0 ? null : `the driver does not compile here: ${compiled.stderr}`;
}
