import { EPOLL_EVENT_SIZE, Epoll, Errno, Poll, Signal, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { type Program, Time } from '../src/index.js';
import { run } from './support.js';

const { CTL_ADD, CTL_DEL, CTL_MOD, ET, ONESHOT, EXCLUSIVE } = Epoll;
const { IN, OUT, HUP, RDHUP } = Poll;

function* pair(p: Program): Generator<void, [number, number]> {
  const a = yield* p.socketpair(SocketType.STREAM);
  return [a, p.second];
}

/** The events that an epoll_wait returns, as [data, bits]; or its errno. */
function* events(p: Program, epfd: number, timeout = 0, maximum = 16): Generator<void, [number, number][] | number> {
  const at = p.context.thread.process.stackTop - 0x800;
  const count = yield* p.epollWait(epfd, at, maximum, timeout);
  if (count < 0) return count;
  const list: [number, number][] = [];
  for (let i = 0; i < count; i++) {
    list.push([yield* p.load32(at + i * EPOLL_EVENT_SIZE + 4), yield* p.load32(at + i * EPOLL_EVENT_SIZE)]);
  }
  return list;
}

function* watched(p: Program, bits: number): Generator<void, { epfd: number; a: number; b: number; buffer: number }> {
  const [a, b] = yield* pair(p);
  const epfd = yield* p.epollCreate();
  expect(yield* p.epollCtl(epfd, CTL_ADD, b, bits, 7)).toBe(0);
  return { epfd, a, b, buffer: yield* p.allocate(4096) };
}

describe('epoll_wait', () => {
  it('reports a level for as long as it lasts, an edge once per change', () => {
    run(function* (p) {
      const level = yield* watched(p, IN);
      const edge = yield* watched(p, IN | ET);
      for (const { a, buffer } of [level, edge]) yield* p.write(a, buffer, 8);
      expect([yield* events(p, level.epfd), yield* events(p, level.epfd)]).toEqual([[[7, IN]], [[7, IN]]]);
      expect([yield* events(p, edge.epfd), yield* events(p, edge.epfd)]).toEqual([[[7, IN]], []]);
      yield* p.write(edge.a, edge.buffer, 1);
      expect(yield* events(p, edge.epfd)).toEqual([[7, IN]]);
      yield* p.read(level.b, level.buffer, 8);
      expect(yield* events(p, level.epfd)).toEqual([]);
    });
  });

  it('disarms a one-shot item until it is modified', () => {
    run(function* (p) {
      const { epfd, a, b, buffer } = yield* watched(p, IN | ONESHOT);
      yield* p.write(a, buffer, 1);
      expect([yield* events(p, epfd), yield* events(p, epfd)]).toEqual([[[7, IN]], []]);
      yield* p.write(a, buffer, 1);
      expect(yield* events(p, epfd)).toEqual([]);
      expect(yield* p.epollCtl(epfd, CTL_MOD, b, IN | ONESHOT, 8)).toBe(0);
      expect(yield* events(p, epfd)).toEqual([[8, IN]]);
    });
  });

  it('delivers in the order in which items became ready, and takes turns when there is room for one', () => {
    run(function* (p) {
      const epfd = yield* p.epollCreate();
      const buffer = yield* p.allocate(4096);
      const writers: number[] = [];
      for (let i = 0; i < 3; i++) {
        const [a, b] = yield* pair(p);
        writers.push(a);
        yield* p.epollCtl(epfd, CTL_ADD, b, IN, i);
      }
      for (const i of [2, 0, 1]) yield* p.write(writers[i] as number, buffer, 1);
      const order: unknown[] = [];
      for (let i = 0; i < 4; i++) order.push(yield* events(p, epfd, 0, 1));
      expect(order).toEqual([[[2, IN]], [[0, IN]], [[1, IN]], [[2, IN]]]);
    });
  });

  it('reports errors and hang-ups unasked', () => {
    run(function* (p) {
      const { epfd, a } = yield* watched(p, 0);
      expect(yield* events(p, epfd)).toEqual([]);
      yield* p.close(a);
      expect(yield* events(p, epfd)).toEqual([[7, HUP]]);
      const all = yield* watched(p, IN | OUT | RDHUP);
      yield* p.close(all.a);
      expect(yield* events(p, all.epfd)).toEqual([[7, IN | OUT | HUP | RDHUP]]);
    });
  });

  it('waits as long as its timeout says, rounded up by timer granularity only', () => {
    run(function* (p) {
      const { epfd } = yield* watched(p, IN);
      const before = p.rdtsc();
      expect(yield* events(p, epfd, 5)).toEqual([]);
      const ms = (p.rdtsc() - before) / 2.3e6;
      expect(ms).toBeGreaterThanOrEqual(5);
      expect(ms).toBeLessThan(5.1);
    });
  });

  it('does not count its timeout anew when it is woken for what another thread has taken', () => {
    run(function* (p) {
      const epfd = yield* p.epollCreate();
      const counter = yield* p.eventfd();
      yield* p.epollCtl(epfd, CTL_ADD, counter, IN);
      const buffer = yield* p.allocate(4096);
      yield* p.store64(buffer, 1);
      let [found, ms] = [-1, 0];
      yield* p.clone(function* (t) {
        const before = t.rdtsc();
        found = yield* t.epollWait(epfd, buffer + 64, 1, 10);
        ms = (t.rdtsc() - before) / 2.3e6;
      });
      for (let i = 0; i < 3; i++) {
        yield* p.sleep(2 * Time.ms);
        yield* p.write(counter, buffer, 8);
        expect(yield* p.read(counter, buffer, 8)).toBe(8);
      }
      yield* p.sleep(20 * Time.ms);
      expect(found).toBe(0);
      expect(ms).toBeGreaterThanOrEqual(10);
      expect(ms).toBeLessThan(10.2);
    });
  });

  it('is woken by an event, and by a signal that ends it', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const { epfd, a, buffer } = yield* watched(p, IN);
      yield* p.sigaction(Signal.USR1, function* (q) {
        yield* q.getpid();
      });
      yield* p.fork(function* (child) {
        yield* child.sleep(Time.ms);
        yield* child.kill(self, Signal.USR1);
      });
      expect(yield* events(p, epfd, -1)).toBe(-Errno.EINTR);
      yield* p.wait();
      yield* p.fork(function* (child) {
        yield* child.sleep(Time.ms);
        yield* child.write(a, buffer, 1);
      });
      expect(yield* events(p, epfd, -1)).toEqual([[7, IN]]);
      yield* p.wait();
    });
  });

  it('stores nothing it cannot: EFAULT, EINVAL, EBADF', () => {
    run(function* (p) {
      const { epfd, a, buffer } = yield* watched(p, IN);
      yield* p.write(a, buffer, 1);
      expect(yield* p.epollWait(epfd, 0x1000, 1, 0)).toBe(-Errno.EFAULT);
      expect(yield* p.epollWait(epfd, buffer, 0, 0)).toBe(-Errno.EINVAL);
      expect(yield* p.epollWait(a, buffer, 1, 0)).toBe(-Errno.EINVAL);
      expect(yield* p.epollWait(99, buffer, 1, 0)).toBe(-Errno.EBADF);
      expect(yield* events(p, epfd)).toEqual([[7, IN]]);
    });
  });

  it('wakes one of several waiters per event, the one that came last', () => {
    const woken: number[] = [];
    run(function* (p) {
      const { epfd, a, buffer } = yield* watched(p, IN | ET);
      for (let i = 0; i < 3; i++) {
        yield* p.fork(function* (child) {
          const got = yield* events(child, epfd, 20);
          if (typeof got === 'object' && got.length > 0) woken.push(i);
        });
      }
      yield* p.sleep(Time.ms);
      yield* p.write(a, buffer, 1);
      for (let i = 0; i < 3; i++) yield* p.wait();
    });
    expect(woken).toEqual([2]);
  });
});

describe('epoll_ctl', () => {
  it('adds once, modifies and deletes what is there', () => {
    run(function* (p) {
      const { epfd, b } = yield* watched(p, IN);
      expect(yield* p.epollCtl(epfd, CTL_ADD, b, IN)).toBe(-Errno.EEXIST);
      expect(yield* p.epollCtl(epfd, CTL_DEL, b)).toBe(0);
      expect(yield* p.epollCtl(epfd, CTL_DEL, b)).toBe(-Errno.ENOENT);
      expect(yield* p.epollCtl(epfd, CTL_MOD, b, IN)).toBe(-Errno.ENOENT);
      expect(yield* p.epollCtl(epfd, CTL_ADD, epfd, IN)).toBe(-Errno.EINVAL);
      expect(yield* p.epollCtl(b, CTL_ADD, epfd, IN)).toBe(-Errno.EINVAL);
      expect(yield* p.epollCtl(epfd, 9, b, IN)).toBe(-Errno.EINVAL);
      expect(yield* p.epollCtl(epfd, CTL_ADD, 99, IN)).toBe(-Errno.EBADF);
      expect(yield* p.epollCtl(epfd, CTL_ADD, b, IN | EXCLUSIVE)).toBe(0);
      expect(yield* p.epollCtl(epfd, CTL_MOD, b, IN)).toBe(-Errno.EINVAL);
    });
  });

  it('forgets a file when its last descriptor is closed, not before', () => {
    run(function* (p) {
      const { epfd, a, b, buffer } = yield* watched(p, IN);
      const copy = yield* p.fcntl(b, 0);
      yield* p.write(a, buffer, 1);
      yield* p.close(b);
      expect(yield* events(p, epfd)).toEqual([[7, IN]]);
      yield* p.close(copy);
      expect(yield* events(p, epfd)).toEqual([]);
    });
  });
});
