/** Stable codes of the errors that running a machine can end in. */
export type MachineErrorCode = 'NO_SUCH_CPU' | 'DEADLOCK' | 'PLUGIN_FAILED' | 'STOPPED' | 'SYSCALL';

/** A machine was used wrongly, or a workload on it cannot go on. */
export class MachineError extends Error {
  override readonly name = 'MachineError';
  readonly code: MachineErrorCode;

  constructor(code: MachineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
