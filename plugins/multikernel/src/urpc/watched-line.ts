import { lineOf, PAYLOAD_WORDS, payloadAt } from './channel.js';
import type { Routine, Words } from './words.js';

/**
 * A line that one writer writes and many readers watch: the other way to send to several. The writer must know by other means that all
 * have read one message before it writes the next.
 */
export class WatchedLine {
  readonly writer: number;
  readonly #base: number;
  #written = 0;

  /** @param writer who writes, as readers tell lines apart @param base of a line that is zero at first */
  constructor(writer: number, base: number) {
    this.writer = writer;
    this.#base = base;
  }

  *write(words: Words, payload: readonly number[]): Routine {
    yield* words.storeLine(this.#base, [...lineOf(payload), ++this.#written]);
  }

  /** What has been written since the `seen`-th message; null if nothing. @returns its words */
  *read(words: Words, seen: number): Routine<readonly number[] | null> {
    if ((yield* words.load(this.#base + 8 * PAYLOAD_WORDS)) === seen) return null;
    return yield* payloadAt(words, this.#base);
  }
}
