import { HardwareError } from '../errors.js';
import { CACHE_LINE } from './address.js';

const EMPTY = -1;

/** One set-associative cache of lines, with true least-recently-used replacement. Lines are numbers: address / 64. */
export class CacheArray {
  readonly ways: number;
  readonly sets: number;
  readonly #lines: Int32Array;
  /** What the owner of the array keeps for each line. */
  readonly #states: Uint8Array;
  readonly #stamps: Float64Array;
  #clock = 0;
  /** State of the line that `insert` pushed out last. */
  evictedState = 0;

  /** @param bytes capacity; bytes / 64 / ways must be whole */
  constructor(bytes: number, ways: number) {
    const entries = bytes / CACHE_LINE;
    this.sets = entries / ways;
    if (!Number.isInteger(this.sets)) {
      throw new HardwareError('INVALID_ARGUMENT', `bytes: ${bytes} in ${ways} ways is not a whole number of sets of 64-byte lines`);
    }
    this.ways = ways;
    this.#lines = new Int32Array(entries).fill(EMPTY);
    this.#states = new Uint8Array(entries);
    this.#stamps = new Float64Array(entries);
  }

  /** Position of a line, or -1. Not a use. */
  find(line: number): number {
    const first = (line % this.sets) * this.ways;
    for (let at = first; at < first + this.ways; at++) if (this.#lines[at] === line) return at;
    return -1;
  }

  /** Counts as a use of the line at a position. */
  use(at: number): void {
    this.#stamps[at] = ++this.#clock;
  }

  state(at: number): number {
    return this.#states[at] as number;
  }

  setState(at: number, state: number): void {
    this.#states[at] = state;
  }

  /** Enters a line that is not in the cache. @returns the line pushed out, or -1; its state is in `evictedState` */
  insert(line: number, state: number): number {
    const first = (line % this.sets) * this.ways;
    let victim = first;
    for (let at = first; at < first + this.ways; at++) {
      if (this.#lines[at] === EMPTY) {
        victim = at;
        break;
      }
      if ((this.#stamps[at] as number) < (this.#stamps[victim] as number)) victim = at;
    }
    const evicted = this.#lines[victim] as number;
    this.evictedState = this.#states[victim] as number;
    this.#lines[victim] = line;
    this.#states[victim] = state;
    this.use(victim);
    return evicted;
  }

  /** Takes a line out, if it is in. @returns its state, or -1 */
  remove(line: number): number {
    const at = this.find(line);
    if (at < 0) return -1;
    this.#lines[at] = EMPTY;
    return this.#states[at] as number;
  }

  /** The lines in the cache. */
  *lines(): Generator<number> {
    for (const line of this.#lines) if (line !== EMPTY) yield line;
  }
}
