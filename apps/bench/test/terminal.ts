import { Writable } from 'node:stream';
import type { Io, Output } from '../src/io.js';
import { main } from '../src/main.js';

/** A stream that keeps what is written, and may tell about it. */
class Kept extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 100;
  readonly #onWrite: ((text: string) => void) | undefined;

  constructor(isTTY: boolean, onWrite?: (text: string) => void) {
    super();
    this.isTTY = isTTY;
    this.#onWrite = onWrite;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    this.#onWrite?.(chunk.toString());
    done();
  }
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command line without a process.
 * @param directory where relative names begin
 * @param interruptAt Ctrl-C is pressed when the progress bar, which then is shown, matches this
 */
export async function run(args: readonly string[], interruptAt?: RegExp, directory = '/'): Promise<Ran> {
  let interrupt = (): void => {};
  const stdout = new Kept(false);
  const stderr = new Kept(interruptAt !== undefined, (text) => interruptAt?.test(text) === true && interrupt());
  const io: Io = {
    stdout,
    data: stdout,
    stderr: stderr as Output,
    env: {},
    patience: 0,
    directory,
    onInterrupt(handler) {
      interrupt = handler;
      return () => {
        interrupt = () => {};
      };
    },
  };
  const code = await main(args, io);
  return { code, stdout: stdout.text, stderr: stderr.text };
}
