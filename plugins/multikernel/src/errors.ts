/** What was wrong. @public for who catches the error */
export type MultikernelErrorCode =
  /** An argument makes no sense. */
  | 'USAGE'
  /** A program of an experiment did not end as it should. */
  | 'RUN_FAILED';

/** Wrong use of the multikernel's parts, or an experiment whose result would be worthless. @public for who catches it */
export class MultikernelError extends Error {
  override readonly name = 'MultikernelError';
  readonly code: MultikernelErrorCode;

  constructor(code: MultikernelErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
