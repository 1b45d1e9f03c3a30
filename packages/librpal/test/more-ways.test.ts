import { type QuirkName, Rcc, RpalIoctl } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { call, enterInCall, pair, world } from './pair.js';

// Defects that do more than one thing: what quirks.test.ts does not show of them.

describe('receiver-ends-before-return: a receiver that unregisters in its call, and then sleeps, so that its caller goes back by the kernel', () => {
  const outcome = (repair: readonly QuirkName[]): string => {
    let seen = 'the caller is gone';
    pair(
      world({ repair }),
      function* (end) {
        const { p, lib } = end;
        yield* enterInCall(end);
        expect(yield* p.ioctl(lib.process.rpalFd, RpalIoctl.UNREGISTER_RECEIVER, 0)).toBe(0);
        yield* p.sleep(5e6);
        yield* p.exit(0);
      },
      function* (end) {
        yield* call(end, 1);
        seen = 'the caller lives on';
      },
    );
    return seen;
  };

  it('reproduced: its record, which is freed, is written to', () => {
    expect(() => outcome([])).toThrow(/after receiver \d+ has unregistered: its record is written to \(use after free, patch 20\)/);
  });

  it('repaired', () => expect(outcome(['receiver-ends-before-return'])).toBe('the caller lives on'));
});

describe('fast-epoll-timer-uninitialised: a wait without a timeout, which another thread puts into its call context meanwhile', () => {
  const outcome = (repair: readonly QuirkName[]): string => {
    let seen = '';
    pair(
      world({ repair }),
      function* (end) {
        const { p, lib } = end;
        yield* p.clone(function* (q) {
          yield* q.setAffinity([2]);
          yield* q.sleep(2e6);
          yield* q.store32(lib.process.receiverContexts + Rcc.timeout, 5);
        });
        yield* enterInCall(end);
        seen = 'in its call';
        yield* p.exit(0);
      },
      function* (end) {
        yield* end.p.sleep(4e6);
        yield* call(end, 1);
      },
    );
    return seen;
  };

  it('reproduced: the lazy switch cancels a timer that nobody has initialised', () => {
    expect(() => outcome([])).toThrow(/timer of receiver \d+ is cancelled, which no wait has initialised.*\(oops, patch 34\)/);
  });

  it('repaired', () => expect(outcome(['fast-epoll-timer-uninitialised', 'receiver-ends-before-return'])).toBe('in its call'));
});
