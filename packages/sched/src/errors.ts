/** Stable codes of the errors that misuse of the scheduler raises. @public for who catches it */
export type SchedErrorCode = 'INVALID_ARGUMENT' | 'BAD_ANSWER';

/**
 * The scheduler was asked for something that no kernel could do, or a tap answered with it. The message says what would be right.
 * @public for who catches it
 */
export class SchedError extends Error {
  override readonly name = 'SchedError';
  readonly code: SchedErrorCode;

  constructor(code: SchedErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
