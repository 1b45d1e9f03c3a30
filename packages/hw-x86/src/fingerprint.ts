/**
 * A 64-bit running hash (two murmur-style lanes) over numbers and bytes. Machines end with one, over their final state
 * and counters, so that a test can pin a whole run in sixteen characters.
 */
export class Fingerprint {
  #a = 0x2f0b4c47;
  #b = 0x6a09e667;

  /** Adds an integer below 2^53 in magnitude. */
  number(value: number): this {
    const high = Math.floor(value / 0x1_0000_0000) | 0;
    this.#word(value | 0);
    this.#word(high);
    return this;
  }

  text(value: string): this {
    for (let i = 0; i < value.length; i++) this.#word(value.charCodeAt(i));
    this.#word(value.length);
    return this;
  }

  words(values: Int32Array): this {
    // A machine's whole memory comes by here: the lanes stay in registers.
    let [a, b] = [this.#a, this.#b];
    for (let i = 0; i < values.length; i++) {
      const word = values[i] as number;
      a = laneA(a, word);
      b = laneB(b, word);
    }
    this.#a = a;
    this.#b = b;
    return this;
  }

  /** Sixteen hexadecimal digits. */
  digest(): string {
    const hex = (lane: number): string => (mix(lane) >>> 0).toString(16).padStart(8, '0');
    return hex(this.#a) + hex(this.#b ^ this.#a);
  }

  #word(word: number): void {
    this.#a = laneA(this.#a, word);
    this.#b = laneB(this.#b, word);
  }
}

function laneA(lane: number, word: number): number {
  return (Math.imul(rotate(lane ^ Math.imul(word, 0xcc9e2d51), 13), 5) + 0xe6546b64) | 0;
}

function laneB(lane: number, word: number): number {
  return (Math.imul(rotate(lane ^ Math.imul(word, 0x1b873593), 17), 9) + 0x38495ab5) | 0;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function mix(lane: number): number {
  let word = lane;
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}
