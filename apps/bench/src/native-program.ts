import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMPILERS: readonly string[] = ['cc', 'gcc', 'clang'];

/** A C program out of `native/`, compiled with the compiler of this computer. */
export class NativeProgram {
  readonly compiler: string;
  /** Of the executable. */
  readonly path: string;
  readonly #directory: string;

  private constructor(compiler: string, directory: string) {
    this.compiler = compiler;
    this.#directory = directory;
    this.path = join(directory, 'program');
  }

  /** @param name of the file, without `.c` @returns why there is none, in one clause, if this computer cannot build it */
  static build(name: string): NativeProgram | string {
    if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
    const compiler = COMPILERS.find((candidate) => spawnSync(candidate, ['--version']).status === 0);
    if (compiler === undefined) return `there is no C compiler (${COMPILERS.join(', ')})`;
    const program = new NativeProgram(compiler, mkdtempSync(join(tmpdir(), 'rpal-native-')));
    // The folder is a neighbour of `src` as well as of `dist`.
    const source = fileURLToPath(new URL(`../native/${name}.c`, import.meta.url));
    const { status, stderr } = spawnSync(compiler, ['-O2', '-o', program.path, source, '-lrt'], { encoding: 'utf8' });
    if (status === 0) return program;
    program.dispose();
    return `${compiler} did not compile it: ${stderr.trim()}`;
  }

  /** Removes what was compiled. */
  dispose(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
