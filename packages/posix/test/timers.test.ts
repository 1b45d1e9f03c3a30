import { Time } from '@rpal/kernel';
import { Errno, LinuxCall, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MEMORY, NOWHERE, peek, poke, sameAsLinux } from './real/same-as-linux.js';
import { run } from './support.js';

const { clock_nanosleep, setitimer, getitimer, alarm, timer_create, timer_settime, timer_getoverrun, timer_gettime, timer_delete } =
  LinuxCall;
const MS = 1e6;

describe('clock_nanosleep', () => {
  it('sleeps for a time, or until one; a handler ends it, and it says what was left', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const ns = (): number => p.context.cpu.clock / p.context.cpu.costs.tscPerNs;
      yield* p.store64(at, 0);
      yield* p.store64(at + 8, 2 * MS);
      let before = ns();
      expect(yield* p.syscall(clock_nanosleep, 1, 0, at, 0)).toBe(0);
      expect(ns() - before).toBeGreaterThan(2 * MS);
      const until = ns() + 3 * MS;
      yield* p.store64(at, Math.floor(until / 1e9));
      yield* p.store64(at + 8, Math.floor(until % 1e9));
      expect(yield* p.syscall(clock_nanosleep, 1, 1, at, at + 64)).toBe(0);
      expect(ns() - until).toBeGreaterThan(0);
      expect(ns() - until).toBeLessThan(MS);
      yield* p.sigaction(Signal.USR1, function* (q) {
        yield* q.getpid();
      });
      const self = yield* p.getpid();
      yield* p.fork(function* (q) {
        yield* q.sleep(4 * MS);
        yield* q.kill(self, Signal.USR1);
      });
      yield* p.store64(at, 0);
      yield* p.store64(at + 8, 10 * MS);
      before = ns();
      expect(yield* p.syscall(clock_nanosleep, 1, 0, at, at + 64)).toBe(-Errno.EINTR);
      const left = (yield* p.load64(at + 72)) - (10 * MS - (ns() - before));
      expect(Math.abs(left)).toBeLessThan(0.1 * MS);
      yield* p.wait();
    });
  });

  it('refuses what Linux refuses', () => {
    sameAsLinux(
      ...[0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 99, -1].flatMap((clock) =>
        clock === 2 ? [] : [['clock_nanosleep', clock, 0, NOWHERE, 0] as const],
      ),
      poke(MEMORY, 0, 0, 1_000_000_000, 0),
      ['clock_nanosleep', 1, 0, MEMORY, 0],
      poke(MEMORY, 0, 0, 1, 0),
      ['clock_nanosleep', 1, 0, MEMORY, NOWHERE],
      ['clock_nanosleep', 1, 1, MEMORY, 0],
    );
  });
});

describe('Interval timers', () => {
  it('send SIGALRM each period of time, SIGVTALRM and SIGPROF each period of CPU time', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const count: Record<number, number> = { 14: 0, 26: 0, 27: 0 };
      for (const signal of [14, 26, 27]) {
        yield* p.sigaction(signal, function* (q) {
          yield* q.getpid();
          count[signal] = (count[signal] as number) + 1;
        });
      }
      for (const offset of [8, 24]) yield* p.store64(at + offset, 1000);
      for (const which of [0, 1, 2]) expect(yield* p.syscall(setitimer, which, at, 0)).toBe(0);
      for (let i = 0; i < 1000; i++) yield* p.compute(23_000);
      for (const signal of [14, 26, 27]) expect(count[signal]).toBeGreaterThan(8);
      const { 26: virtual } = count;
      expect(yield* p.syscall(getitimer, 1, at + 64)).toBe(0);
      expect([yield* p.load64(at + 72), (yield* p.load64(at + 88)) <= 1000]).toEqual([1000, true]);
      yield* p.store64(at + 24, 0);
      for (const which of [0, 2]) yield* p.syscall(setitimer, which, at, 0);
      const before = count[14];
      for (let i = 0; i < 5; i++) yield* p.sleep(MS);
      expect(count[14]).toBe(before);
      expect((count[26] as number) - (virtual as number), 'no CPU time, no signal').toBeLessThan(3);
    });
  });

  it('alarm is one of them, in seconds, and says what was left', () => {
    run({ within: 5 * Time.s }, function* (p) {
      let rang = 0;
      yield* p.sigaction(Signal.ALRM, function* (q) {
        yield* q.getpid();
        rang++;
      });
      expect([yield* p.syscall(alarm, 2), yield* p.syscall(alarm, 1)]).toEqual([0, 2]);
      expect([yield* p.sleep(2 * Time.s), rang]).toEqual([-Errno.EINTR, 1]);
      expect(yield* p.syscall(alarm, 0)).toBe(0);
    });
  });

  it('refuse what Linux refuses', () => {
    sameAsLinux(
      ...[-1, 3, 0].flatMap((which) => [
        ['getitimer', which, NOWHERE] as const,
        ['setitimer', which, NOWHERE, 0] as const,
        ['setitimer', which, 0, 0] as const,
      ]),
      poke(MEMORY, 0, 0, 1_000_000, 0, 1, 0, 0, 0),
      ['setitimer', 0, MEMORY, 0],
      poke(MEMORY, 0, 0, 0, 0, -1, -1, 0, 0),
      ['setitimer', 0, MEMORY, 0],
      poke(MEMORY, 5, 0, 0, 0, 900, 0, 0, 0),
      ['setitimer', 0, MEMORY, NOWHERE],
      ['alarm', 0],
      ['alarm', 7],
      ['alarm', 0],
      ['getitimer', 0, MEMORY + 64],
      peek(MEMORY + 64, 32),
    );
  });
});

describe('Timers of timer_create', () => {
  it('send their signal with a value, count what is missed, and go when they are deleted', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const RT = Signal.RTMIN + 3;
      const values: number[] = [];
      yield* p.sigaction(RT, function* (q, _signal, value) {
        yield* q.getpid();
        values.push(value);
      });
      for (const [offset, word] of [42, 0, RT, 0].entries()) yield* p.store32(at + 4 * offset, word);
      expect([yield* p.syscall(timer_create, 1, at, at + 128), yield* p.load32(at + 128)]).toEqual([0, 0]);
      for (const offset of [8, 24]) yield* p.store64(at + 256 + offset, MS);
      expect(yield* p.syscall(timer_settime, 0, 0, at + 256, 0)).toBe(0);
      expect(yield* p.sleep(10 * MS)).toBe(-Errno.EINTR);
      expect([values, yield* p.syscall(timer_getoverrun, 0)]).toEqual([[42], 0]);
      yield* p.sigprocmask(0, 0, 1 << (RT - 33));
      for (let i = 0; i < 5; i++) yield* p.sleep(MS);
      yield* p.sigprocmask(1, 0, 1 << (RT - 33));
      expect(yield* p.syscall(timer_getoverrun, 0)).toBeGreaterThanOrEqual(3);
      expect(yield* p.syscall(timer_gettime, 0, at + 512)).toBe(0);
      expect(yield* p.load64(at + 520)).toBe(MS);
      expect([yield* p.syscall(timer_delete, 0), yield* p.syscall(timer_delete, 0)]).toEqual([0, -Errno.EINVAL]);
      const before = values.length;
      yield* p.sleep(5 * MS);
      expect(values.length).toBe(before);
    });
  });

  it('count CPU time, too, and are not inherited', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      let rang = 0;
      yield* p.sigaction(Signal.ALRM, function* (q) {
        yield* q.getpid();
        rang++;
      });
      expect(yield* p.syscall(timer_create, 2, 0, at)).toBe(0);
      for (const [offset, value] of [0, 0, 0, 2 * MS].entries()) yield* p.store64(at + 64 + 8 * offset, value);
      yield* p.syscall(timer_settime, 0, 0, at + 64, 0);
      yield* p.sleep(5 * MS);
      expect(rang).toBe(0);
      yield* p.fork(function* (q) {
        expect(yield* q.syscall(timer_gettime, 0, at)).toBe(-Errno.EINVAL);
      });
      yield* p.compute(2.3 * 2.5 * MS);
      yield* p.wait();
      expect(rang).toBe(1);
    });
  });

  it('refuse what Linux refuses', () => {
    const event = (signal: number, notify: number, tid = 0) => poke(MEMORY, 0, 0, signal, notify, tid);
    sameAsLinux(
      ...[0, 4, 5, 6, 7, 10, 11, 12, 99].map((clock) => ['timer_create', clock, 0, NOWHERE] as const),
      ['timer_create', 1, NOWHERE, MEMORY],
      event(0, 0),
      ['timer_create', 1, MEMORY, MEMORY + 128],
      event(65, 0),
      ['timer_create', 1, MEMORY, MEMORY + 128],
      event(99, 1),
      ['timer_create', 1, MEMORY, MEMORY + 128],
      event(5, 3),
      ['timer_create', 1, MEMORY, MEMORY + 128],
      event(5, 4, 999_999),
      ['timer_create', 1, MEMORY, MEMORY + 128],
      ['timer_settime', 77, 0, 0, 0],
      ['timer_settime', 77, 0, NOWHERE, 0],
      ['timer_settime', 77, 0, MEMORY + 512, 0],
      ['timer_gettime', 77, MEMORY],
      ['timer_getoverrun', 77],
      ['timer_delete', 77],
    );
  });
});
