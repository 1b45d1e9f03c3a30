import { Epoll, Errno, Poll, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { Time } from '../src/index.js';
import { ends, run } from './support.js';

describe('a file that a thread sleeps on', () => {
  it('stays open until its call is over, though another thread closes the descriptor', () => {
    run(function* (p) {
      const from = yield* p.pipe();
      const to = p.second;
      const buffer = yield* p.allocate(4096);
      const results: number[] = [];
      yield* p.clone(function* (t) {
        results.push(yield* t.read(from, buffer, 8));
        results.push(yield* t.read(from, buffer, 8));
      });
      yield* p.sleep(Time.ms);
      expect(yield* p.close(from)).toBe(0);
      expect(yield* p.write(to, buffer, 3), 'there is a reader yet').toBe(3);
      yield* p.sleep(Time.ms);
      expect(results).toEqual([3, -Errno.EBADF]);
      yield* p.sigaction(Signal.PIPE, 'ignore');
      expect(yield* p.write(to, buffer, 3), 'and now there is none').toBe(-Errno.EPIPE);
    });
  });

  it('stays open when the call begins anew after a stop', () => {
    run(function* (p) {
      const from = yield* p.pipe();
      const to = p.second;
      const buffer = yield* p.allocate(4096);
      const results: number[] = [];
      yield* p.sigaction(Signal.PIPE, 'ignore');
      const child = yield* p.fork(
        ends({ signal: Signal.KILL }, function* (c) {
          yield* c.close(to);
          yield* c.clone(function* (t) {
            results.push(yield* t.read(from, buffer, 8));
          });
          yield* c.sleep(4 * Time.ms);
          yield* c.close(from);
          yield* c.pause();
        }),
      );
      yield* p.close(from);
      yield* p.sleep(Time.ms);
      yield* p.kill(child, Signal.STOP);
      yield* p.sleep(Time.ms);
      yield* p.kill(child, Signal.CONT);
      yield* p.sleep(5 * Time.ms);
      expect(yield* p.write(to, buffer, 3), 'there is a reader yet').toBe(3);
      yield* p.sleep(Time.ms);
      expect(results).toEqual([3]);
      expect(yield* p.write(to, buffer, 3), 'and now there is none').toBe(-Errno.EPIPE);
      yield* p.kill(child, Signal.KILL);
      yield* p.wait();
    });
  });

  it('may be an epoll: its waiter is woken by what it watched when it began to wait', () => {
    run(function* (p) {
      const epfd = yield* p.epollCreate();
      const counter = yield* p.eventfd();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, counter, Poll.IN);
      const buffer = yield* p.allocate(4096);
      let events = -1;
      yield* p.clone(function* (t) {
        events = yield* t.epollWait(epfd, buffer + 100, 1, -1);
      });
      yield* p.sleep(Time.ms);
      yield* p.close(epfd);
      yield* p.store64(buffer, 1);
      yield* p.write(counter, buffer, 8);
      yield* p.sleep(Time.ms);
      expect(events).toBe(1);
    });
  });

  it('is let go when the thread is killed', () => {
    run(function* (p) {
      const from = yield* p.pipe();
      const to = p.second;
      const buffer = yield* p.allocate(4096);
      yield* p.sigaction(Signal.PIPE, 'ignore');
      const child = yield* p.fork(
        ends({ signal: Signal.KILL }, function* (c) {
          yield* c.close(to);
          yield* c.clone(function* (t) {
            yield* t.read(from, buffer, 8);
          });
          yield* c.sleep(Time.ms);
          yield* c.close(from);
          yield* c.pause();
        }),
      );
      yield* p.close(from);
      yield* p.sleep(5 * Time.ms);
      expect(yield* p.write(to, buffer, 1)).toBe(1);
      yield* p.kill(child, Signal.KILL);
      yield* p.wait(child);
      expect(yield* p.write(to, buffer, 1)).toBe(-Errno.EPIPE);
    });
  });
});
