/** Stable codes of the errors that misuse of the hardware model ends in. */
export type HardwareErrorCode =
  | 'INVALID_PROFILE'
  | 'UNKNOWN_STEP'
  | 'DUPLICATE_STEP'
  | 'INVALID_ARGUMENT'
  | 'NON_CANONICAL_ADDRESS'
  | 'OUT_OF_MEMORY'
  | 'INVALID_OPCODE'
  | 'GENERAL_PROTECTION'
  | 'UNHANDLED_EXCEPTION'
  | 'PATH_NOT_OPEN';

/** The hardware model was used in a way that no hardware could be. The message names the argument and what would be right. */
export class HardwareError extends Error {
  override readonly name = 'HardwareError';
  readonly code: HardwareErrorCode;

  constructor(code: HardwareErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
