/** Stable codes of the errors that a wrong argument or scenario ends in. */
export type ExploreErrorCode = 'INVALID_RECORDING' | 'UNKNOWN_NAME' | 'INVALID_SCENARIO' | 'INVALID_ARGUMENT';

/** The explorer was asked for something that does not exist, or a scenario breaks a rule for all scenarios. The message says what would be right. */
export class ExploreError extends Error {
  override readonly name = 'ExploreError';
  readonly code: ExploreErrorCode;

  constructor(code: ExploreErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
