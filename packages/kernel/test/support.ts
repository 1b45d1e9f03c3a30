import { type Cpu, defaultProfile, instructionsOf } from '@rpal/hw-x86';
import type { Program } from '../src/index.js';

export { ends, finish, run, runOn, smallMachine } from '../../../scripts/testing/run.ts';

/** Instructions that a CPU has booked so far; central values. */
export function instructions({ ownLedger }: Cpu): number {
  return ownLedger.entries.reduce((sum, { step, count }) => sum + count * instructionsOf(step, defaultProfile)[1], 0);
}

/** Bytes of a text, for `storeBytes`. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text that `length` bytes at `address` hold. */
export function* textAt(p: Program, address: number, length: number): Generator<void, string> {
  const into = new Uint8Array(length);
  if (length > 0) yield* p.loadBytes(address, into);
  return new TextDecoder().decode(into);
}

/** Writes a text to a descriptor. `buffer` is room for it. */
export function* say(p: Program, fd: number, buffer: number, text: string): Generator<void, number> {
  yield* p.storeBytes(buffer, bytes(text));
  return yield* p.write(fd, buffer, text.length);
}

/** Reads at most `most` bytes: their text, or the negative errno. */
export function* hear(p: Program, fd: number, buffer: number, most = 4096): Generator<void, string | number> {
  const n = yield* p.read(fd, buffer, most);
  return n < 0 ? n : yield* textAt(p, buffer, n);
}
