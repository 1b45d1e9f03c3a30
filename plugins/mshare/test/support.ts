import type { Machine } from '@rpal/kernel';
import { smallMachine } from '../../../scripts/testing/run.ts';
import { mshare } from '../src/index.js';

export { mustEnd, runOn as run, smallMachine, smallProfile, until } from '../../../scripts/testing/run.ts';

/** Where regions of these tests begin. */
export const AT = 0x100_0000_0000;
export const LENGTH = 4 * 0x20_0000;

export function machine(): Machine {
  return smallMachine({ plugins: [mshare()] });
}
