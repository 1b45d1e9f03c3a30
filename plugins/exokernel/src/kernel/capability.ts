/**
 * Why the kernel refuses: `FORGED`: no capability, or one of a frame that has been freed since; `NO_RIGHT`: it gives too little;
 * `NO_MEMORY`: all frames are taken; `NO_TABLE`: a page table is missing on the way; `BOUND`: something is there already; `NOT_BOUND`:
 * nothing is; `BAD_ADDRESS`; `IN_USE`: the frame is shown somewhere, or is a page table; `IS_TABLE`: a page table is written by the
 * kernel alone; `NOT_OWNER`; `NO_ENTRY`: the environment takes no transfers; `BUSY`: it is taking one; `PEER_DIED`: it is gone.
 */
export type Refusal =
  | 'FORGED'
  | 'NO_RIGHT'
  | 'NO_MEMORY'
  | 'NO_TABLE'
  | 'BOUND'
  | 'NOT_BOUND'
  | 'BAD_ADDRESS'
  | 'IN_USE'
  | 'IS_TABLE'
  | 'NOT_OWNER'
  | 'NO_ENTRY'
  | 'BUSY'
  | 'PEER_DIED';

/**
 * What proves that one may use a frame: plain numbers, to be kept in memory and sent in registers. `check` holds for this frame, these rights
 * and this life of the frame, and only the kernel can compute it.
 */
export interface Capability {
  readonly frame: number;
  readonly writable: boolean;
  /** 53 bits. */
  readonly check: number;
}

/** As two words of a message. */
export function wordsOf({ frame, writable, check }: Capability): readonly [number, number] {
  return [2 * frame + (writable ? 1 : 0), check];
}

/** Of two words of a message, which may be anything. */
export function capabilityOf(word: number, check: number): Capability {
  return { frame: Math.floor(word / 2), writable: word % 2 === 1, check };
}

/** A keyed hash. It stands for a real one: programs of the model do not compute it backwards. @returns 53 bits */
export function keyedHash(key: number, ...words: readonly number[]): number {
  let [a, b] = [key | 0, Math.imul(key, 0x9e37_79b1)];
  for (const word of words) {
    a = Math.imul(a ^ word, 0x85eb_ca6b);
    b = Math.imul(b ^ (a >>> 13) ^ word, 0xc2b2_ae35);
    a ^= b >>> 16;
  }
  a = Math.imul(a ^ (b >>> 15), 0x2c1b_3c6d);
  return ((b ^ (a >>> 12)) & 0x1f_ffff) * 0x1_0000_0000 + (a >>> 0);
}
