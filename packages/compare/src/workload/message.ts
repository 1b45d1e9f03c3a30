import { pageCeil } from '@rpal/hw-x86';
import { done, type Program } from '@rpal/kernel';
import { CompareError } from '../errors.js';
import type { Routine } from '../mechanism/mechanism.js';

/** The period of the pattern in the bytes of a message: prime, so that no two messages are alike. */
export const STRIDE = 131;

/** Room for a message that goes out and one that comes in, both there already. */
export function* buffers(p: Program, size: number): Routine<readonly [out: number, into: number]> {
  const room = pageCeil(size + 8);
  const memory = done('mmap', yield* p.allocate(2 * room));
  yield* p.memset(memory, 0, 2 * room);
  return [memory, memory + room];
}

function pattern(size: number, index: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => index * STRIDE + at + (at >> 8));
}

/** Writes the bytes of message `index`. */
export function* fill(p: Program, address: number, size: number, index: number): Routine {
  yield* p.storeBytes(address, pattern(size, index));
}

/** @throws CompareError CHANGED if the bytes are not those of message `index` */
export function* check(p: Program, address: number, size: number, index: number): Routine {
  const seen = new Uint8Array(size);
  yield* p.loadBytes(address, seen);
  const wanted = pattern(size, index);
  const at = seen.findIndex((byte, i) => byte !== wanted[i]);
  if (at >= 0) throw new CompareError('CHANGED', `byte ${at} of message ${index} came as ${seen[at]}, not ${wanted[at]}`);
}
