import type { Program } from '../../src/index.js';

/** One call of one process: what both sides execute. */
export interface Call {
  readonly process: number;
  readonly call: string;
  readonly args: readonly number[];
}

export function lineOf({ process, call, args }: Call): string {
  return [process, call, ...args].join(' ');
}

/** What both sides say of a call that has put data into memory: how many, and their hash. */
export function* dataResult(p: Program, buffer: number, n: number, length: number): Generator<void, string> {
  return n <= 0 ? `${n}` : `${n} ${yield* hashAt(p, buffer, Math.min(n, length))}`;
}

/** FNV-1a. */
export function* hashAt(p: Program, buffer: number, length: number): Generator<void, string> {
  const bytes = new Uint8Array(length);
  if (length > 0) yield* p.loadBytes(buffer, bytes);
  // Who is to be told of a message has another process id there.
  const owner = Buffer.from(bytes).indexOf('NOTIFY_PID:');
  if (owner >= 0) bytes.fill(0, owner);
  let h = 2166136261;
  for (const byte of bytes) h = Math.imul(h ^ byte, 16777619);
  return (h >>> 0).toString(16);
}

export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = seed + i;
  return bytes;
}
