import type { Refusal } from '../kernel/capability.js';
import type { Environment, Routine } from '../kernel/environment.js';
import { LibraryStep } from './steps.js';

/** Gives the rest of the turn to somebody. The library keeps the registers: the kernel does not. @public for libraries of your own @returns why not, if that one is gone */
export function* yieldTo(environment: Environment, to: number): Routine<Refusal | null> {
  environment.charge(LibraryStep.saveRegisters);
  const refused = yield* environment.yield(to);
  environment.charge(LibraryStep.loadRegisters);
  return refused;
}
