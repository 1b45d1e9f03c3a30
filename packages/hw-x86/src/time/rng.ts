/**
 * The only source of randomness in a machine: sfc32, a small 128-bit generator, seeded by one integer.
 * Same seed, same sequence, on every computer.
 */
export class Rng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed any integer; its low 32 bits and the bits above them both count */
  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) | 0;
    this.#c = 0x9e3779b9 | 0;
    for (let i = 0; i < 12; i++) this.next32();
  }

  /** The next 32 random bits, as an unsigned integer. */
  next32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) | 0;
    return t >>> 0;
  }

  /** A uniform integer in [0, limit). @param limit 1 .. 2^53 */
  below(limit: number): number {
    if (limit <= 0x1_0000_0000) return Math.floor((this.next32() / 0x1_0000_0000) * limit);
    const wide = this.next32() * 0x20_0000 + (this.next32() >>> 11);
    return Math.floor((wide / 2 ** 53) * limit);
  }
}
