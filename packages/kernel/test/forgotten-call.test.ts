import { describe, expect, it } from 'vitest';
import { type Call, MachineError, type Main, type Program } from '../src/index.js';
import { run } from './support.js';

/** Calls without `yield*`, and what the error names them. */
const CALLS: readonly [string, (p: Program) => Call, RegExp][] = [
  ['a system call', (p) => p.write(1, 0, 5), /^the system call write was made and not awaited/],
  ['a system call of a plugin', (p) => p.syscall(1000), /^the system call 1000 was/],
  ['a store', (p) => p.store32(0, 5), /^a load, store or fetch was/],
  ['memset', (p) => p.memset(0, 1, 5), /^memset, memcmp/],
  ['bytes', (p) => p.storeBytes(0, new Uint8Array(1)), /storeBytes/],
  ['compute', (p) => p.compute(5), /^compute was/],
];

function failureOf(main: Main): unknown {
  try {
    run(main);
  } catch (error) {
    return error;
  }
  return null;
}

describe('a call without yield*', () => {
  const next: readonly [string, (p: Program) => Call][] = [...CALLS.map(([what, make]) => [what, make] as [string, typeof make])];

  it.each(CALLS.flatMap(([what, make, message]) => next.map(([other, then]) => ({ what, make, message, other, then }))))(
    '($what) is noticed at the next one ($other)',
    ({ make, message, then }) => {
      const error = failureOf(function* (p) {
        yield* p.getpid();
        make(p);
        yield* then(p);
      });
      expect(error).toBeInstanceOf(MachineError);
      expect(error).toMatchObject({ code: 'NOT_AWAITED' });
      expect(String((error as Error).message)).toMatch(message);
      expect(String((error as Error).message)).toMatch(/write yield\* before it$/);
    },
  );

  it.each(CALLS)('(%s) is noticed at the end of the program', (_what, make, message) => {
    const error = failureOf(function* (p) {
      yield* p.getpid();
      make(p);
    });
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toMatch(/the end of the program/);
  });

  it('may be awaited later, and a call that waits is none', () => {
    let pid = 0;
    run(function* (p) {
      const call = p.getpid();
      pid = yield* call;
      yield* p.sleep(1000);
      yield* p.compute(10);
      const memory = yield* p.allocate(4096);
      yield* p.store32(memory, pid);
      yield* p.memset(memory, 0, 64);
      yield* p.load8(memory);
    });
    expect(pid).toBe(1);
  });
});
