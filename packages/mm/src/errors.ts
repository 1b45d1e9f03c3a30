/** Stable codes of the errors that misuse of memory management raises. @public for who catches it */
export type MmErrorCode = 'INVALID_ARGUMENT' | 'OVERLAP' | 'OUT_OF_MEMORY';

/** The model was used in a way that is impossible in a kernel. The message names the argument and what would be right. @public for who catches it */
export class MmError extends Error {
  override readonly name = 'MmError';
  readonly code: MmErrorCode;

  constructor(code: MmErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** @throws MmError INVALID_ARGUMENT unless `value` is a whole number, as a register holds one */
export function requireWhole(value: number, argument: string): void {
  if (!Number.isInteger(value)) throw new MmError('INVALID_ARGUMENT', `${argument}: ${value} is not a whole number of bytes`);
}
