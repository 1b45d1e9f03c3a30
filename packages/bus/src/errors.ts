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
 * What the program that is built of plugins models has come to its end, as it must: no mistake of the tap in which that shows, so it passes
 * through seams as it is.
 */
export abstract class ModelledCrash extends Error {}

/**
 * A tap or an observer did wrong while the machine ran: it threw (`cause` is what), or answered what will not do. The machine must not go
 * on.
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
