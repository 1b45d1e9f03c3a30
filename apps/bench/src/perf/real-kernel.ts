import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fail } from '../outcome.js';
import type { HostTime } from './host-time.js';

const SOURCE = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../native/pingpong.c' : '../../native/pingpong.c', import.meta.url),
);
const COMPILERS: readonly string[] = ['cc', 'gcc', 'clang'];
/** Round trips of a window: a millisecond or two. */
const WINDOW = 200;
/** CPUs to try: a container may not own the first ones. */
const CPUS = 256;

/** The epoll phase as a program on the kernel of this computer, compiled with the compiler of this computer. */
export class RealKernel {
  readonly compiler: string;
  readonly #directory: string;
  #cpu = 0;

  private constructor(compiler: string, directory: string) {
    this.compiler = compiler;
    this.#directory = directory;
  }

  /** @returns why there is none, in one clause, if this computer cannot build or run it */
  static build(): RealKernel | string {
    if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
    const compiler = COMPILERS.find((name) => spawnSync(name, ['--version']).status === 0);
    if (compiler === undefined) return `there is no C compiler (${COMPILERS.join(', ')})`;
    const real = new RealKernel(compiler, mkdtempSync(join(tmpdir(), 'rpal-perf-')));
    const { status, stderr } = spawnSync(compiler, ['-O2', '-o', real.#program, SOURCE], { encoding: 'utf8' });
    if (status === 0 && real.#findCpu()) return real;
    real.dispose();
    return status === 0 ? 'the compiled program could not run on any CPU' : `${compiler} did not compile it: ${stderr.trim()}`;
  }

  /** Times `messages` round trips. @throws BenchmarkFailure if the program fails */
  run(messages: number): HostTime {
    const windows = Math.ceil(messages / WINDOW);
    const { status, stdout, stderr } = this.#start(windows, WINDOW);
    if (status !== 0) fail(`the ping-pong on the real kernel failed: ${stderr.trim() || `exit code ${status}`}`);
    const taken = stdout.trim().split('\n').map(Number);
    return { messages: windows * WINDOW, windows: taken.map((ns) => ns / WINDOW) };
  }

  /** Removes what was compiled. */
  dispose(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #program(): string {
    return join(this.#directory, 'pingpong');
  }

  #start(windows: number, messages: number): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
    return spawnSync(this.#program, [windows, messages, this.#cpu].map(String), { encoding: 'utf8' });
  }

  #findCpu(): boolean {
    for (; this.#cpu < CPUS; this.#cpu++) {
      const { status } = this.#start(1, 1);
      if (status !== 2) return status === 0;
    }
    return false;
  }
}
