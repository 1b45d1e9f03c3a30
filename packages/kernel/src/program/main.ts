import { shown } from '@rpal/bus';
import { MachineError } from '../errors.js';
import type { Program } from './program.js';

/** What a program's `main` is: a generator that yields inside system calls and memory accesses, and returns its exit status. */
export type Main = (program: Program) => Generator<void, number | void>;

/** @param place whose program it is, for the message @throws MachineError NOT_A_PROGRAM for what certainly is not a program */
export function requireMain(place: string, main: unknown): asserts main is Main {
  const isFunction = typeof main === 'function';
  if (isFunction && !Object.prototype.toString.call(main).includes('Async')) return;
  throw notAProgram(place, isFunction ? 'an async function, and nothing on the machine waits for promises' : shown(main));
}

/**
 * Begins a program.
 * @param place whose program it is, for the message
 * @throws MachineError NOT_A_PROGRAM if its function is not a generator function, which shows when it is called
 */
export function begun<T>(place: string, generator: Generator<void, T>): Generator<void, T> {
  if (typeof generator?.next === 'function') return generator;
  throw notAProgram(place, `a function that returned ${shown(generator)}`);
}

function notAProgram(place: string, what: string): MachineError {
  return new MachineError('NOT_A_PROGRAM', `the program of ${place} is ${what}; write a generator function: function* (p) { ... }`);
}
