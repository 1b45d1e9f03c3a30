import type { Call, Main, Process, Program } from '@rpal/kernel';
import { Errno, Signal } from '@rpal/uapi';
import { expect } from 'vitest';
import * as testing from '../../../scripts/testing/run.ts';
import { posix } from '../src/index.js';

export { ends, mustEnd, until } from '../../../scripts/testing/run.ts';
export { bytes, hear, say, textAt } from '../../kernel/test/support.js';

/** Runs programs, which have to end well, on a machine with the calls of this package. */
export function run(options: testing.TestOptions, ...mains: Main[]): Process[];
export function run(...mains: Main[]): Process[];
export function run(first: testing.TestOptions | Main, ...mains: Main[]): Process[] {
  const [options, all] = typeof first === 'function' ? [{}, [first, ...mains]] : [first, mains];
  return testing.run({ ...options, plugins: [posix(), ...(options.plugins ?? [])] }, ...all);
}

/**
 * A wait under a mask of its own, which lets in a signal that is pending: it ends by that, and afterwards the mask is as before.
 * @param wait waits with no signal blocked
 */
export function* waitsUnderItsMask(p: Program, wait: () => Call<number>): Call<void> {
  const blocked = 1 << (Signal.USR1 - 1);
  let handled = 0;
  yield* p.sigaction(Signal.USR1, function* (q) {
    yield* q.getpid();
    handled++;
  });
  yield* p.sigprocmask(0, blocked);
  yield* p.kill(yield* p.getpid(), Signal.USR1);
  expect([yield* wait(), handled]).toEqual([-Errno.EINTR, 1]);
  expect(yield* p.sigprocmask(0, 0)).toBe(blocked);
}
