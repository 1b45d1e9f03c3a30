import { ModelBug } from '../errors.js';
import { Vector } from './interrupts.js';

/**
 * The interrupts that one processor has been sent and has not taken: the local APIC's request register (IRR), and the one NMI
 * that can wait.
 */
export class InterruptLines {
  /** Vectors that may be taken as soon as interrupts are on. */
  pending = 0;
  /** One NMI waits. The processor remembers no more than one: those that come meanwhile merge with it. */
  nmiPending = false;
  /** An NMI was taken, and no IRET has come since: another NMI waits. */
  nmiBlocked = false;
  /** Vectors that may be taken, and those whose priority class is too low; a bit for each. */
  readonly #admitted = new Int32Array(8);
  readonly #held = new Int32Array(8);
  /** Vectors of this priority class and below are held back; no vector has class 0. */
  #priority = 0;

  /** An interrupt arrives. @returns true if it ends a halt: it is not held back */
  request(vector: number): boolean {
    if (vector === Vector.nmi) {
      this.nmiPending = true;
      return true;
    }
    const held = vector >>> 4 <= this.#priority;
    if (set(held ? this.#held : this.#admitted, vector) && !held) this.pending++;
    return !held;
  }

  /** Lets vectors above a priority class through, 0 .. 15: vector / 16 must be higher. @returns true if one came free */
  admitAbove(priority: number): boolean {
    this.#priority = priority;
    let freed = false;
    for (let vector = 16; vector < 256; vector++) {
      const hold = vector >>> 4 <= priority;
      if (!clear(hold ? this.#admitted : this.#held, vector)) continue;
      if (hold) this.pending--;
      freed = this.request(vector) || freed;
    }
    return freed;
  }

  /** Takes the pending vector of highest priority. Only while `pending` is positive. */
  accept(): number {
    for (let word = 7; word >= 0; word--) {
      const bits = this.#admitted[word] as number;
      if (bits === 0) continue;
      const bit = 31 - Math.clz32(bits);
      this.#admitted[word] = bits & ~(1 << bit);
      this.pending--;
      return word * 32 + bit;
    }
    throw new ModelBug('an interrupt is accepted while none is pending', { pending: this.pending });
  }
}

/** @returns false if the bit was set before */
function set(bits: Int32Array, vector: number): boolean {
  const word = bits[vector >>> 5] as number;
  const bit = 1 << (vector & 31);
  bits[vector >>> 5] = word | bit;
  return (word & bit) === 0;
}

/** @returns false if the bit was clear before */
function clear(bits: Int32Array, vector: number): boolean {
  const word = bits[vector >>> 5] as number;
  const bit = 1 << (vector & 31);
  bits[vector >>> 5] = word & ~bit;
  return (word & bit) !== 0;
}
