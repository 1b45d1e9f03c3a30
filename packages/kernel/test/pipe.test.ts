import { EventfdFlag } from '@rpal/ipc';
import { EPOLL_EVENT_SIZE, Epoll, Errno, Fcntl, OpenFlag, Poll, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { type Program, Time } from '../src/index.js';
import { ends, hear, run, say, textAt } from './support.js';

function* pipe(p: Program, flags = 0): Generator<void, { from: number; to: number; buffer: number }> {
  const from = yield* p.pipe(flags);
  return { from, to: p.second, buffer: yield* p.allocate(0x4_0000) };
}

describe('a pipe', () => {
  it('carries bytes in order, without borders', () => {
    run(function* (p) {
      const { from, to, buffer } = yield* pipe(p);
      yield* say(p, to, buffer, 'one');
      yield* say(p, to, buffer, 'two');
      expect(yield* hear(p, from, buffer, 4)).toBe('onet');
      expect(yield* hear(p, from, buffer)).toBe('wo');
      expect([yield* p.write(from, buffer, 1), yield* p.read(to, buffer, 1)]).toEqual([-Errno.EBADF, -Errno.EBADF]);
    });
  });

  it('holds sixteen pages, filled as writes come: a small write is appended to the last page if it fits', () => {
    run(function* (p) {
      const { from, to, buffer } = yield* pipe(p, OpenFlag.NONBLOCK);
      const fill = function* (bytes: number) {
        let count = 0;
        while ((yield* p.write(to, buffer, bytes)) === bytes) count++;
        return count;
      };
      expect(yield* fill(4096)).toBe(16);
      expect(yield* p.read(from, buffer, 0x1_0000)).toBe(0x1_0000);
      expect(yield* fill(1)).toBe(0x1_0000);
      yield* p.read(from, buffer, 0x1_0000);
      // 4095 bytes leave one free in each page; two such writes never share one.
      expect(yield* fill(4095)).toBe(16);
    });
  });

  it('takes a write of up to PIPE_BUF whole or not at all, a longer one in part', () => {
    run(function* (p) {
      const { from, to, buffer } = yield* pipe(p, OpenFlag.NONBLOCK);
      yield* p.write(to, buffer, 15 * 4096 + 100);
      expect(yield* p.write(to, buffer, 4096)).toBe(-Errno.EAGAIN);
      expect(yield* p.write(to, buffer, 3996)).toBe(3996);
      yield* p.read(from, buffer, 4096);
      expect(yield* p.write(to, buffer, 3 * 4096)).toBe(4096);
    });
  });

  it('ends when no writer is left, and breaks when no reader is: EPIPE and SIGPIPE', () => {
    run(
      ends({ signal: Signal.PIPE }, function* (p) {
        const { from, to, buffer } = yield* pipe(p);
        yield* say(p, to, buffer, 'last');
        const copy = yield* p.dup(to);
        yield* p.close(to);
        expect(yield* hear(p, from, buffer)).toBe('last');
        yield* p.fcntl(from, Fcntl.SETFL, OpenFlag.NONBLOCK);
        expect(yield* hear(p, from, buffer)).toBe(-Errno.EAGAIN);
        yield* p.close(copy);
        expect(yield* hear(p, from, buffer)).toBe('');
        const other = yield* pipe(p);
        yield* p.close(other.from);
        yield* p.write(other.to, buffer, 1);
        throw new Error('unreachable');
      }),
    );
  });

  it('makes readers wait for data and writers for room', () => {
    run(function* (p) {
      const { from, to, buffer } = yield* pipe(p);
      yield* p.fork(function* (child) {
        yield* child.sleep(Time.ms);
        yield* say(child, to, buffer, 'late');
        yield* child.sleep(Time.ms);
        let got = 0;
        while (got < 100_000) got += yield* child.read(from, buffer, 10_000);
      });
      expect(yield* hear(p, from, buffer)).toBe('late');
      expect(yield* p.write(to, buffer, 100_000)).toBe(100_000);
      yield* p.wait();
    });
  });

  it('can be resized between what it holds and a mebibyte', () => {
    run(function* (p) {
      const { from, to, buffer } = yield* pipe(p);
      expect(yield* p.fcntl(from, Fcntl.GETPIPE_SZ)).toBe(65_536);
      expect(yield* p.fcntl(from, Fcntl.SETPIPE_SZ, 70_000)).toBe(131_072);
      yield* p.write(to, buffer, 8193);
      expect(yield* p.fcntl(from, Fcntl.SETPIPE_SZ, 8192)).toBe(-Errno.EBUSY);
      expect(yield* p.fcntl(from, Fcntl.SETPIPE_SZ, 0x20_0000)).toBe(-Errno.EPERM);
      expect(yield* p.fcntl(from, Fcntl.SETPIPE_SZ, 1)).toBe(-Errno.EBUSY);
      yield* p.read(from, buffer, 8193);
      expect(yield* p.fcntl(from, Fcntl.SETPIPE_SZ, 1)).toBe(4096);
      expect(yield* p.fcntl(yield* p.epollCreate(), Fcntl.GETPIPE_SZ)).toBe(-Errno.EBADF);
    });
  });

  it('tells its state to those who poll', () => {
    run(function* (p) {
      const { from, to, buffer } = yield* pipe(p);
      const epfd = yield* p.epollCreate();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, from, Poll.IN | Poll.OUT, 1);
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, to, Poll.IN | Poll.OUT, 2);
      const events = function* () {
        const list: string[] = [];
        const count = yield* p.epollWait(epfd, buffer, 8, 0);
        for (let i = 0; i < count; i++) {
          const at = buffer + i * EPOLL_EVENT_SIZE;
          list.push(`${yield* p.load32(at + 4)}:${yield* p.load32(at)}`);
        }
        return list.sort();
      };
      expect(yield* events()).toEqual([`2:${Poll.OUT}`]);
      yield* p.write(to, buffer, 0x1_0000);
      expect(yield* events()).toEqual([`1:${Poll.IN}`]);
      yield* p.close(from);
      expect(yield* events()).toEqual([`2:${Poll.ERR}`]);
    });
  });
});

describe('an eventfd', () => {
  it('adds up what is written, and gives it away in one read, or one by one', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const seen: number[] = [];
      for (const flags of [0, EventfdFlag.SEMAPHORE]) {
        const fd = yield* p.eventfd(3, flags | EventfdFlag.NONBLOCK);
        yield* p.store64(buffer, 2);
        yield* p.write(fd, buffer, 8);
        while ((yield* p.read(fd, buffer, 8)) === 8) seen.push(yield* p.load64(buffer));
      }
      expect(seen).toEqual([5, 1, 1, 1, 1, 1]);
    });
  });

  it('never reaches its largest value: a write that would waits, or gets EAGAIN', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const fd = yield* p.eventfd(0, EventfdFlag.NONBLOCK);
      yield* p.storeBytes(buffer, new Uint8Array([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
      expect(yield* p.write(fd, buffer, 8)).toBe(8);
      yield* p.store64(buffer, 1);
      expect(yield* p.write(fd, buffer, 8)).toBe(-Errno.EAGAIN);
      yield* p.storeBytes(buffer, new Uint8Array(8).fill(0xff));
      expect(yield* p.write(fd, buffer, 8)).toBe(-Errno.EINVAL);
      expect([yield* p.write(fd, buffer, 7), yield* p.read(fd, buffer, 7)]).toEqual([-Errno.EINVAL, -Errno.EINVAL]);
      yield* p.fcntl(fd, Fcntl.SETFL, 0);
      yield* p.fork(function* (child) {
        yield* child.sleep(Time.ms);
        yield* child.read(fd, buffer, 8);
      });
      yield* p.store64(buffer, 7);
      expect(yield* p.write(fd, buffer, 8)).toBe(8);
      yield* p.read(fd, buffer, 8);
      expect(yield* p.load64(buffer)).toBe(7);
      expect(yield* textAt(p, buffer, 0)).toBe('');
    });
  });
});

describe('descriptors', () => {
  it('are copied by dup, dup2, dup3 and fcntl, with or without close-on-exec', () => {
    run(function* (p) {
      const fd = yield* p.eventfd();
      expect([yield* p.dup(fd), yield* p.dup2(fd, 9), yield* p.dup2(fd, fd), yield* p.dup3(fd, 10, OpenFlag.CLOEXEC)]).toEqual([
        1, 9, 0, 10,
      ]);
      expect([yield* p.fcntl(9, Fcntl.GETFD), yield* p.fcntl(10, Fcntl.GETFD)]).toEqual([0, 1]);
      expect([yield* p.dup3(fd, fd, 0), yield* p.dup2(77, 3), yield* p.dup2(fd, 1024)]).toEqual([
        -Errno.EINVAL,
        -Errno.EBADF,
        -Errno.EBADF,
      ]);
      expect([yield* p.fcntl(fd, Fcntl.DUPFD, 9), yield* p.fcntl(fd, Fcntl.DUPFD, 5000)]).toEqual([11, -Errno.EINVAL]);
      expect(yield* p.fcntl(11, Fcntl.GETFL)).toBe(OpenFlag.RDWR);
    });
  });
});
