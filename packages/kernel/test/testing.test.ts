import { Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { EndingError, ends, run } from '../../../scripts/testing/run.ts';
import { type Main, Time } from '../src/index.js';

// Every other test relies on this: one whose program does not end as it says fails.
describe('a program under test', () => {
  const short = { within: 10 * Time.ms };

  it.each<[string, Main, RegExp]>([
    [
      'with another status',
      function* (p) {
        yield* p.exit(3);
      },
      /^process 1 \(program 0\) ended with status 3; if it should, say so: ends\(\{ \.\.\. \}, program\)$/,
    ],
    [
      'of a signal',
      function* (p) {
        yield* p.load8(0);
      },
      /^process 1 \(program 0\) was killed by SIGSEGV \(code 1, address 0x0\)/,
    ],
    [
      'never',
      function* (p) {
        yield* p.sleep(Time.s);
      },
      /^process 1 \(program 0\) was still running when the time was up/,
    ],
    [
      'well, and its child does not',
      function* (p) {
        yield* p.fork(function* (child) {
          yield* child.kill(child.context.thread.pid, Signal.KILL);
        });
        yield* p.wait();
      },
      /^process 2 \(program 0\) was killed by SIGKILL/,
    ],
    [
      'well, although the test says that it does not',
      ends({ status: 3 }, function* (p) {
        yield* p.getpid();
      }),
      /^process 1 \(program 0\) ended with status 0, but should end with status 3$/,
    ],
    [
      'although the test says that it does not end',
      ends('running', function* (p) {
        yield* p.getpid();
      }),
      /ended with status 0, but should still be running when the time was up$/,
    ],
  ])('that ends %s makes the test fail', (_how, main, message) => {
    expect(() => run(short, main)).toThrow(EndingError);
    expect(() => run(short, main)).toThrow(message);
  });

  it('that waits for ever makes the test fail', () => {
    const waits: Main = function* (p) {
      yield* p.pause();
    };
    expect(() => run(short, waits)).toThrow();
    run(short, ends('running', waits));
  });

  it('passes if it ends as the test says', () => {
    run(
      ends({ signal: Signal.SEGV, address: 8 }, function* (p) {
        yield* p.load8(8);
      }),
    );
  });
});
