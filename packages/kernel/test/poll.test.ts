import { Epoll, Errno, Poll, Signal, SignalFlag, SignalMask, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { type Call, type Program, Time } from '../src/index.js';
import { run } from './support.js';

describe('poll and select', () => {
  function* pollfd(p: Program, at: number, fd: number, events: number) {
    yield* p.store32(at, fd);
    yield* p.store32(at + 4, events);
  }

  it('find what is ready, and what is no descriptor', () => {
    run(function* (p) {
      const a = yield* p.socketpair(SocketType.STREAM);
      const b = p.second;
      const buffer = yield* p.allocate(4096);
      yield* pollfd(p, buffer, a, Poll.IN | Poll.OUT);
      yield* pollfd(p, buffer + 8, 77, Poll.IN);
      yield* pollfd(p, buffer + 16, -1, Poll.IN);
      expect(yield* p.poll(buffer, 3, 0)).toBe(2);
      const found = function* () {
        return [yield* p.load32(buffer + 4), yield* p.load32(buffer + 12), yield* p.load32(buffer + 20)].map((word) => word >>> 16);
      };
      expect(yield* found()).toEqual([Poll.OUT, Poll.NVAL, 0]);
      yield* p.close(b);
      yield* p.poll(buffer, 1, 0);
      expect((yield* found())[0]).toBe(Poll.IN | Poll.OUT | Poll.HUP);
    });
  });

  it('look at what a descriptor refers to by then, though they are told of what it referred to before', () => {
    run(function* (p) {
      const set = yield* p.allocate(4096);
      const from = yield* p.pipe();
      const to = p.second;
      const kept = yield* p.dup(from);
      yield* p.clone(function* (q) {
        yield* q.sleep(Time.ms);
        yield* q.close(from);
        yield* q.sleep(Time.ms);
        yield* q.write(to, set, 1);
      });
      yield* p.store32(set, from);
      yield* p.store32(set + 4, Poll.IN);
      expect(yield* p.poll(set, 1, 100)).toBe(1);
      expect((yield* p.load32(set + 4)) >>> 16).toBe(Poll.NVAL);
      expect(yield* p.read(kept, set, 8)).toBe(1);
    });
  });

  it('wait for one of them, or for time to pass', () => {
    run(function* (p) {
      const from = yield* p.pipe();
      const to = p.second;
      const buffer = yield* p.allocate(4096);
      yield* pollfd(p, buffer, from, Poll.IN);
      const before = p.rdtsc();
      expect(yield* p.poll(buffer, 1, 3)).toBe(0);
      expect((p.rdtsc() - before) / 2.3e6).toBeGreaterThanOrEqual(3);
      yield* p.fork(function* (child) {
        yield* child.sleep(Time.ms);
        yield* child.write(to, buffer, 1);
      });
      expect(yield* p.poll(buffer, 1, -1)).toBe(1);
      yield* p.wait();
      const [readable, writable] = [buffer + 1024, buffer + 2048];
      yield* p.store32(readable, (1 << from) | (1 << to));
      yield* p.store32(writable, (1 << from) | (1 << to));
      expect(yield* p.select(3, readable, writable, 0, -1)).toBe(2);
      expect([yield* p.load32(readable), yield* p.load32(writable)]).toEqual([1 << from, 1 << to]);
      yield* p.store32(readable, 1 << 9);
      expect(yield* p.select(32, readable, 0, 0, 0)).toBe(-Errno.EBADF);
    });
  });

  it('differ in what a hang-up and an error count for', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const [readable, writable, exceptional] = [buffer, buffer + 1024, buffer + 2048];
      const ends: [number, number][] = [];
      for (const closed of ['reader', 'writer']) {
        const from = yield* p.pipe();
        const to = p.second;
        yield* p.close(closed === 'reader' ? from : to);
        ends.push(closed === 'reader' ? [to, Poll.OUT | Poll.ERR] : [from, Poll.HUP]);
      }
      for (const [fd, events] of ends) {
        yield* pollfd(p, buffer, fd, Poll.IN | Poll.OUT);
        expect(yield* p.poll(buffer, 1, 0)).toBe(1);
        expect((yield* p.load32(buffer + 4)) >>> 16).toBe(events);
        for (const set of [readable, writable, exceptional]) yield* p.store32(set, 1 << fd);
        // A pipe without a writer can be read: there is the end of file. It cannot be written, and is nothing exceptional.
        const sets = events === Poll.HUP ? [1 << fd, 0, 0] : [1 << fd, 1 << fd, 0];
        expect(yield* p.select(32, readable, writable, exceptional, 0)).toBe(sets.filter((set) => set !== 0).length);
        expect([yield* p.load32(readable), yield* p.load32(writable), yield* p.load32(exceptional)]).toEqual(sets);
      }
    });
  });

  it('begin anew after a stop with what they were asked for', () => {
    run(function* (p) {
      const from = yield* p.pipe();
      const to = p.second;
      const buffer = yield* p.allocate(4096);
      const results: number[] = [];
      const children: number[] = [];
      children.push(
        yield* p.fork(function* (c) {
          yield* pollfd(c, buffer, from, Poll.IN);
          results[0] = yield* c.poll(buffer, 1, -1);
        }),
        yield* p.fork(function* (c) {
          yield* c.store32(buffer, 1 << from);
          results[1] = yield* c.select(32, buffer, 0, 0, -1);
          results[2] = yield* c.load32(buffer);
        }),
      );
      for (const signal of [Signal.STOP, Signal.CONT]) {
        yield* p.sleep(Time.ms);
        for (const child of children) yield* p.kill(child, signal);
      }
      yield* p.sleep(Time.ms);
      yield* p.write(to, buffer, 1);
      for (const child of children) yield* p.wait(child);
      expect(results).toEqual([1, 1, 1 << from]);
    });
  });

  it('wait on after a stop: poll until the time it would have waited for, the others for as long as was left', () => {
    run(function* (p) {
      const from = yield* p.pipe();
      const buffer = yield* p.allocate(4096);
      const waits: [number, (c: Program) => Call][] = [
        [10, (c) => c.poll(buffer, 1, 10)],
        [14, (c) => c.ppoll(buffer, 1, 10 * Time.ms, 0)],
        [14, (c) => c.select(32, buffer + 1024, 0, 0, 10 * Time.ms)],
      ];
      for (const [ms, wait] of waits) {
        yield* pollfd(p, buffer, from, Poll.IN);
        yield* p.store32(buffer + 1024, 1 << from);
        let ended: number[] = [];
        const child = yield* p.fork(function* (c) {
          const before = c.rdtsc();
          ended = [yield* wait(c), Math.round((c.rdtsc() - before) / 2.3e6)];
        });
        for (const signal of [Signal.STOP, Signal.CONT, Signal.STOP, Signal.CONT]) {
          yield* p.sleep(2 * Time.ms);
          yield* p.kill(child, signal);
        }
        yield* p.wait(child);
        expect(ended).toEqual([0, ms]);
      }
    });
  });

  it('end with EINTR if a handler has run, whatever its flags; the sets of select are as they were', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const from = yield* p.pipe();
      const buffer = yield* p.allocate(4096);
      yield* p.sigaction(Signal.USR1, function* () {}, SignalFlag.RESTART);
      yield* pollfd(p, buffer, from, Poll.IN);
      yield* p.store32(buffer + 1024, 1 << from);
      for (const wait of [() => p.poll(buffer, 1, -1), () => p.select(32, buffer + 1024, 0, 0, -1)]) {
        yield* p.fork(function* (c) {
          yield* c.sleep(Time.ms);
          yield* c.kill(self, Signal.USR1);
        });
        expect(yield* wait()).toBe(-Errno.EINTR);
        yield* p.wait();
      }
      expect([(yield* p.load32(buffer + 4)) >>> 16, yield* p.load32(buffer + 1024)]).toEqual([0, 1 << from]);
    });
  });
});

describe('a mask that is in force while a call waits', () => {
  it('lets no signal in where the call has found something', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      let handled = 0;
      yield* p.sigaction(Signal.USR1, function* (q) {
        handled++;
        yield* q.getpid();
      });
      yield* p.sigprocmask(SignalMask.BLOCK, 1 << (Signal.USR1 - 1));
      yield* p.kill(yield* p.getpid(), Signal.USR1);
      const counter = yield* p.eventfd(1);
      const epfd = yield* p.epollCreate();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, counter, Poll.IN);
      yield* p.store32(buffer, counter);
      yield* p.store32(buffer + 4, Poll.IN);
      expect([yield* p.ppoll(buffer, 1, 0, 0), yield* p.epollPwait2(epfd, buffer + 64, 1, -1, 0), handled]).toEqual([1, 1, 0]);
      yield* p.epollCtl(epfd, Epoll.CTL_DEL, counter);
      expect([yield* p.epollPwait2(epfd, buffer + 64, 1, 0, 0), handled], 'epoll looks at the time first').toEqual([0, 0]);
      expect([yield* p.ppoll(buffer, 0, 0, 0), handled], 'and poll at signals').toEqual([-Errno.EINTR, 1]);
    });
  });

  it('is undone also where the call fails at once', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const mask = 1 << (Signal.USR1 - 1);
      yield* p.sigprocmask(SignalMask.BLOCK, mask);
      expect(yield* p.ppoll(8, 1, 0, 0)).toBe(-Errno.EFAULT);
      expect(yield* p.epollPwait2(yield* p.epollCreate(), buffer, 0, 0, 0)).toBe(-Errno.EINVAL);
      expect([yield* p.sigprocmask(SignalMask.BLOCK, 0)]).toEqual([mask]);
    });
  });
});
