import { Rcc, RPAL_USER_PENDING, rpalThread } from '@rpal/rpal-core';
import { Epoll, MessageFlag } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { FdSlot, QUEUE_WORDS, ReadyQueue, RpalError, SlotUse } from '../src/index.js';
import { type Callee, type Caller, call, pair, serve, world } from './pair.js';

/** The callee wakes up by itself, so that it runs as a task of its own and cannot be called: a byte has come down the connection. */
function* awake({ lib, p, fd, epfd, memory }: Callee): Generator<void, void> {
  yield* lib.epollWait(epfd, memory, 8, -1);
  yield* p.recv(fd, memory + 4096, 8, MessageFlag.DONTWAIT);
}

function* wakeUp({ p, fd, words }: Caller): Generator<void, void> {
  yield* p.write(fd, words, 1);
  yield* p.sleep(1e6);
}

describe('the queue of words of a descriptor', () => {
  it.each([1, 5, 31, QUEUE_WORDS])('keeps the order of words over its end: %d at a time', (size) => {
    const got: number[] = [];
    const sent: number[] = [];
    pair(
      world(),
      (end) =>
        serve(end, function* (word) {
          got.push(word);
          yield* end.p.compute(1);
        }),
      function* ({ p, lib, server, far, words }) {
        for (let round = 0; round < 8; round++) {
          for (let i = 0; i < size; i++) {
            sent.push(100 * round + i);
            yield* p.store64(words + 8 * i, 100 * round + i);
          }
          expect(yield* lib.writePtrs(server, far, words, size)).toBe(size);
        }
      },
    );
    expect(got).toEqual(sent);
  });

  it('takes all words of a call or none', () => {
    const results: number[] = [];
    let read = -1;
    let asked = false;
    let answered = false;
    pair(
      world(),
      function* (end) {
        yield* awake(end);
        while (!asked) yield* end.p.compute(1000);
        read = yield* end.lib.readPtrs(end.fd, end.memory + 4096, QUEUE_WORDS);
        answered = true;
        yield* serve(end, function* () {});
      },
      function* (end) {
        const { p, lib, server, far, words } = end;
        yield* wakeUp(end);
        for (const length of [20, 13, 12]) results.push(yield* lib.writePtrs(server, far, words, length));
        asked = true;
        while (!answered) yield* p.compute(1000);
      },
    );
    expect(results).toEqual([20, -RpalError.QUEUE_PUT_FAILED, 12]);
    expect(read).toBe(QUEUE_WORDS);
  });
});

describe('the ready queue of a receiver', () => {
  it('holds as many descriptors as its capacity, refuses one more, and goes on at its beginning', { timeout: 60_000 }, () => {
    let sent = 0;
    let refused = 0;
    let over = false;
    let afterwards = -1;
    const heard: number[] = [];
    pair(
      world(),
      function* (end) {
        const { p, lib, fd, memory } = end;
        yield* awake(end);
        // Words are taken, and the queue of descriptors is left as it is.
        while (!over) if ((yield* lib.readPtrs(fd, memory + 4096, QUEUE_WORDS)) === 0) yield* p.compute(100);
        yield* serve(end, function* (word) {
          heard.push(word);
          yield* p.compute(1);
        });
      },
      function* (end) {
        const { p, lib, server, far, words } = end;
        yield* wakeUp(end);
        while (refused === 0) {
          const result = yield* lib.writePtrs(server, far, words, 1);
          if (result === 1) sent++;
          else if (result === -RpalError.CACHE_FULL) refused++;
          else yield* p.compute(1000);
        }
        over = true;
        // The receiver works all of it off, and waits.
        yield* p.sleep(50e6);
        afterwards = yield* call(end, 77);
      },
    );
    expect(sent).toBe(ReadyQueue.capacity);
    expect(afterwards).toBe(1);
    expect(heard).toEqual([77]);
  });

  it.each([
    ['as many events as fit: it looks again, as there may be more', 1, RPAL_USER_PENDING],
    ['room left and nothing more to take: it need not', 8, 0],
  ])('a wait with %s', (_what, maximum, pending) => {
    let seen = -1;
    let served = false;
    pair(
      world(),
      function* (end) {
        const { p, lib, fd, epfd, memory } = end;
        yield* awake(end);
        yield* p.sleep(2e6);
        expect(yield* lib.epollWait(epfd, memory, maximum, -1)).toBe(1);
        const { role } = rpalThread(p.context.thread);
        seen = p.context.cpu.memory.read32(role.rcc + Rcc.epPending);
        yield* lib.readPtrs(fd, memory + 4096, QUEUE_WORDS);
        served = true;
        yield* serve(end, function* () {});
      },
      function* (end) {
        yield* wakeUp(end);
        expect(yield* call(end, 1)).toBe(1);
        while (!served) yield* end.p.sleep(1e5);
      },
    );
    expect(seen & RPAL_USER_PENDING).toBe(pending);
  });
});

describe('the reference to a descriptor that a call takes', () => {
  it.each(['a call', 'a call that is refused because the queue is full'])('is put back by %s, so that the record can be freed', (what) => {
    let use = -1;
    let waiting = -1;
    let over = false;
    pair(
      world(),
      function* (end) {
        const { p, lib, fd, epfd } = end;
        yield* awake(end);
        while (!over) yield* p.compute(1000);
        use = yield* p.load32(lib.process.fdTable + fd * FdSlot.size + FdSlot.use);
        yield* lib.epollCtl(epfd, Epoll.CTL_DEL, fd, 0);
        waiting = lib.process.lazyFree.length;
      },
      function* (end) {
        const { lib, server, far, words } = end;
        yield* wakeUp(end);
        const full = what !== 'a call';
        expect(yield* lib.writePtrs(server, far, words, full ? QUEUE_WORDS : 1)).toBeGreaterThan(0);
        if (full) expect(yield* lib.writePtrs(server, far, words, 1)).toBe(-RpalError.QUEUE_PUT_FAILED);
        over = true;
        yield* end.p.sleep(1e6);
      },
    );
    expect(use).toBe(SlotUse.AVAILABLE);
    expect(waiting).toBe(0);
  });
});
