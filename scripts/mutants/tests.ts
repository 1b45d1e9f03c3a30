import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Change } from './mutation.ts';

/** What the process is told to run. */
export interface Order {
  /** Test files, relative to the root. */
  readonly files: readonly string[];
  readonly change: Change | null;
  /** Only tests whose names match; all if left out. */
  readonly named?: string;
}

/** What came of it. */
export interface Answer {
  /** `out of time`: did not come to an end; `broken`: could not be run as it should. */
  readonly outcome: 'passed' | 'failed' | 'out of time' | 'broken';
  /** The first test that failed, or what is broken. */
  readonly by: string;
  /** Its file, relative to the root; '' if there is none. */
  readonly in: string;
  readonly seconds: number;
  /** Seconds of each file that was run to its end. */
  readonly files: Readonly<Record<string, number>>;
}

/** An answer without a test behind it. */
export function withoutTest(outcome: Answer['outcome'], by: string, seconds = 0): Answer {
  return { outcome, by, in: '', seconds, files: {} };
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const jiti = createRequire(import.meta.url)
  .resolve('jiti/package.json')
  .replace('package.json', 'lib/jiti-cli.mjs');

/**
 * Runs tests, up to the first that fails, with a change of one line or without. All in one vitest, which starts once and keeps what it has
 * compiled: a run takes a second where a process for each takes five. If tests do not end in time, that process is killed,
 * and the next run gets a new one.
 */
export class Tests {
  #process: ChildProcess | null = null;
  readonly #kill = () => this.close();

  constructor() {
    process.on('exit', this.#kill);
  }

  /** @param limit seconds */
  async run(order: Order, limit: number): Promise<Answer> {
    const child = await this.#started();
    const answered = new Promise<Answer>((answer) => {
      child.once('message', (message: Answer) => answer(message));
      child.once('exit', () => answer(withoutTest('broken', 'the process of the tests has ended')));
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Answer>((answer) => {
      timer = setTimeout(() => answer(withoutTest('out of time', `more than ${Math.round(limit)} s`, limit)), limit * 1000);
    });
    child.send(order);
    const answer = await Promise.race([answered, late]);
    clearTimeout(timer);
    child.removeAllListeners();
    if (answer.outcome === 'out of time') this.close();
    return answer;
  }

  /** Ends the process, what it has started included. */
  close(): void {
    const child = this.#process;
    this.#process = null;
    if (child?.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  }

  async #started(): Promise<ChildProcess> {
    if (this.#process !== null && this.#process.exitCode === null) return this.#process;
    const child = spawn(process.execPath, [jiti, fileURLToPath(new URL('worker.ts', import.meta.url))], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // A group of its own, which the workers of vitest belong to: one that is stuck in a loop does not end when it is asked to.
      detached: true,
      env: { ...process.env, NODE_ENV: 'test', VITEST: 'true' },
    });
    this.#process = child;
    await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`vitest has not started: exit status ${code}`);
      }),
    ]);
    child.removeAllListeners();
    return child;
  }
}
