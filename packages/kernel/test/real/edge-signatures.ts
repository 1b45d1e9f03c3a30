import type { Kind } from './edge-kinds.js';

/**
 * How an outcome is compared: what the result is does not matter if it is not an error; what is in memory does not matter. A call that
 * is about names wants a tree of files.
 */
export const Mode = { OPAQUE: 1, SCRUB: 2, TREE: 4 } as const;

/** A call, and what its registers may hold. */
export interface Signature {
  readonly nr: number;
  readonly mode: number;
  readonly arguments: readonly Kind[];
}

export function call(nr: number, ...kinds: readonly Kind[]): Signature {
  return { nr, mode: 0, arguments: kinds };
}

/** One of which not everything is compared. @param mode bits of `Mode` */
export function opaque(mode: number, nr: number, ...kinds: readonly Kind[]): Signature {
  return { nr, mode, arguments: kinds };
}

/** One that is about names. @param mode further bits of `Mode` */
export function named(mode: number, nr: number, ...kinds: readonly Kind[]): Signature {
  return { nr, mode: mode | Mode.TREE, arguments: kinds };
}
