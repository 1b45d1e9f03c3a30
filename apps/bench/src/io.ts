import type { Writable } from 'node:stream';

/** A stream that text goes to, and what is at its other end. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What a command sees of the world besides files. */
export interface Io {
  /** Results. */
  readonly stdout: Output;
  /** Progress and complaints. */
  readonly stderr: Output;
  readonly env: { readonly NO_COLOR?: string | undefined; readonly REDIS_URL?: string | undefined };
  /** Where relative names begin. */
  readonly directory: string;
  /** Calls `handler` when the user wants the command to end. @returns how to no longer be told */
  onInterrupt(handler: () => void): () => void;
}

/** The streams and signals of this process. */
export function processIo(): Io {
  // `rpal-bench ... | head` closes the pipe early: the rest need not be printed, but files are still written.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    directory: process.cwd(),
    onInterrupt(handler) {
      process.on('SIGINT', handler);
      return () => process.off('SIGINT', handler);
    },
  };
}
