import type { Death } from './process/death.js';
import type { WaitingThread } from './process/waiting.js';

/** Stable codes of the errors that building and running a machine can raise. */
export type MachineErrorCode =
  | 'INVALID_OPTION'
  | 'INVALID_ARGUMENT'
  | 'NO_SUCH_CPU'
  | 'NOT_EXECUTABLE'
  | 'NOT_A_PROGRAM'
  | 'NOT_AWAITED'
  /** A program's call failed: `done`, `exactly`. */
  | 'CALL_FAILED'
  | 'DEADLOCK'
  | 'PROCESS_DIED'
  | 'PLUGIN_FAILED'
  | 'RUNNING'
  | 'STOPPED'
  | 'TORN_DOWN'
  | 'INTERRUPT'
  | 'SYSCALL'
  | 'PATH'
  | 'MEASURE';

/** A machine was used wrongly, or a workload on it cannot go on. The message says what is wrong, where, and what would be right. */
export class MachineError extends Error {
  override readonly name = 'MachineError';
  readonly code: MachineErrorCode;

  constructor(code: MachineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A process died of a signal, and no process of the machine was there to be told. The machine is whole: `run` goes on with the others. @public for who catches it */
export class ProcessDeathError extends MachineError {
  readonly deaths: readonly Death[];

  constructor(deaths: readonly Death[], message: string) {
    super('PROCESS_DIED', message);
    this.deaths = deaths;
  }
}

/** Processes wait, and nothing can happen any more. */
export class DeadlockError extends MachineError {
  /** All remaining threads, each of which waits. */
  readonly threads: readonly WaitingThread[];

  constructor(threads: readonly WaitingThread[], message: string) {
    super('DEADLOCK', message);
    this.threads = threads;
  }
}
