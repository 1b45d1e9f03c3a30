import { spawnSync } from 'node:child_process';
import { NativeProgram } from '../native-program.js';
import { fail } from '../outcome.js';
import type { HostTime } from './host-time.js';

/** Round trips of a window: a millisecond or two. */
const WINDOW = 200;
/** CPUs to try: a container may not own the first ones. */
const CPUS = 256;

/** The epoll phase as a program on the kernel of this computer, compiled with the compiler of this computer. */
export class RealKernel {
  readonly #program: NativeProgram;
  #cpu = 0;

  private constructor(program: NativeProgram) {
    this.#program = program;
  }

  /** @returns why there is none, in one clause, if this computer cannot build or run it */
  static build(): RealKernel | string {
    const program = NativeProgram.build('pingpong');
    if (typeof program === 'string') return program;
    const real = new RealKernel(program);
    if (real.#findCpu()) return real;
    real.dispose();
    return 'the compiled program could not run on any CPU';
  }

  get compiler(): string {
    return this.#program.compiler;
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
    this.#program.dispose();
  }

  #start(windows: number, messages: number): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
    return spawnSync(this.#program.path, [windows, messages, this.#cpu].map(String), { encoding: 'utf8' });
  }

  #findCpu(): boolean {
    for (; this.#cpu < CPUS; this.#cpu++) {
      const { status } = this.#start(1, 1);
      if (status !== 2) return status === 0;
    }
    return false;
  }
}
