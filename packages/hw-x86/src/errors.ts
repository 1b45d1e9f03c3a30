/** Stable codes of the errors that misuse of the hardware model ends in. */
export type HardwareErrorCode =
  | 'INVALID_PROFILE'
  | 'UNKNOWN_STEP'
  | 'DUPLICATE_STEP'
  | 'INVALID_STEP'
  | 'INVALID_ARGUMENT'
  | 'NON_CANONICAL_ADDRESS'
  | 'OUT_OF_MEMORY'
  | 'INVALID_OPCODE'
  | 'GENERAL_PROTECTION'
  | 'UNHANDLED_EXCEPTION'
  | 'PATH_NOT_OPEN';

/** The hardware model was used in a way that no hardware could be. The message names the argument and says what would be right. */
export class HardwareError extends Error {
  override readonly name = 'HardwareError';
  readonly code: HardwareErrorCode;

  constructor(code: HardwareErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The model has found itself in an impossible state, as BUG_ON reports in Linux: the model is wrong, not its user. The message says
 * which check failed, and the state involved.
 */
export class ModelBug extends Error {
  override readonly name = 'ModelBug';
  /** What the check looked at. */
  readonly state: Readonly<Record<string, unknown>>;

  /** @param check what is not as it must be: "frame is put more often than it was taken" */
  constructor(check: string, state: Readonly<Record<string, unknown>> = {}) {
    const facts = Object.entries(state).map(([name, value]) => `${name} ${String(value)}`);
    super(`BUG: ${check}${facts.length === 0 ? '' : ` (${facts.join(', ')})`}`);
    this.state = state;
  }
}
