import { MAX_SENDERS } from '../layouts.js';

/** Bits of a word of the library's bitmap. */
const WORD = 64;
const WORDS = MAX_SENDERS / WORD;

/** Which slots of the sender area are free: a bitmap of four 64-bit words (patch 35). */
export class SenderSlots {
  readonly #taken: boolean[] = Array.from({ length: MAX_SENDERS }, () => false);

  /** The lowest free slot, taken; -1 if there is none. */
  take(): number {
    const slot = this.#taken.indexOf(false);
    if (slot >= 0) this.#taken[slot] = true;
    return slot;
  }

  /**
   * Gives a slot back. As the series has it, the index is taken apart by 8 where the bitmap consists of words of 64 bits:
   * for slots from 8 on another bit is set, for slots from 32 on one beyond the bitmap.
   * @returns false if memory beyond the bitmap was written
   */
  give(slot: number, asWritten: boolean): boolean {
    const word = Math.floor(slot / 8);
    const bit = asWritten ? word * WORD + (slot % 8) : slot;
    if (asWritten && word >= WORDS) return false;
    this.#taken[bit] = false;
    return true;
  }
}
