/** Stable codes of the errors that composing a machine can end in. */
export type BusErrorCode =
  | 'SEALED'
  | 'DUPLICATE_PLUGIN'
  | 'MISSING_REQUIREMENT'
  | 'INCOMPATIBLE_VERSION'
  | 'REQUIREMENT_CYCLE'
  | 'CONFLICT'
  | 'INVALID_OPTIONS'
  | 'INVALID_PLUGIN'
  | 'DUPLICATE_SEAM'
  | 'SLOT_TAKEN'
  | 'SLOT_EMPTY'
  | 'SLOT_REFUSED'
  | 'TAP_FAILED'
  | 'SETUP_FAILED';

/** A mistake in how plugins and seams were put together. The message says what is wrong, where, and what would be right. */
export class BusError extends Error {
  override readonly name = 'BusError';
  readonly code: BusErrorCode;

  constructor(code: BusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A tap threw while the machine ran. `cause` is what it threw; the machine must not go on. */
export class TapError extends BusError {
  readonly seam: string;
  readonly plugin: string;

  constructor(seam: string, plugin: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super('TAP_FAILED', `plugin "${plugin}" threw in its tap of "${seam}": ${reason}`, { cause });
    this.seam = seam;
    this.plugin = plugin;
  }
}
