import { PAGE_SIZE } from '@rpal/hw-x86';

/** Bytes of a kernel stack (THREAD_SIZE). */
const THREAD_STACK = 16_384;

/** RLIMIT_SIGPENDING of the first process: half as many as there may be threads, which may fill an eighth of memory with their stacks. */
export function defaultPendingLimit(totalFrames: number): number {
  return Math.floor((totalFrames * PAGE_SIZE) / (8 * THREAD_STACK) / 2);
}

/** Signals in queues that a user's processes have together (Linux: UCOUNT_RLIMIT_SIGPENDING of `struct ucounts`). */
export class SignalAccount {
  readonly #uid: number;
  readonly #open: Map<number, SignalAccount>;
  #queued = 0;

  constructor(uid: number, open: Map<number, SignalAccount>) {
    this.#uid = uid;
    this.#open = open;
  }

  get queued(): number {
    return this.#queued;
  }

  /** A signal has come into a queue. */
  add(): void {
    if (this.#queued++ === 0) this.#open.set(this.#uid, this);
  }

  /** A signal has left its queue. With the last one the account is closed. */
  remove(): void {
    if (--this.#queued === 0) this.#open.delete(this.#uid);
  }
}

/** The accounts of all users of a machine. One is open as long as it counts a signal. */
export class SignalAccounts {
  readonly #open = new Map<number, SignalAccount>();

  /** The account of a user: the open one, or else a new one, which opens with its first signal. */
  of(uid: number): SignalAccount {
    return this.#open.get(uid) ?? new SignalAccount(uid, this.#open);
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }
}
