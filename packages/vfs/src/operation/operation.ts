import type { Cpu } from '@rpal/hw-x86';

/**
 * What stands in the place of a result while there is none. All lie far below any errno, and no call returns anything as
 * small: `result > Pending.AGAIN` asks of an operation's step whether it has a result.
 */
export const Pending = {
  /** Of an attempt (`RetryOperation`): nothing to take, or no room. */
  NOTHING_YET: -0x4000_0000,
  /** Of a step: a yield point. Call `step` again. */
  AGAIN: -0x4000_0001,
  /** Of a step: the task has prepared to sleep. Call `schedule()`, then `step` again. */
  SLEEP: -0x4000_0002,
  /** Of a file's method: the call goes on in `caller.operation`. */
  OPERATION: -0x4000_0003,
} as const;

/** A system call that may sleep, as a state machine of atomic steps. Each task keeps one of each kind and re-uses it. */
export interface Operation {
  /** @returns the result of the call (0 or more, or a negative errno), `Pending.AGAIN`, or `Pending.SLEEP` */
  step(cpu: Cpu): number;
}

let kinds = 0;

/**
 * A kind of operation that each task keeps one of. Whoever defines an operation makes its kind, once, beside it; the number
 * is an index and means nothing else.
 */
export class OperationKind<T extends Operation> {
  readonly index: number = kinds++;
  /** For errors and reports. */
  readonly name: string;
  /** Never set: makes kinds of different operations different types. */
  declare readonly operation: T;

  constructor(name: string) {
    this.name = name;
  }
}

/** The operations of one task, by kind: each is made on first use and used again from then on. */
export class OperationSet {
  readonly #made: (Operation | undefined)[] = [];

  /** The task's operation of a kind, if it has been made. */
  get<T extends Operation>(kind: OperationKind<T>): T | undefined {
    return this.#made[kind.index] as T | undefined;
  }

  /** Keeps the task's operation of a kind, and returns it. */
  keep<T extends Operation>(kind: OperationKind<T>, operation: T): T {
    while (this.#made.length < kind.index) this.#made.push(undefined);
    this.#made[kind.index] = operation;
    return operation;
  }
}
