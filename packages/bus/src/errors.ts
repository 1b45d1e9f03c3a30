/** Stable codes of the errors that can occur while a machine is composed. */
export type BusErrorCode =
  | 'SEALED'
  | 'DUPLICATE_PLUGIN'
  | 'MISSING_REQUIREMENT'
  | 'INCOMPATIBLE_VERSION'
  | 'REQUIREMENT_CYCLE'
  | 'CONFLICT'
  | 'INVALID_OPTIONS'
  | 'INVALID_PLUGIN'
  | 'INVALID_ANSWER'
  | 'UNKNOWN_SEAM'
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

/**
 * What is modelled has crashed, as it should: a kernel BUG, for instance. It is no mistake of the tap that throws it, so it passes through
 * seams as it is.
 */
export abstract class ModelledCrash extends Error {}

/**
 * A tap or an observer failed while the machine ran: it threw (`cause` is what it threw), or its answer is not allowed. The machine must
 * not go on.
 */
export class TapError extends BusError {
  readonly seam: string;
  readonly plugin: string;

  constructor(code: 'TAP_FAILED' | 'INVALID_ANSWER', seam: string, plugin: string, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.seam = seam;
    this.plugin = plugin;
  }
}
