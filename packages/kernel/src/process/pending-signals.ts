import { Signal } from '@rpal/uapi';
import type { SignalAccount } from './signal-accounts.js';
import { NOT_QUEUED, type SignalOrigin } from './signal-origin.js';

/** A signal that was sent and not yet taken (Linux: `struct sigqueue`). */
export interface QueuedSignal extends SignalOrigin {
  readonly signal: number;
}

interface Entry extends QueuedSignal {
  readonly account: SignalAccount;
}

/** Signals as bits: `low` has 1 .. 32 as 1 << (number - 1), `high` has 33 .. 64 as 1 << (number - 33) (Linux: `sigset_t`). */
export interface SignalBits {
  readonly low: number;
  readonly high: number;
}

export const NO_SIGNALS: SignalBits = { low: 0, high: 0 };
export const ALL_SIGNALS: SignalBits = { low: -1, high: -1 };

/** Faults of the thread itself come before other signals. */
const SYNCHRONOUS = bitsOf(Signal.SEGV, Signal.BUS, Signal.ILL, Signal.TRAP, Signal.FPE, Signal.SYS).low;

export function bitsOf(...signals: number[]): SignalBits {
  let low = 0;
  let high = 0;
  for (const signal of signals) {
    if (signal <= 32) low |= 1 << (signal - 1);
    else high |= 1 << (signal - 33);
  }
  return { low, high };
}

export function hasSignal({ low, high }: SignalBits, signal: number): boolean {
  return ((signal <= 32 ? low >>> (signal - 1) : high >>> (signal - 33)) & 1) !== 0;
}

export function without(set: SignalBits, other: SignalBits): SignalBits {
  return { low: set.low & ~other.low, high: set.high & ~other.high };
}

export function union(set: SignalBits, other: SignalBits): SignalBits {
  return { low: set.low | other.low, high: set.high | other.high };
}

/** Signals sent to a thread, or to a process as a whole (Linux: `struct sigpending`). */
export class PendingSignals implements SignalBits {
  low = 0;
  high = 0;
  /**
   * In the order in which they came: one of each ordinary signal, as many as came of the others. A signal that found no room is
   * not here, and only pending.
   */
  readonly #queue: Entry[] = [];

  /** The signal is pending already, and one of it is enough (Linux: `legacy_queue`). */
  holds(signal: number): boolean {
    return signal < Signal.RTMIN && hasSignal(this, signal);
  }

  /** @param account whose queues it counts for; null: there is no room, it is pending without its origin, and once */
  post(signal: number, { code, pid, uid, value, valueHigh }: SignalOrigin, account: SignalAccount | null): void {
    if (account !== null) {
      account.add();
      this.#queue.push({ signal, code, pid, uid, value, valueHigh, account });
    }
    if (signal <= 32) this.low |= 1 << (signal - 1);
    else this.high |= 1 << (signal - 33);
  }

  /** The signal of `wanted` that comes first (Linux: `next_signal`), taken out; null if there is none. */
  take(wanted: SignalBits): QueuedSignal | null {
    const low = this.low & wanted.low;
    const high = this.high & wanted.high;
    const signal = lowest(low & SYNCHRONOUS) || lowest(low) || (high === 0 ? 0 : 32 + lowest(high));
    if (signal === 0) return null;
    const at = this.#queue.findIndex((queued) => queued.signal === signal);
    const taken = at < 0 ? { signal, ...NOT_QUEUED } : this.#remove(at);
    if (!this.#queue.some((queued) => queued.signal === signal)) this.#clear(signal);
    return taken;
  }

  /** Throws signals away. */
  flush(set: SignalBits): void {
    for (let i = this.#queue.length - 1; i >= 0; i--) if (hasSignal(set, (this.#queue[i] as Entry).signal)) this.#remove(i);
    this.low &= ~set.low;
    this.high &= ~set.high;
  }

  #remove(at: number): Entry {
    const [removed] = this.#queue.splice(at, 1) as [Entry];
    removed.account.remove();
    return removed;
  }

  #clear(signal: number): void {
    if (signal <= 32) this.low &= ~(1 << (signal - 1));
    else this.high &= ~(1 << (signal - 33));
  }
}

function lowest(bits: number): number {
  return bits === 0 ? 0 : 32 - Math.clz32(bits & -bits);
}
