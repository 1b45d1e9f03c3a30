import { GuestArguments, type Main, type Program } from '../../src/index.js';

/**
 * A system call as a program in C makes it: what its arguments stand for lies in memory.
 * @param child what a child that the call begins executes
 */
export function* callInC(p: Program, nr: number, args: readonly number[], child?: Main): Generator<void, number> {
  const context = p.context as { args: unknown; childMain: Main };
  const { args: own } = context;
  context.args = new GuestArguments(p.context);
  if (child !== undefined) context.childMain = child;
  const result = yield* p.syscall(nr, ...args);
  context.args = own;
  return result;
}
