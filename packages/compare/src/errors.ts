import { errnoName } from '@rpal/uapi';

/** What was wrong with a comparison. */
export type CompareErrorCode =
  /** A mechanism was asked for something that it cannot do, or an option makes no sense. */
  | 'USAGE'
  /** A call of a program failed. */
  | 'CALL_FAILED'
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

/** @returns `result`, unless it is a negative errno. @throws CompareError CALL_FAILED @public for mechanisms of your own */
export function done(call: string, result: number): number {
  if (result < 0) throw new CompareError('CALL_FAILED', `${call} failed with ${errnoName(result)}`);
  return result;
}

/** @throws CompareError CALL_FAILED if `result` is another value @public for mechanisms of your own */
export function exactly(call: string, result: number, wanted: number): void {
  if (result !== wanted)
    throw new CompareError('CALL_FAILED', `${call} came back with ${result < 0 ? errnoName(result) : result}, not ${wanted}`);
}
