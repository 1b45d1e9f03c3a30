import type { Cpu } from '@rpal/hw-x86';
import { MachineError } from '../errors.js';

/** What an interrupt does. Interrupts are off, and the entry is paid for. */
export type InterruptHandler = (cpu: Cpu) => void;

/** An interrupt as the table has it. */
export interface Irq {
  readonly vector: number;
  /** As in /proc/interrupts. */
  readonly name: string;
  readonly handler: InterruptHandler;
  /** How often it has been served. */
  count: number;
}

/** Vectors below this are exceptions, and the NMI. */
const FIRST = 32;
const VECTORS = 256;

/** The interrupts of one machine, by vector (Linux: the IDT beyond exceptions). */
export class IrqTable {
  readonly #irqs: (Irq | null)[] = new Array<Irq | null>(VECTORS).fill(null);
  /** Interrupts whose vector nobody handles, by vector (Linux: `spurious_interrupt`). */
  readonly spurious: Int32Array = new Int32Array(VECTORS);

  /**
   * @param vector 32 .. 255
   * @throws MachineError INTERRUPT if the vector is out of range, taken, or its name or handler is missing
   */
  define(vector: number, name: string, handler: InterruptHandler): void {
    const refusal = (why: string) => new MachineError('INTERRUPT', `interrupt "${name}" cannot have vector ${vector}: ${why}`);
    if (!Number.isInteger(vector) || vector < FIRST || vector >= VECTORS) throw refusal(`vectors are ${FIRST} to ${VECTORS - 1}`);
    const other = this.#irqs[vector];
    if (other != null) throw refusal(`"${other.name}" has it; choose another`);
    if (typeof name !== 'string' || name === '') throw refusal('it needs a name: define(vector, name, handler)');
    if (typeof handler !== 'function') throw refusal('its handler is not a function; give (cpu) => { ... }');
    this.#irqs[vector] = { vector, name, handler, count: 0 };
  }

  /** Serves an interrupt. One that nobody handles is counted as spurious. */
  serve(cpu: Cpu, vector: number): void {
    const irq = this.#irqs[vector];
    if (irq == null) {
      this.spurious[vector] = (this.spurious[vector] as number) + 1;
      return;
    }
    irq.count++;
    irq.handler(cpu);
  }

  /** All that are defined, by vector. */
  *[Symbol.iterator](): Generator<Irq> {
    for (const irq of this.#irqs) if (irq !== null) yield irq;
  }
}
