/** Pieces of a connection's pool: where messages for it are put. Offsets are multiples of 8, as in kdbus. */
export class Pool {
  readonly bytes: number;
  /** Pieces in use, by their offsets: lengths. In ascending order of offsets. */
  readonly #used: { readonly offset: number; readonly length: number }[] = [];

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** Pieces in use. */
  get size(): number {
    return this.#used.length;
  }

  /** The first gap that is large enough. @returns its offset, or -1 */
  allocate(length: number): number {
    const rounded = Math.ceil(length / 8) * 8;
    let offset = 0;
    let at = 0;
    for (; at < this.#used.length; at++) {
      const next = this.#used[at] as { offset: number; length: number };
      if (next.offset - offset >= rounded) break;
      offset = next.offset + next.length;
    }
    if (offset + rounded > this.bytes) return -1;
    this.#used.splice(at, 0, { offset, length: rounded });
    return offset;
  }

  /** @returns false if no piece begins there */
  free(offset: number): boolean {
    const at = this.#used.findIndex((piece) => piece.offset === offset);
    if (at < 0) return false;
    this.#used.splice(at, 1);
    return true;
  }
}
