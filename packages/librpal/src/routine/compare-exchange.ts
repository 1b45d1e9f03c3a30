import { type Cpu, Touch } from '@rpal/hw-x86';
import type { ProgramContext } from '@rpal/kernel';
import { LibCall, reach, StepEnd } from './lib-call.js';

/** LOCK CMPXCHG of a 32-bit word as a routine. Its result is what the word held: it was exchanged if that is what was expected. */
export class CompareExchange extends LibCall {
  readonly #address: number;
  readonly #expected: number;
  readonly #desired: number;

  constructor(context: ProgramContext, address: number, expected: number, desired: number) {
    super(context);
    this.#address = address;
    this.#expected = expected;
    this.#desired = desired;
  }

  protected override steps(cpu: Cpu): StepEnd {
    const word = reach(cpu, this.#address, Touch.STORE);
    if (word < 0) return StepEnd.FAULT;
    const present = cpu.memory.read32(word) | 0;
    if (present === (this.#expected | 0)) cpu.memory.write32(word, this.#desired);
    return this.finish(present);
  }
}
