import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Call, lineOf } from './calls.js';
import { compile } from './compile.js';
import type { Sequel } from './model-workers.js';

/** The end of what the driver says about a call. */
const END = '\n.\n';
/** A call to which the driver has not said anything in this time, milliseconds, has stopped it. */
const PATIENCE = 20_000;

/** The driver for the real kernel, compiled; or why there is none. */
export class RealKernel {
  readonly #directory: string;
  readonly #driver: string;
  #process: ChildProcessWithoutNullStreams | null = null;
  #heard = '';
  #told: (() => void) | null = null;
  /** Why it cannot be used; null if it can. */
  readonly missing: string | null;

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'rpal-driver-'));
    this.#driver = join(this.#directory, 'driver');
    this.missing = this.#prepare();
  }

  #prepare(): string | null {
    const missing = compile(fileURLToPath(new URL('./driver.c', import.meta.url)), this.#driver);
    if (missing !== null) return missing;
    const { stdout } = spawnSync(this.#driver, { input: 'reset\n0 eventfd 0 0\n', encoding: 'utf8', timeout: PATIENCE });
    return stdout === '= 0 0\n.\n' ? null : 'the driver does not run here';
  }

  /** From here on calls are those of a fresh process. */
  reset(): void {
    this.#driving.stdin.write('reset\n');
  }

  /** Executes a call. @param sequel what has to be waited for after it @returns the lines printed */
  async execute(call: Call, sequel: Sequel = ''): Promise<string[]> {
    this.#driving.stdin.write(`${sequel}${sequel === '' ? '' : ' '}${lineOf(call)}\n`);
    const deadline = setTimeout(() => this.#driving.kill(), PATIENCE);
    while (!this.#heard.endsWith(END) && this.#process !== null) {
      await new Promise<void>((resolve) => {
        this.#told = resolve;
      });
    }
    clearTimeout(deadline);
    const lines = this.#heard.split('\n').slice(0, -1);
    this.#heard = '';
    return lines;
  }

  /** Executes calls from a fresh process on. @returns the lines printed, per call */
  async run(calls: readonly Call[]): Promise<string[][]> {
    this.reset();
    const observed: string[][] = [];
    for (const call of calls) observed.push(await this.execute(call));
    return observed;
  }

  /** The driver, started when it is first needed, or again. */
  get #driving(): ChildProcessWithoutNullStreams {
    if (this.#process !== null) return this.#process;
    const process = spawn(this.#driver);
    process.stdout.setEncoding('utf8');
    process.stdout.on('data', (text: string) => {
      this.#heard += text;
      this.#told?.();
    });
    process.on('exit', () => {
      this.#process = null;
      this.#told?.();
    });
    process.stdin.on('error', () => {});
    this.#process = process;
    return process;
  }

  dispose(): void {
    this.#process?.stdin.end();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
