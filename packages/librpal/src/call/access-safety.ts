import { type Pointer, Touch } from '@rpal/hw-x86';
import type { Call, UserContext } from '@rpal/kernel';
import { RPAL_ERROR_MAGIC, Scc } from '@rpal/rpal-core';
import { follow } from '../routine/lib-call.js';
import { LibSender } from './sender.js';

const SUSPENDED: IteratorResult<void, number> = { done: false, value: undefined };

/** `rpal_read_access_safety`: runs a routine under a recovery point, so that a peer that dies does not take us along. */
export class AccessSafetyCall implements Call {
  readonly #context: UserContext;
  readonly #scc: Pointer;
  readonly #routine: Generator<void, unknown>;
  #armed = false;
  /** The routine is through. */
  #ended = false;

  constructor(context: UserContext, sender: LibSender, routine: Generator<void, unknown>) {
    this.#context = context;
    this.#scc = sender.scc;
    this.#routine = routine;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<void, number> {
    const context = this.#context;
    if (context.landing !== 0) {
      // The kernel has disarmed the recovery point and brought us here: what the routine was in is given up.
      if (context.takeLanding() === LibSender.recoveryAddress(context)) return { done: true, value: -1 };
    }
    if (!this.#armed) {
      if (!this.#set(RPAL_ERROR_MAGIC)) return SUSPENDED;
      this.#armed = true;
    }
    if (!this.#ended && this.#routine.next().done !== true) return SUSPENDED;
    this.#ended = true;
    return this.#set(0) ? { done: true, value: 0 } : SUSPENDED;
  }

  /** Writes the magic word, and where to go on. @returns false if the context must wait for a fault to be resolved */
  #set(magic: number): boolean {
    const context = this.#context;
    for (;;) {
      const { cpu } = context;
      const scc = follow(cpu, this.#scc, Touch.STORE);
      if (scc >= 0) {
        cpu.memory.write64(scc + Scc.ersp, context.rsp);
        cpu.memory.write32(scc + Scc.magic, magic);
        return true;
      }
      context.fresh = true;
      if (!context.pageFault()) return false;
    }
  }
}
