import { Touch } from '@rpal/hw-x86';
import type { Call, UserContext } from '@rpal/kernel';
import { RPAL_ERROR_MAGIC, Scc } from '@rpal/rpal-core';
import { follow } from '../routine/lib-call.js';
import { LibSender } from './sender.js';

const SUSPENDED: IteratorResult<void, number> = { done: false, value: undefined };

/** `rpal_read_access_safety`: runs a routine under a recovery point, so that a peer that dies does not take us with it. */
export class AccessSafetyCall implements Call {
  readonly #context: UserContext;
  readonly #sender: LibSender;
  readonly #nests: boolean;
  readonly #routine: Generator<void, unknown>;
  #armed = false;
  /** The routine has ended. */
  #ended = false;
  /** The owner of the recovery point that encloses this one, and what to leave behind: its magic word, or none. */
  #outer: object | null = null;
  #outerMagic = 0;

  /** @param nests a recovery point that this one is within is in force again afterwards */
  constructor(context: UserContext, sender: LibSender, nests: boolean, routine: Generator<void, unknown>) {
    this.#context = context;
    this.#sender = sender;
    this.#nests = nests;
    this.#routine = routine;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<void, number> {
    const context = this.#context;
    const sender = this.#sender;
    if (context.landing !== 0 && sender.recovers === this) {
      // The kernel has disarmed the recovery point and brought us here: what the routine was in is given up.
      if (context.takeLanding() === LibSender.recoveryAddress(context)) return this.#leave(-1);
    }
    if (!this.#armed) {
      if (!this.#set(RPAL_ERROR_MAGIC)) return SUSPENDED;
      this.#armed = true;
      this.#outer = sender.recovers;
      sender.recovers = this;
    }
    if (!this.#ended && this.#routine.next().done !== true) return SUSPENDED;
    this.#ended = true;
    return this.#set(this.#nests ? this.#outerMagic : 0) ? this.#leave(0) : SUSPENDED;
  }

  #leave(value: number): IteratorResult<void, number> {
    this.#sender.recovers = this.#outer;
    return { done: true, value };
  }

  /** Writes the magic word, and where to go on. @returns false if the context must wait for a fault to be resolved */
  #set(magic: number): boolean {
    const context = this.#context;
    for (;;) {
      const { cpu } = context;
      const scc = follow(cpu, this.#sender.scc, Touch.STORE);
      if (scc >= 0) {
        if (!this.#armed) this.#outerMagic = cpu.memory.read32(scc + Scc.magic);
        cpu.memory.write64(scc + Scc.ersp, context.rsp);
        cpu.memory.write32(scc + Scc.magic, magic);
        return true;
      }
      context.fresh = true;
      if (!context.pageFault()) return false;
    }
  }
}
