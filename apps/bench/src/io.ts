import type { Writable } from 'node:stream';

/** A stream that text goes to, and what is at its other end. */
export type Output = Writable & { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined };

/** What a command sees of the world besides files. */
export interface Io {
  /** Results. */
  readonly stdout: Output;
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
