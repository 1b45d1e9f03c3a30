import { Epoll, Errno, Poll, Signal, SignalFlag, SignalMask, WaitOption } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { type SignalHandler, Time } from '../src/index.js';
import { ends, run } from './support.js';

const { USR1, CHLD, CONT, STOP, KILL, RTMIN } = Signal;
const bit = (signal: number) => 1 << (signal - 1);
const realTime = (signal: number) => 1 << (signal - 33);

describe('a stopped process', () => {
  it('does nothing until it is told to go on; its parent hears of both', () => {
    run(function* (p) {
      const told: number[] = [];
      yield* p.sigaction(CHLD, function* (q) {
        told.push(yield* q.getpid());
      });
      let rounds = 0;
      const child = yield* p.fork(
        ends({ signal: KILL }, function* (c) {
          for (;;) {
            rounds++;
            yield* c.compute(100_000);
          }
        }),
      );
      yield* p.sleep(Time.ms);
      yield* p.kill(child, STOP);
      expect([yield* p.wait(child, WaitOption.UNTRACED), p.second]).toEqual([child, (STOP << 8) | 0x7f]);
      const then = rounds;
      yield* p.sleep(20 * Time.ms);
      expect([rounds, then > 1]).toEqual([then, true]);
      expect(yield* p.wait(child, WaitOption.UNTRACED | WaitOption.NOHANG), 'a stop is reported once').toBe(0);
      yield* p.kill(child, CONT);
      expect([yield* p.wait(child, WaitOption.CONTINUED), p.second]).toEqual([child, 0xffff]);
      // Not a sleep: the signal that tells of it may come later than the report to wait4.
      yield* p.compute(5_000_000);
      expect(rounds).toBeGreaterThan(then);
      yield* p.kill(child, KILL);
      expect([yield* p.wait(child), p.second]).toEqual([child, KILL]);
      expect(told.length).toBe(3);
    });
  });

  it('dies of SIGKILL at once, and is not told of anything else', () => {
    run(function* (p) {
      const child = yield* p.fork(
        ends({ signal: KILL }, function* (c) {
          yield* c.pause();
        }),
      );
      yield* p.sleep(Time.ms);
      yield* p.kill(child, STOP);
      yield* p.sleep(Time.ms);
      yield* p.kill(child, USR1);
      yield* p.sleep(Time.ms);
      expect(yield* p.wait(child, WaitOption.NOHANG)).toBe(0);
      yield* p.kill(child, KILL);
      expect([yield* p.wait(child), p.second]).toEqual([child, KILL]);
    });
  });

  it('keeps its parent unbothered with SA_NOCLDSTOP', () => {
    run(function* (p) {
      let told = 0;
      yield* p.sigaction(
        CHLD,
        function* (q) {
          told += (yield* q.getpid()) > 0 ? 1 : 0;
        },
        SignalFlag.NOCLDSTOP,
      );
      const child = yield* p.fork(
        ends({ signal: KILL }, function* (c) {
          yield* c.pause();
        }),
      );
      for (const signal of [STOP, CONT]) {
        yield* p.sleep(Time.ms);
        yield* p.kill(child, signal);
      }
      yield* p.sleep(Time.ms);
      expect(told).toBe(0);
      yield* p.kill(child, KILL);
      yield* p.wait(child);
      expect(told).toBe(1);
    });
  });

  it('goes on with what it did: reads and sleeps wait on, epoll_wait ends with EINTR', () => {
    run(function* (p) {
      const fd = yield* p.pipe();
      const to = p.second;
      const results: number[] = [];
      const buffer = yield* p.allocate(4096);
      const children: number[] = [];
      children.push(
        yield* p.fork(function* (c) {
          results[0] = yield* c.read(fd, buffer, 1);
        }),
      );
      const begun = p.rdtsc();
      children.push(
        yield* p.fork(function* (c) {
          results[1] = yield* c.sleep(10 * Time.ms);
          results[3] = Math.round((c.rdtsc() - begun) / 2.3e6);
        }),
      );
      children.push(
        yield* p.fork(function* (c) {
          const epfd = yield* c.epollCreate();
          yield* c.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.PRI);
          results[2] = yield* c.epollWait(epfd, buffer, 1, -1);
        }),
      );
      yield* p.sleep(2 * Time.ms);
      for (const child of children) yield* p.kill(child, STOP);
      yield* p.sleep(2 * Time.ms);
      for (const child of children) yield* p.kill(child, CONT);
      yield* p.sleep(2 * Time.ms);
      yield* p.write(to, buffer, 1);
      for (const child of children) yield* p.wait(child);
      expect(results).toEqual([1, 0, -Errno.EINTR, 10]);
    });
  });

  it('is stopped with all its threads, and CONT takes back a STOP that nobody has taken yet', () => {
    run(function* (p) {
      let rounds = 0;
      const child = yield* p.fork(
        ends({ signal: KILL }, function* (c) {
          yield* c.clone(function* (t) {
            for (;;) {
              rounds++;
              yield* t.compute(100_000);
            }
          });
          yield* c.pause();
        }),
      );
      yield* p.sleep(Time.ms);
      yield* p.kill(child, STOP);
      expect(yield* p.wait(child, WaitOption.UNTRACED)).toBe(child);
      const then = rounds;
      yield* p.sleep(5 * Time.ms);
      expect(rounds).toBe(then);
      yield* p.kill(child, CONT);
      yield* p.sleep(Time.ms);
      expect(rounds).toBeGreaterThan(then);
      yield* p.kill(child, KILL);
    });
  });

  it('goes on in every thread, whenever the signal to go on comes', () => {
    for (let delay = 0; delay <= 30_000; delay += 1500) {
      run(function* (p) {
        const fd = yield* p.pipe();
        const to = p.second;
        const buffer = yield* p.allocate(4096);
        const results: number[] = [];
        const child = yield* p.fork(function* (c) {
          for (let i = 0; i < 3; i++) {
            yield* c.clone(function* (t) {
              results.push(yield* t.read(fd, buffer, 1));
            });
          }
          results.push(yield* c.read(fd, buffer, 1));
          yield* c.sleep(Time.ms);
        });
        yield* p.sleep(Time.ms);
        yield* p.kill(child, STOP);
        yield* p.compute(delay);
        yield* p.kill(child, CONT);
        yield* p.sleep(Time.ms);
        yield* p.write(to, buffer, 4);
        yield* p.wait(child);
        expect(results, `${delay} cycles`).toEqual([1, 1, 1, 1]);
      });
    }
  });
});

describe('real-time signals', () => {
  it('wait in a queue, each with its value; lower numbers come first, ordinary signals before them', () => {
    run(function* (p) {
      const seen: [number, number][] = [];
      const noting: SignalHandler = function* (q, signal, value) {
        seen.push([signal, value]);
        yield* q.getpid();
      };
      const self = yield* p.getpid();
      // Blocked while a handler runs, so that handlers run in the order of delivery.
      for (const signal of [USR1, RTMIN + 2, RTMIN + 3]) yield* p.sigaction(signal, noting, 0, ~0, ~0);
      yield* p.sigprocmask(SignalMask.BLOCK, bit(USR1), realTime(RTMIN + 2) | realTime(RTMIN + 3));
      for (const value of [1, 2]) yield* p.sigqueue(self, RTMIN + 3, value);
      for (const value of [3, 4]) yield* p.sigqueue(self, RTMIN + 2, value);
      for (const value of [5, 6]) yield* p.sigqueue(self, USR1, value);
      expect([yield* p.sigpending(), p.second]).toEqual([bit(USR1), realTime(RTMIN + 2) | realTime(RTMIN + 3)]);
      yield* p.sigprocmask(SignalMask.SETMASK, 0);
      expect(seen).toEqual([
        [USR1, 5],
        [RTMIN + 2, 3],
        [RTMIN + 2, 4],
        [RTMIN + 3, 1],
        [RTMIN + 3, 2],
      ]);
    });
  });

  it('are waited for with sigtimedwait, without a handler', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      yield* p.sigprocmask(SignalMask.BLOCK, bit(USR1), realTime(RTMIN + 2));
      yield* p.sigqueue(self, RTMIN + 2, 11);
      expect([yield* p.sigwait(bit(USR1), realTime(RTMIN + 2)), p.second]).toEqual([RTMIN + 2, 11]);
      expect(yield* p.sigwait(bit(USR1), 0, 0)).toBe(-Errno.EAGAIN);
      expect(yield* p.sigwait(bit(USR1), 0, 2 * Time.ms)).toBe(-Errno.EAGAIN);
      yield* p.fork(function* (c) {
        yield* c.sleep(Time.ms);
        yield* c.kill(self, USR1);
      });
      expect(yield* p.sigwait(bit(USR1), realTime(RTMIN + 2))).toBe(USR1);
      yield* p.wait();
      // Nor is what it waits for thrown away, as SIGCHLD is whose action is the default.
      yield* p.sigprocmask(SignalMask.BLOCK, bit(CHLD));
      yield* p.fork(function* (c) {
        yield* c.sleep(Time.ms);
      });
      expect(yield* p.sigwait(bit(CHLD))).toBe(CHLD);
      yield* p.sigprocmask(SignalMask.UNBLOCK, bit(CHLD));
      yield* p.sigaction(CHLD, function* () {});
      yield* p.fork(function* () {});
      expect(yield* p.sigwait(bit(USR1)), 'a handler has run').toBe(-Errno.EINTR);
    });
  });
});
