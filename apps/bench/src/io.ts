import { Writable } from 'node:stream';

/** A stream that text goes to, and what is at its other end. */
export type Output = Writable & { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined };

/** A stream whose text goes to `write`. @param end what is at its other end */
export function textOutput(end: Pick<Output, 'isTTY' | 'columns'>, write: (text: string) => void): Output {
  const writable = new Writable({
    decodeStrings: false,
    write(text: string | Buffer, _encoding, done) {
      write(text.toString());
      done();
    },
  });
  return Object.assign(writable, { isTTY: end.isTTY, columns: end.columns });
}

/** What a command sees of the world besides files. */
export interface Io {
  /** Results for people: lines that are too long for a terminal are folded. */
  readonly stdout: Output;
  /** Results for programs: the same stream, as they are. */
  readonly data: Output;
  /** Progress and complaints. */
  readonly stderr: Output;
  readonly env: { readonly NO_COLOR?: string | undefined; readonly REDIS_URL?: string | undefined };
  /** Work that takes less shows no progress, ms. */
  readonly patience: number;
  /** Where relative names begin. */
  readonly directory: string;
  /** Calls `handler` when the user wants the command to end. @returns how to no longer be told */
  onInterrupt(handler: () => void): () => void;
}
