import type { Program } from '@rpal/kernel';
import { Errno, LinuxCall } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MEMORY, NOWHERE, peek, poke, type Step, sameAsLinux } from './real/same-as-linux.js';
import { run } from './support.js';

const { sched_setattr, sched_getattr } = LinuxCall;

/** `struct sched_attr`, 56 bytes. */
const attr = (policy: number, nice: number, priority: number, { size = 56, flags = 0, runtime = 0 } = {}): Step =>
  poke(MEMORY, size, policy, flags, 0, nice, priority, runtime, 0, 0, 0, 0, 0, 0, 0);

describe('sched_setattr and sched_getattr', () => {
  it('set policy, priority, nice value and slice, and say what they are', () => {
    sameAsLinux(
      attr(0, 5, 0),
      ['sched_setattr', 0, MEMORY, 0],
      ['sched_getattr', 0, MEMORY + 128, 48, 0],
      peek(MEMORY + 128, 24),
      attr(2, 0, 10, { flags: 1 }),
      ['sched_setattr', 0, MEMORY, 0],
      ['sched_getattr', 0, MEMORY + 128, 56, 0],
      peek(MEMORY + 128, 48),
      ['sched_getparam', 0, MEMORY + 256],
      peek(MEMORY + 256, 4),
      poke(MEMORY + 256, 20),
      ['sched_setparam', 0, MEMORY + 256],
      ['sched_getscheduler', 0],
      attr(3, 7, 0, { runtime: 3_000_000 }),
      ['sched_setattr', 0, MEMORY, 0],
      ['sched_getattr', 0, MEMORY + 128, 48, 0],
      peek(MEMORY + 128, 48),
    );
  });

  it('refuse what Linux refuses', () => {
    sameAsLinux(
      ...[
        attr(0, 0, 1),
        attr(1, 0, 0),
        attr(1, 0, 100),
        attr(99, 0, 0),
        attr(-1, 0, 0),
        attr(0, 0, 0, { size: 47 }),
        attr(0, 0, 0, { size: 5000 }),
        attr(0, 0, 0, { size: 0 }),
        attr(0, 0, 0, { flags: 0x80 }),
      ].flatMap((step): Step[] => [step, ['sched_setattr', 0, MEMORY, 0], peek(MEMORY, 4)]),
      ['sched_setattr', 0, 0, 0],
      ['sched_setattr', 0, NOWHERE, 0],
      ['sched_setattr', -1, MEMORY, 0],
      ['sched_setattr', 0, MEMORY, 1],
      attr(0, 0, 0),
      ['sched_setattr', 999_999, MEMORY, 0],
      ['sched_getattr', 0, 0, 56, 0],
      ['sched_getattr', 0, MEMORY, 47, 0],
      ['sched_getattr', 0, MEMORY, 4097, 0],
      ['sched_getattr', 0, MEMORY, 56, 1],
      ['sched_getattr', 0, NOWHERE, 56, 0],
      ['sched_getattr', 999_999, MEMORY, 56, 0],
      ['sched_setparam', 0, 0],
      ['sched_setparam', 0, NOWHERE],
      ['sched_setparam', 999_999, MEMORY],
      ['sched_getparam', 0, NOWHERE],
      ['sched_getparam', -1, MEMORY],
    );
  });

  it('let nobody without rights become more urgent', () => {
    sameAsLinux(
      attr(0, 12, 0),
      ['sched_setattr', 0, MEMORY, 0],
      ['setuid', 1000],
      attr(0, 13, 0),
      ['sched_setattr', 0, MEMORY, 0],
      attr(0, 4, 0),
      ['sched_setattr', 0, MEMORY, 0],
      attr(1, 0, 1),
      ['sched_setattr', 0, MEMORY, 0],
    );
  });

  it('give a task the slice that it asks for', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      yield* p.store32(at, 48);
      yield* p.store64(at + 24, 700_000);
      expect([yield* p.syscall(sched_setattr, 0, at, 0), p.context.thread.entity.slice]).toEqual([0, 700_000]);
      yield* p.sleep(1e6);
      expect(p.context.thread.entity.slice).toBe(700_000);
      yield* p.store64(at + 24, 1);
      yield* p.syscall(sched_setattr, 0, at, 0);
      expect([yield* p.syscall(sched_getattr, 0, at, 48, 0), yield* p.load64(at + 24)]).toEqual([0, 100_000]);
    });
  });
});

describe('membarrier', () => {
  it('wants a registration, as in Linux', () => {
    sameAsLinux(
      ['membarrier', 8, 0],
      ['membarrier', 16, 0],
      ['membarrier', 8, 0],
      ['membarrier', 32, 0],
      ['membarrier', 64, 0],
      ['membarrier', 32, 0],
      ['membarrier', 2, 0],
      ['membarrier', 4, 0],
      ['membarrier', 2, 0],
      ['membarrier', 512, 0],
      ['membarrier', 3, 0],
      ['membarrier', 8, 1],
      ['membarrier', 1024, 0],
      ['membarrier', -1, 0],
    );
  });

  it('interrupts the CPUs that run the process, and no others', () => {
    run(function* (p) {
      const { membarrier } = LinuxCall;
      yield* p.setAffinity([0]);
      yield* p.clone(function* (q) {
        yield* q.setAffinity([1]);
        yield* q.compute(2e7);
      });
      yield* p.fork(function* (q) {
        yield* q.setAffinity([2]);
        yield* q.compute(2e7);
      });
      yield* p.sleep(1e6);
      const [, one, two] = p.context.thread.process.kernel.scheduler.platform.cpus;
      const taken = (): number[] => [one?.interruptsTaken ?? -1, two?.interruptsTaken ?? -1];
      yield* p.syscall(membarrier, 16, 0);
      const before = taken();
      expect(yield* p.syscall(membarrier, 8, 0)).toBe(0);
      yield* p.compute(20_000);
      expect(taken().map((count, index) => count - (before[index] as number))).toEqual([1, 0]);
      yield* p.wait();
      expect(yield* p.syscall(membarrier, 1, 5)).toBe(-Errno.EINVAL);
    });
  });
});

describe('FUTEX_LOCK_PI2', () => {
  it('is a lock that passes priorities on, with a timeout', () => {
    run(function* (p) {
      const word = yield* p.allocate(4096);
      const lock = (q: Program, timeout = -1) => q.syscall(LinuxCall.futex, word, 13, 0, timeout);
      expect([yield* lock(p), yield* p.load32(word)]).toEqual([0, yield* p.gettid()]);
      expect(yield* lock(p)).toBe(-Errno.EDEADLK);
      let other = 0;
      yield* p.clone(function* (q) {
        other = yield* lock(q, 1e6);
      });
      yield* p.sleep(3e6);
      expect(other).toBe(-Errno.ETIMEDOUT);
    });
  });
});
