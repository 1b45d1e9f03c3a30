import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Call, lineOf } from './model-workers.js';

/** The driver for the real kernel, compiled; or why there is none. */
export class RealKernel {
  readonly #directory: string;
  readonly #driver: string;
  /** Why it cannot be used; null if it can. */
  readonly missing: string | null;

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'rpal-driver-'));
    this.#driver = join(this.#directory, 'driver');
    this.missing = this.#prepare();
  }

  #prepare(): string | null {
    if (platform() !== 'linux') return `the comparison needs Linux, this is ${platform()}`;
    const source = fileURLToPath(new URL('./driver.c', import.meta.url));
    const compiled = spawnSync('cc', ['-O1', '-o', this.#driver, source], { encoding: 'utf8' });
    if (compiled.error !== undefined) return 'there is no C compiler ("cc")';
    if (compiled.status !== 0) return `the driver does not compile here: ${compiled.stderr}`;
    const [answer] = this.run([[{ process: 0, call: 'eventfd', args: [0, 0] }]]);
    return answer?.[0]?.[0] === '= 0 0' ? null : 'the driver does not run here';
  }

  /** Runs programs from fresh processes each. @returns per program, per call, the lines printed */
  run(programs: readonly (readonly Call[])[]): string[][][] {
    const input = programs.map((calls) => `reset\n${calls.map((call) => `${lineOf(call)}\n`).join('')}`).join('');
    const { stdout } = spawnSync(this.#driver, { input, encoding: 'utf8', maxBuffer: 1 << 28, timeout: 60_000 });
    const steps = `${stdout ?? ''}`.split('\n.\n').map((step) => [...step.split('\n'), '.']);
    let at = 0;
    return programs.map((calls) => calls.map(() => steps[at++] ?? []));
  }

  dispose(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
