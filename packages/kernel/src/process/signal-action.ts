import type { SignalBits } from './pending-signals.js';
import { NO_SIGNALS } from './pending-signals.js';

/**
 * Code of a program that takes a signal. Its form is a matter of the engine that executes the program; the kernel only passes it back to that engine.
 */
export type UserHandler = object;

/** What is done about a signal (`struct sigaction`). */
export interface SignalAction {
  readonly handler: UserHandler | 'default' | 'ignore';
  /** `SignalFlag` bits. */
  readonly flags: number;
  /** Signals that are blocked while the handler runs. */
  readonly mask: SignalBits;
}

export const DEFAULT_ACTION: SignalAction = { handler: 'default', flags: 0, mask: NO_SIGNALS };

/** The handler of a signal; null if its process does without. */
export function handlerOf({ handler }: SignalAction): UserHandler | null {
  return handler === 'default' || handler === 'ignore' ? null : handler;
}
