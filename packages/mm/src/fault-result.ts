/**
 * How a page fault ended: 0 if the access may be repeated, else the signal (bits 0..7) and its `si_code` (from bit 8).
 * In kernel mode the signal part means that the copy fails with EFAULT.
 */
export type FaultResult = number;

/** The access may be repeated. */
export const FAULT_RESOLVED = 0;

/** The signal of a fault that is not resolved. */
export function signalOf(result: FaultResult): number {
  return result & 0xff;
}

/** Its `si_code`. */
export function signalCodeOf(result: FaultResult): number {
  return result >>> 8;
}

/** The result for a fault that ends in a signal. @param code its `si_code` */
export function faultSignal(signal: number, code: number): FaultResult {
  return signal | (code << 8);
}
