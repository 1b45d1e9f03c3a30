import { CompareError } from '../errors.js';
import type { Mechanism, Waiting } from '../mechanism/mechanism.js';

/** @throws CompareError USAGE unless `value` is a whole number from `least` to `most` */
export function checkWhole(what: string, value: number, least: number, most: number = Number.POSITIVE_INFINITY): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const range = most === Number.POSITIVE_INFINITY ? `from ${least} on` : `from ${least} to ${most}`;
  throw new CompareError('USAGE', `${what}: ${value} is not a whole number ${range}`);
}

/** @throws CompareError USAGE if the sides of a mechanism cannot wait so */
export function checkWaiting({ name, waits }: Mechanism, waiting: Waiting): void {
  if (!waits.includes(waiting)) throw new CompareError('USAGE', `the sides of ${name} ${waits[0]}; they cannot ${waiting}`);
}
