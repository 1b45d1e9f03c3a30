/** What was wrong: `USAGE`: an argument makes no sense; `RUN_FAILED`: programs did not end as they should. @public for who catches the error */
export type ExokernelErrorCode = 'USAGE' | 'RUN_FAILED';

/** Wrong use of the exokernel's parts, or a run whose result would be worthless. @public for who catches it */
export class ExokernelError extends Error {
  override readonly name = 'ExokernelError';
  readonly code: ExokernelErrorCode;

  constructor(code: ExokernelErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
