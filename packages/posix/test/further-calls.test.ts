import { Time } from '@rpal/kernel';
import { Errno, LinuxCall, OpenFlag, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { long, MEMORY, NOWHERE, peek, poke, type Step, sameAsLinux } from './real/same-as-linux.js';
import { run, waitsUnderItsMask } from './support.js';

const SETS = MEMORY + 256;
const TIME = MEMORY + 512;
const MASK = MEMORY + 600;
const WAITERS = MEMORY + 1024;
const WORD = MEMORY + 2048;

describe('pselect6', () => {
  it('finds what is ready, tells what is left of its time, and refuses what Linux refuses', () => {
    const sets = (bits: number): Step => poke(SETS, bits, 0, bits, 0, bits, 0);
    const time = (seconds: number, ns: number): Step => poke(TIME, ...long(seconds), ...long(ns));
    sameAsLinux(
      ['pipe2', MEMORY, 0],
      sets(0x18),
      time(0, 0),
      ['pselect6', 5, SETS, SETS + 8, SETS + 16, TIME, 0],
      peek(SETS, 24),
      sets(0x8),
      time(0, 2_000_000),
      ['pselect6', 5, SETS, 0, 0, TIME, 0],
      peek(SETS, 24),
      peek(TIME, 16),
      time(0, 1_000_000_000),
      ['pselect6', 5, SETS, 0, 0, TIME, 0],
      time(-1, 0),
      ['pselect6', 5, SETS, 0, 0, TIME, 0],
      time(0, 0),
      poke(MASK, ...long(WORD), ...long(4)),
      ['pselect6', 5, SETS, 0, 0, TIME, MASK],
      poke(MASK, ...long(NOWHERE), ...long(8)),
      ['pselect6', 5, SETS, 0, 0, TIME, MASK],
      poke(MASK, ...long(0), ...long(4)),
      ['pselect6', 5, SETS, 0, 0, TIME, MASK],
      ['pselect6', 5, SETS, 0, 0, NOWHERE, 0],
      ['pselect6', 5, SETS, 0, 0, TIME, NOWHERE],
      ['pselect6', -1, SETS, 0, 0, TIME, 0],
    );
  });

  it('waits under its mask: a signal that it lets in ends it, and afterwards the mask is as before', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      yield* p.store64(at + 16, at + 64);
      yield* p.store64(at + 24, 8);
      yield* waitsUnderItsMask(p, () => p.syscall(LinuxCall.pselect6, 0, 0, 0, 0, 0, at + 16));
    });
  });
});

describe('calls that later ones have taken the place of', () => {
  it('do what these do without flags', () => {
    sameAsLinux(
      ['pipe', MEMORY],
      peek(MEMORY, 8),
      ['pipe', NOWHERE],
      ['eventfd', 7],
      ['read', 5, MEMORY, 8],
      peek(MEMORY, 8),
      poke(MEMORY, 1 << 9, 0),
      ['signalfd', -1, MEMORY, 8],
      ['signalfd', 6, MEMORY, 8],
      ['signalfd', 5, MEMORY, 8],
      ['signalfd', -1, MEMORY, 4],
      ['tkill', 0, 10],
      ['tkill', -1, 10],
      ['tkill', 4_000_000, 0],
      ['rt_tgsigqueueinfo', 1, 1, 10, NOWHERE],
      ['rt_tgsigqueueinfo', 0, 1, 10, MEMORY],
      ['rt_tgsigqueueinfo', 4_000_000, 4_000_000, 10, MEMORY],
    );
  });

  it('tkill sends to a thread of whatever process, and rt_tgsigqueueinfo brings a value along', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const values: number[] = [];
      yield* p.sigaction(Signal.USR1, function* (q, _signal, value) {
        values.push(value);
        yield* q.getpid();
      });
      const self = yield* p.gettid();
      expect(yield* p.syscall(LinuxCall.tkill, self, Signal.USR1)).toBe(0);
      yield* p.store32(at + 8, 0xffff_ffff);
      yield* p.store32(at + 24, 77);
      expect(yield* p.syscall(LinuxCall.rt_tgsigqueueinfo, self, self, Signal.USR1, at)).toBe(0);
      expect(values).toEqual([0, 77]);
    });
  });

  it('close_range closes from one descriptor to another, or marks them', () => {
    sameAsLinux(
      ['eventfd', 0],
      ['eventfd', 0],
      ['eventfd', 0],
      ['close_range', 4, 4, 4],
      ['fcntl', 4, 1],
      ['fcntl', 5, 1],
      ['close_range', 4, 3, 0],
      ['close_range', 3, 4, 8],
      ['close_range', 3, 4, 0],
      ['fcntl', 4, 1],
      ['fcntl', 5, 1],
      ['close_range', 3, -1, 2],
      ['fcntl', 5, 1],
    );
  });

  it('mq_getsetattr reads attributes and sets whether it waits', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const fd = yield* p.mqOpen('/q', OpenFlag.RDWR | OpenFlag.CREAT, { maxMessages: 4, messageSize: 64 });
      yield* p.mqSend(fd, at, 3, 1);
      yield* p.store64(at, OpenFlag.NONBLOCK);
      expect(yield* p.syscall(LinuxCall.mq_getsetattr, fd, at, at + 64)).toBe(0);
      expect([yield* p.load64(at + 64), yield* p.load64(at + 72), yield* p.load64(at + 80), yield* p.load64(at + 88)]).toEqual([
        0, 4, 64, 1,
      ]);
      yield* p.store64(at, OpenFlag.APPEND);
      expect(yield* p.syscall(LinuxCall.mq_getsetattr, fd, at, 0)).toBe(-Errno.EINVAL);
      yield* p.syscall(LinuxCall.mq_getsetattr, fd, 0, at + 64);
      expect(yield* p.load64(at + 64)).toBe(OpenFlag.NONBLOCK);
      expect(yield* p.syscall(LinuxCall.mq_getsetattr, 0x7fff, 0, 0)).toBe(-Errno.EBADF);
    });
  });

  it('pidfd_getfd takes a descriptor of another process', () => {
    run(function* (p) {
      const fd = yield* p.eventfd(5);
      const child = yield* p.fork(function* (c) {
        yield* c.write(fd, yield* c.allocate(8), 8);
        yield* c.sleep(2 * Time.ms);
      });
      const pidfd = yield* p.pidfdOpen(child);
      const taken = yield* p.syscall(LinuxCall.pidfd_getfd, pidfd, fd, 0);
      expect([taken > pidfd, p.context.thread.process.files.peek(taken) === p.context.thread.process.files.peek(fd)]).toEqual([true, true]);
      expect(yield* p.syscall(LinuxCall.pidfd_getfd, pidfd, 99, 0)).toBe(-Errno.EBADF);
      expect(yield* p.syscall(LinuxCall.pidfd_getfd, fd, fd, 0)).toBe(-Errno.EBADF);
      yield* p.wait(child);
      expect(yield* p.syscall(LinuxCall.pidfd_getfd, pidfd, fd, 0)).toBe(-Errno.ESRCH);
    });
  });
});

describe('futexes by vectors', () => {
  const PRIVATE = 128;
  const waiter = (i: number, value: number, address: number, flags = 2 | PRIVATE, reserved = 0): Step =>
    poke(WAITERS + 24 * i, ...long(value), ...long(address), flags, reserved);

  it('refuse what Linux refuses', () => {
    sameAsLinux(
      waiter(0, 0, WORD),
      waiter(1, 1, WORD + 4),
      poke(TIME, 0, 0, 0, 0),
      ['futex_waitv', WAITERS, 2, 0, 0, 0],
      ['futex_waitv', WAITERS, 1, 0, TIME, 1],
      ['futex_waitv', WAITERS, 1, 0, TIME, 7],
      ['futex_waitv', WAITERS, 1, 0, NOWHERE, 1],
      ['futex_waitv', WAITERS, 0, 0, 0, 0],
      ['futex_waitv', WAITERS, 129, 0, 0, 0],
      ['futex_waitv', WAITERS, 1, 1, 0, 0],
      ['futex_waitv', NOWHERE, 1, 0, 0, 0],
      ['futex_waitv', 0, 1, 0, 0, 0],
      waiter(1, 0, WORD + 2),
      ['futex_waitv', WAITERS, 2, 0, TIME, 0],
      waiter(1, 0, NOWHERE),
      ['futex_waitv', WAITERS, 2, 0, TIME, 0],
      waiter(1, 0, WORD, 0),
      ['futex_waitv', WAITERS, 2, 0, TIME, 0],
      waiter(1, 0, WORD, 2, 1),
      ['futex_waitv', WAITERS, 2, 0, TIME, 0],
      waiter(1, 2 ** 32, WORD),
      ['futex_waitv', WAITERS, 2, 0, TIME, 0],
      ['futex_wait', WORD, 1, 1, 2, 0, 0],
      ['futex_wait', WORD, 0, 1, 2, TIME, 1],
      ['futex_wait', WORD, 0, 0, 2, TIME, 1],
      ['futex_wait', WORD, 0, 1, 3, TIME, 1],
      ['futex_wait', WORD, 2 ** 32, 1, 2, TIME, 1],
      ['futex_wait', WORD + 1, 0, 1, 2, TIME, 1],
      ['futex_wake', WORD, 1, 1, 2],
      ['futex_wake', WORD, 0, 1, 2],
      ['futex_wake', WORD, 1, 0, 2],
      ['futex_wake', NOWHERE, 1, 1, 2],
      ['futex_wake', WORD, 1, 1, 1],
      waiter(1, 0, WORD + 4),
      ['futex_requeue', WAITERS, 0, 1, 1],
      ['futex_requeue', WAITERS, 1, 1, 1],
      ['futex_requeue', 0, 0, 1, 1],
      ['futex_requeue', WAITERS, 0, -1, 1],
      waiter(0, 9, WORD),
      ['futex_requeue', WAITERS, 0, 1, 1],
    );
  });

  it('wait for any of several, and say which it was; a wake-up by bits and a requeue find them', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const words = at + 2048;
      for (const [i, offset] of [0, 4, 8].entries()) {
        yield* p.store64(at + 24 * i, 0);
        yield* p.store64(at + 24 * i + 8, words + offset);
        yield* p.store64(at + 24 * i + 16, 2 | PRIVATE);
      }
      const results: number[] = [];
      yield* p.clone(function* (q) {
        results.push(yield* q.syscall(LinuxCall.futex_waitv, at, 3, 0, 0, 0));
        results.push(yield* q.syscall(LinuxCall.futex_wait, words, 0, 4, 2 | PRIVATE, 0, 0));
        results.push(yield* q.syscall(LinuxCall.futex_wait, words, 0, 4, 2 | PRIVATE, 0, 0));
      });
      yield* p.sleep(Time.ms);
      results.push(yield* p.syscall(LinuxCall.futex_wake, words + 4, 0xffff_ffff, 5, 2 | PRIVATE));
      yield* p.sleep(Time.ms);
      results.push(yield* p.syscall(LinuxCall.futex_wake, words, 2, 5, 2 | PRIVATE));
      results.push(yield* p.syscall(LinuxCall.futex_wake, words, 6, 5, 2 | PRIVATE));
      yield* p.sleep(Time.ms);
      results.push(yield* p.syscall(LinuxCall.futex_requeue, at, 0, 0, 1));
      results.push(yield* p.syscall(LinuxCall.futex_wake, words, 4, 5, 2 | PRIVATE));
      results.push(yield* p.syscall(LinuxCall.futex_wake, words + 4, 4, 5, 2 | PRIVATE));
      yield* p.sleep(Time.ms);
      expect(results).toEqual([1, 1, 0, 1, 0, 1, 0, 1, 0]);
    });
  });
});
