/** Stable codes of the errors that misuse of the scheduler ends in. @public for who catches it */
export type SchedErrorCode = 'INVALID_ARGUMENT' | 'BAD_ANSWER';

/** The scheduler was asked for what no kernel could do, or a tap has answered so. The message says what would be right. @public for who catches it */
export class SchedError extends Error {
  override readonly name = 'SchedError';
  readonly code: SchedErrorCode;

  constructor(code: SchedErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
