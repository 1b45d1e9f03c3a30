import { Clock, Errno, LinuxCall } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MEMORY, NOWHERE, peek, poke, sameAsLinux } from './real/same-as-linux.js';
import { run } from './support.js';

const { clock_gettime, clock_getres, gettimeofday, time } = LinuxCall;
/** The CPU clock of a process: its number and the kind of time are in the id. */
const cpuClock = (pid: number, kind: number): number => (~pid << 3) | kind;

describe('The clocks', () => {
  it('show nanoseconds since the machine was switched on, the coarse ones of the last tick', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const read = function* (clock: number) {
        expect(yield* p.syscall(clock_gettime, clock, at)).toBe(0);
        return (yield* p.load64(at)) * 1e9 + (yield* p.load64(at + 8));
      };
      const { cpu } = p.context;
      for (const clock of [0, 1, 4, 7, 11]) {
        const ns = yield* read(clock);
        expect(cpu.clock / cpu.costs.tscPerNs - ns).toBeGreaterThanOrEqual(0);
        expect(cpu.clock / cpu.costs.tscPerNs - ns).toBeLessThan(2000);
      }
      for (const clock of [5, 6]) expect((yield* read(clock)) % 4e6).toBe(0);
      const before = yield* read(Clock.THREAD_CPUTIME_ID);
      yield* p.compute(2.3e6);
      yield* p.sleep(5e6);
      const spent = (yield* read(Clock.THREAD_CPUTIME_ID)) - before;
      expect(spent).toBeGreaterThan(1e6);
      expect(spent).toBeLessThan(1.2e6);
      expect(yield* read(cpuClock(0, 2))).toBeGreaterThanOrEqual(spent);
      yield* p.syscall(gettimeofday, at, 0);
      const seconds = yield* p.load64(at);
      const microseconds = yield* p.load64(at + 8);
      expect(yield* p.syscall(time, 0)).toBe(seconds);
      // A microsecond may begin between the two.
      const passed = (Math.floor((yield* read(0)) / 1000) % 1e6) - microseconds;
      expect([0, 1]).toContain(passed);
    });
  });

  it('have the resolution of Linux, and refuse what it refuses, in its order', () => {
    const all = Array.from({ length: 14 }, (_, clock) => clock);
    sameAsLinux(
      ...all.filter((clock) => clock !== 10).flatMap((clock) => [['clock_getres', clock, MEMORY] as const, peek(MEMORY, 16)]),
      ...[cpuClock(0, 0), cpuClock(0, 1), cpuClock(0, 2), cpuClock(0, 6)].flatMap((clock) => [
        ['clock_getres', clock, MEMORY] as const,
        peek(MEMORY, 16),
      ]),
      ...[12, 13, 16, 1000, -1, cpuClock(0, 3), cpuClock(999_999, 2), cpuClock(999_998, 6)].flatMap((clock) => [
        ['clock_gettime', clock, NOWHERE] as const,
        ['clock_getres', clock, 0] as const,
      ]),
      ['clock_gettime', 0, NOWHERE],
      ['clock_gettime', 1, 0],
      ['clock_getres', 1, NOWHERE],
      ['clock_getres', 1, 0],
      ['gettimeofday', NOWHERE, 0],
      ['gettimeofday', 0, NOWHERE],
      ['gettimeofday', 0, 0],
      ['time', NOWHERE],
    );
  });

  it('cannot be set: as for a process without CAP_SYS_TIME', () => {
    sameAsLinux(
      ['setuid', 1000],
      poke(MEMORY, 1, 0, 0, 0),
      ...[0, 1, 2, 3, 4, 5, 7, 11, 12, cpuClock(0, 2), cpuClock(999_999, 2)].flatMap((clock) => [
        ['clock_settime', clock, MEMORY] as const,
        ['clock_settime', clock, NOWHERE] as const,
      ]),
      poke(MEMORY, 1, 0, 1_000_000_000, 0),
      ['clock_settime', 0, MEMORY],
      ['settimeofday', MEMORY, 0],
      ['settimeofday', NOWHERE, 0],
    );
  });
});

describe('clock_getres of this machine', () => {
  it('knows of its ticks: coarse clocks have their length', () => {
    run({ hz: 1000 }, function* (p) {
      const at = yield* p.allocate(4096);
      expect([yield* p.syscall(clock_getres, Clock.MONOTONIC_COARSE, at), yield* p.load64(at + 8)]).toEqual([0, 1e6]);
      expect(yield* p.syscall(clock_getres, 99, at)).toBe(-Errno.EINVAL);
    });
  });
});
