import type { Cpu } from '@rpal/hw-x86';
import { type CloneRequest, GuestArguments, type Image, type Program, type SignalAction, type Thread } from '@rpal/kernel';

const CLONE_THREAD = 0x1_0000;
const SIG_IGN = 1;

/** What the player gives calls that no number stands for. */
export interface Substitutes {
  /** What execve is to run; null: what the path leads to. */
  readonly image: Image | null;
  /** What runs when a signal comes. */
  handler(program: Program, signal: number): Generator<void, void>;
}

/**
 * Arguments of the traced program: numbers and structures in memory, as machine code passes them. Only what it would execute itself, the
 * program of an execve and the handler of a signal, is the player's.
 */
export class ReplayArguments extends GuestArguments {
  readonly #registers: ConstructorParameters<typeof GuestArguments>[0];
  readonly #substitutes: Substitutes;

  constructor(registers: ConstructorParameters<typeof GuestArguments>[0], substitutes: Substitutes) {
    super(registers);
    this.#registers = registers;
    this.#substitutes = substitutes;
  }

  override clone(): CloneRequest {
    return { process: (this.#registers.a0 & CLONE_THREAD) === 0, tls: null };
  }

  override image(cpu: Cpu, thread: Thread, address: number): Image | string | number {
    return this.#substitutes.image ?? super.image(cpu, thread, address);
  }

  override action(cpu: Cpu, thread: Thread, address: number): SignalAction | null | number {
    const action = super.action(cpu, thread, address);
    if (typeof action === 'number' || action === null || typeof action.handler === 'string') return action;
    return { ...action, handler: (program: Program, signal: number) => this.#substitutes.handler(program, signal) };
  }

  override putAction(cpu: Cpu, thread: Thread, address: number, action: SignalAction): number {
    // The player's own function has no address: it is neither SIG_DFL nor SIG_IGN.
    const handler = typeof action.handler === 'function' ? { address: SIG_IGN + 1, restorer: 0 } : action.handler;
    return super.putAction(cpu, thread, address, { ...action, handler });
  }
}
