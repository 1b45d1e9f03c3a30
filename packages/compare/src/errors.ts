/** What was wrong with a comparison. */
export type CompareErrorCode =
  /** A mechanism was asked for something that it cannot do, or an option makes no sense. */
  | 'USAGE'
  /** A message arrived with other bytes than it was sent with. */
  | 'CHANGED';

/** A comparison that is impossible, or whose result would be worthless. */
export class CompareError extends Error {
  override readonly name = 'CompareError';
  readonly code: CompareErrorCode;

  constructor(code: CompareErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
