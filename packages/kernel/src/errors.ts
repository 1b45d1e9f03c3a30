import type { Death } from './process/death.js';

/** Stable codes of the errors that running a machine can end in. */
export type MachineErrorCode = 'NO_SUCH_CPU' | 'DEADLOCK' | 'PROCESS_DIED' | 'PLUGIN_FAILED' | 'STOPPED' | 'SYSCALL' | 'MEASURE';

/** A machine was used wrongly, or a workload on it cannot go on. */
export class MachineError extends Error {
  override readonly name = 'MachineError';
  readonly code: MachineErrorCode;

  constructor(code: MachineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A process died of a signal, and no process of the machine was there to be told. The machine is whole: `run` goes on with the others. */
export class ProcessDeathError extends MachineError {
  readonly deaths: readonly Death[];

  constructor(deaths: readonly Death[], message: string) {
    super('PROCESS_DIED', message);
    this.deaths = deaths;
  }
}
