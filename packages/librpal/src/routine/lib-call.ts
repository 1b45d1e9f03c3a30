import { Access, type Cpu, type Pointer } from '@rpal/hw-x86';
import type { Call, ProgramContext, Routine } from '@rpal/kernel';

/** How a step of a library routine ended. */
export const StepEnd = {
  /** Go on with the next step. */
  NEXT: 0,
  /** The routine has ended; its result is set. */
  DONE: 1,
  /** The core does something else now, or has to: the routine's state says whether the step is done or will be repeated. */
  AWAY: 2,
  /** A memory access faulted; the step has changed nothing and is repeated once the fault is resolved. */
  FAULT: 3,
} as const;

export type StepEnd = (typeof StepEnd)[keyof typeof StepEnd];

const SUSPENDED: IteratorResult<void, number> = { done: false, value: undefined };

/** Physical address behind a user address of the running context, or -1 on a fault. */
export function reach(cpu: Cpu, address: number, write: boolean): number {
  return cpu.data(address, write ? Access.user | Access.write : Access.user);
}

/** As `reach`, for an address that is used repeatedly. */
export function follow(cpu: Cpu, pointer: Pointer, write: boolean): number {
  return pointer.data(cpu, write ? Access.user | Access.write : Access.user);
}

/**
 * A routine of the library, written as atomic steps between which anything may happen: interrupts, other cores, the end
 * of a peer. A step first translates all it needs, so that a fault can repeat it whole.
 */
export abstract class LibCall implements Call, Routine {
  protected state = 0;
  protected readonly context: ProgramContext;
  protected readonly result: { readonly done: true; value: number } = { done: true, value: 0 };
  /** The routine has ended, and has not been asked for its result. */
  #ended = false;

  constructor(context: ProgramContext) {
    this.context = context;
  }

  [Symbol.iterator](): this {
    this.state = 0;
    this.#ended = false;
    return this;
  }

  next(): IteratorResult<void, number> {
    return this.#ended || this.#run() ? this.result : this.#suspend();
  }

  resume(): boolean {
    if (!this.#run()) return false;
    this.#ended = true;
    this.context.routine = null;
    return true;
  }

  #suspend(): IteratorResult<void, number> {
    this.context.routine = this;
    return SUSPENDED;
  }

  /** Executes steps. @returns true once the routine has ended */
  #run(): boolean {
    const { context } = this;
    if (context.landing !== 0) this.#land();
    while (!context.mustYield()) {
      const end = this.steps(context.cpu);
      if (end === StepEnd.DONE) return true;
      if (end !== StepEnd.FAULT) return false;
      // The step was owed a turn, and the fault is its continuation.
      context.fresh = true;
      if (!context.pageFault() && context.landing === 0) return false;
      // The fault may have been answered by sending us to the recovery point.
      if (context.landing !== 0) this.#land();
    }
    return false;
  }

  #land(): void {
    this.landed(this.context.takeLanding());
  }

  /**
   * Executes steps from the present state on, until one ends in something else than `NEXT` or the context must yield. Each
   * routine has this loop for itself: to the host it is then one function, compiled for this routine.
   */
  protected abstract steps(cpu: Cpu): StepEnd;

  /** The kernel has sent the context to `address`, one of its own. */
  protected landed(_address: number): void {}

  /**
   * A system call as the step of the present state; its result is in `context.rax` when the state is `next`.
   */
  protected syscall(nr: number, next: number, a0 = 0, a1 = 0, a2 = 0, a3 = 0): StepEnd {
    const { context } = this;
    if (!context.calling) {
      context.nr = nr;
      context.a0 = a0;
      context.a1 = a1;
      context.a2 = a2;
      context.a3 = a3;
      context.fresh = true;
    }
    if (!context.systemCall()) return StepEnd.AWAY;
    this.state = next;
    return StepEnd.NEXT;
  }

  /** The step is over; the next one is that of `state`. */
  protected go(state: number): StepEnd {
    this.state = state;
    return StepEnd.NEXT;
  }

  protected finish(value: number): StepEnd {
    this.result.value = value;
    return StepEnd.DONE;
  }
}
