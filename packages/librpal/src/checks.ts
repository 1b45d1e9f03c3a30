import { MachineError } from '@rpal/kernel';

/** A program's mistake that the C library's compiler would have found. @throws MachineError INVALID_ARGUMENT */
export function refuse(routine: string, what: string, given: unknown, wanted: string): never {
  throw new MachineError('INVALID_ARGUMENT', `${routine}: ${what} is ${String(given)}; give ${wanted}`);
}

/** @param sum of all its arguments that are numbers: NaN if one of them is @throws MachineError INVALID_ARGUMENT */
export function requireNumbers(routine: string, sum: unknown): void {
  if (typeof sum !== 'number' || Number.isNaN(sum)) refuse(routine, 'one of its arguments', sum, 'numbers');
}
