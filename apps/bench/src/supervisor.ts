import { getHeapStatistics } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { reasonOf } from './output-file.js';
import { ExitCode } from './usage.js';

/** One of the two streams that people and other programs read. */
export type StreamName = 'stdout' | 'stderr';

/** What the program is started with. */
export interface ProgramData {
  /** What follows the command's name. */
  readonly args: readonly string[];
  /** Of each stream, what is at its other end. */
  readonly ends: Readonly<Record<StreamName, { readonly isTTY: boolean; readonly columns: number | undefined }>>;
}

/** What the program says: text to be written, whether it looks at Ctrl-C, or that it has ended. */
export type ProgramMessage =
  | { readonly stream: StreamName; readonly text: string }
  | { readonly heedsInterrupt: boolean }
  | { readonly code: number };

/** What it is told. */
export const INTERRUPT = 'interrupt';

/** After Ctrl-C the program has so long to write what it has, ms. */
const GRACE = 5000;
/** When it is said that Ctrl-C has been seen, ms. */
const SILENCE = 1000;
/** How long a thread may take to be stopped: one that waits in a call of the kernel cannot be, ms. */
const STOPPING = 1000;

/**
 * Runs the program on a thread of its own and stays free: signals, streams and the end are looked after also while a plugin in the program
 * loops without end, exits, or leaves a promise rejected.
 * @returns the exit code
 */
export async function supervise(program: URL, args: readonly string[]): Promise<number> {
  const sinks = { stdout: new Sink(process.stdout, 'the standard output'), stderr: new Sink(process.stderr, 'the standard error') };
  const complain = (text: string): void => sinks.stderr.write(`rpal-bench: ${text}\n`);
  const ends = Object.fromEntries(
    Object.entries(sinks).map(([name, { stream }]) => [name, { isTTY: stream.isTTY === true, columns: stream.columns }]),
  );
  const limit = getHeapStatistics().heap_size_limit / 2 ** 20;
  const thread = new Worker(program, { workerData: { args, ends }, resourceLimits: { maxOldGenerationSizeMb: limit } });

  let result: number | null = null;
  let heedsInterrupt = false;
  let interrupted = false;
  thread.on('message', (message: ProgramMessage) => {
    if ('text' in message) sinks[message.stream].write(message.text);
    else if ('code' in message) result = message.code;
    else heedsInterrupt = message.heedsInterrupt;
  });
  thread.on('error', (error: unknown) => {
    complain(error instanceof Error ? error.message.replace(/\s*\n\s*/g, ' ') : String(error));
    result = ExitCode.FAILED;
  });
  const ended = new Promise<number>((resolve) => thread.on('exit', resolve));

  const timers: NodeJS.Timeout[] = [];
  function stop(): void {
    void thread.terminate();
    // The default is to end at once.
    timers.push(setTimeout(() => process.off('SIGINT', interrupt).kill(process.pid, 'SIGINT'), STOPPING));
  }
  function interrupt(): void {
    const again = interrupted;
    interrupted = true;
    if (again || !heedsInterrupt) stop();
    else {
      thread.postMessage(INTERRUPT);
      timers.push(setTimeout(() => complain('interrupted, and about to end; Ctrl-C once more ends it at once'), SILENCE));
      timers.push(setTimeout(stop, GRACE));
    }
  }
  process.on('SIGINT', interrupt);
  const threadCode = await ended;
  process.off('SIGINT', interrupt);
  for (const timer of timers) clearTimeout(timer);

  if (result === null) {
    if (interrupted) complain('interrupted; nothing further was written');
    else complain(`something in the program has ended it by process.exit(${threadCode}); a plugin may throw, but not end it`);
    result = interrupted ? ExitCode.INTERRUPTED : ExitCode.FAILED;
  }
  const failure = await sinks.stdout.end();
  if (failure === null) return result;
  complain(failure);
  return result === ExitCode.OK ? ExitCode.FAILED : result;
}

/** A stream that may break: its reader has left, or the disk is full. */
class Sink {
  readonly stream: NodeJS.WriteStream;
  readonly #name: string;
  #open = true;
  #failure: string | null = null;

  constructor(stream: NodeJS.WriteStream, name: string) {
    this.stream = stream;
    this.#name = name;
    stream.on('error', (error) => this.#broken(error));
  }

  write(text: string): void {
    if (!this.#open) return;
    try {
      this.stream.write(text);
    } catch (error) {
      this.#broken(error);
    }
  }

  /** Waits until all is written. @returns what went wrong; null also if the reader has left: `| head` wants no more */
  async end(): Promise<string | null> {
    if (this.#open) await new Promise<void>((resolve) => this.stream.write('', () => resolve()));
    return this.#failure;
  }

  #broken(error: unknown): void {
    this.#open = false;
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') this.#failure = `${this.#name} could not be written: ${reasonOf(error)}`;
  }
}
