import { type Program, SyscallNumber, Time } from '@rpal/kernel';
import { SchedPolicy } from '@rpal/sched';
import { Errno, Futex, FutexWord, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { run } from './support.js';

const { TID_MASK, OWNER_DIED, WAITERS } = FutexWord;
const PRIVATE = Futex.PRIVATE_FLAG;
const lock = (p: Program, word: number, timeout = -1) => p.syscall(SyscallNumber.futex, word, Futex.LOCK_PI | PRIVATE, 0, timeout);
const tryLock = (p: Program, word: number) => p.syscall(SyscallNumber.futex, word, Futex.TRYLOCK_PI | PRIVATE);
const unlock = (p: Program, word: number) => p.syscall(SyscallNumber.futex, word, Futex.UNLOCK_PI | PRIVATE);

describe('a futex that passes priorities on', () => {
  it('says in its word who owns it, and that somebody waits', () => {
    run(function* (p) {
      const word = yield* p.allocate(4096);
      const self = yield* p.gettid();
      expect([yield* lock(p, word), yield* p.load32(word)]).toEqual([0, self]);
      let got = -1;
      yield* p.clone(function* (q) {
        got = yield* lock(q, word);
        expect(((yield* q.load32(word)) & TID_MASK) >>> 0).toBe(yield* q.gettid());
        yield* q.sleep(Time.ms);
        expect(yield* unlock(q, word)).toBe(0);
      });
      yield* p.sleep(Time.ms);
      expect([got, yield* p.load32(word)]).toEqual([-1, (self | WAITERS) >>> 0]);
      expect(yield* unlock(p, word)).toBe(0);
      yield* p.sleep(5 * Time.ms);
      expect([got, yield* p.load32(word)]).toEqual([0, 0]);
    });
  });

  it('goes to the most urgent waiter, and to those of one priority in the order in which they came', () => {
    run(function* (p) {
      const word = yield* p.allocate(4096);
      const order: number[] = [];
      yield* lock(p, word);
      for (const priority of [0, 10, 30, 10, 0]) {
        yield* p.clone(function* (q) {
          if (priority > 0) yield* q.setScheduler(0, SchedPolicy.FIFO, priority);
          yield* lock(q, word);
          order.push(priority);
          yield* unlock(q, word);
        });
        yield* p.sleep(Time.ms);
      }
      yield* unlock(p, word);
      yield* p.sleep(10 * Time.ms);
      expect(order).toEqual([30, 10, 10, 0, 0]);
    });
  });

  it('goes by the priority that waiters have by then', () => {
    run(function* (p) {
      const word = yield* p.allocate(4096);
      const order: number[] = [];
      const tids: number[] = [];
      yield* lock(p, word);
      for (const priority of [10, 20]) {
        yield* p.clone(function* (q) {
          tids.push(yield* q.gettid());
          yield* q.setScheduler(0, SchedPolicy.FIFO, priority);
          yield* lock(q, word);
          order.push(priority);
          yield* unlock(q, word);
        });
        yield* p.sleep(Time.ms);
      }
      const owner = p.context.thread;
      expect(owner.rtPriority).toBe(20);
      yield* p.setScheduler(tids[0] as number, SchedPolicy.FIFO, 30);
      expect(owner.rtPriority).toBe(30);
      yield* p.setScheduler(0, SchedPolicy.FIFO, 40);
      expect(owner.rtPriority, 'its own is higher').toBe(40);
      yield* p.setScheduler(0, SchedPolicy.NORMAL);
      expect(owner.rtPriority).toBe(30);
      yield* unlock(p, word);
      expect(owner.rtPriority).toBe(0);
      yield* p.sleep(5 * Time.ms);
      expect(order).toEqual([10, 20]);
    });
  });

  it('lets its owner run with the priority of who waits, so that one in between cannot hold both up', () => {
    const waited = [true, false].map((inherits) => {
      let ns = 0;
      run(function* (p) {
        yield* p.setAffinity([0]);
        const word = yield* p.allocate(4096);
        yield* p.setScheduler(0, SchedPolicy.FIFO, 50);
        yield* p.clone(function* (low) {
          yield* low.setScheduler(0, SchedPolicy.FIFO, 1);
          if (inherits) yield* lock(low, word);
          else yield* low.store32(word, 1);
          for (let i = 0; i < 10; i++) yield* low.compute(2.3e6);
          if (inherits) {
            yield* unlock(low, word);
          } else {
            yield* low.store32(word, 0);
            yield* low.futexWake(word, 1);
          }
        });
        yield* p.sleep(2 * Time.ms);
        yield* p.clone(function* (between) {
          yield* between.setScheduler(0, SchedPolicy.FIFO, 20);
          for (let i = 0; i < 100; i++) yield* between.compute(2.3e6);
        });
        const before = p.rdtsc();
        if (inherits) yield* lock(p, word);
        else yield* p.futexWait(word, 1);
        ns = (p.rdtsc() - before) / 2.3;
      });
      return ns / Time.ms;
    });
    expect(waited[0]).toBeLessThan(12);
    expect(waited[1]).toBeGreaterThan(90);
  });

  it('passes a priority on along a chain of owners, and takes it back', () => {
    run(function* (p) {
      const first = yield* p.allocate(4096);
      const second = first + 64;
      const low = p.context.thread;
      yield* lock(p, first);
      const priorities = () => [low.rtPriority, middle];
      let middle = 0;
      yield* p.clone(function* (q) {
        yield* lock(q, second);
        yield* q.clone(function* (high) {
          yield* high.setScheduler(0, SchedPolicy.FIFO, 40);
          yield* high.sleep(2 * Time.ms);
          yield* lock(high, second);
          yield* unlock(high, second);
        });
        yield* lock(q, first);
        middle = q.context.thread.rtPriority;
        yield* unlock(q, first);
        yield* unlock(q, second);
        middle = q.context.thread.rtPriority;
      });
      yield* p.sleep(Time.ms);
      expect(priorities()).toEqual([0, 0]);
      yield* p.sleep(3 * Time.ms);
      expect(priorities()).toEqual([40, 0]);
      expect(yield* p.syscall(SyscallNumber.sched_getscheduler, 0), 'its policy is what it was').toBe(SchedPolicy.NORMAL);
      yield* unlock(p, first);
      expect(low.rtPriority).toBe(0);
      yield* p.sleep(3 * Time.ms);
      expect(middle).toBe(0);
    });
  });

  it('refuses circles, and what makes no sense', () => {
    run(function* (p) {
      const a = yield* p.allocate(4096);
      const b = a + 64;
      const results: Record<string, number> = {};
      yield* lock(p, a);
      results.own = yield* lock(p, a);
      results.tryOwn = yield* tryLock(p, a);
      yield* p.clone(function* (q) {
        yield* lock(q, b);
        results.try = yield* tryLock(q, a);
        results.unlockOther = yield* unlock(q, a);
        yield* lock(q, a);
        yield* q.store32(a + 128, 0);
        yield* unlock(q, a);
        yield* unlock(q, b);
      });
      yield* p.sleep(Time.ms);
      results.circle = yield* lock(p, b);
      results.wake = yield* p.futexWake(a, 1, Futex.PRIVATE_FLAG);
      yield* unlock(p, a);
      yield* p.sleep(Time.ms);
      yield* p.store32(a, 3_000_000);
      results.nobody = yield* lock(p, a);
      results.odd = yield* lock(p, a + 2);
      results.unmapped = yield* lock(p, 8);
      yield* p.clone(function* (q) {
        yield* q.futexWait(b + 64, 0, 10 * Time.ms, Futex.PRIVATE_FLAG);
      });
      yield* p.sleep(Time.ms);
      results.ordinary = yield* lock(p, b + 64);
      expect(results).toEqual({
        own: -Errno.EDEADLK,
        tryOwn: -Errno.EDEADLK,
        try: -Errno.EAGAIN,
        unlockOther: -Errno.EPERM,
        circle: -Errno.EDEADLK,
        wake: -Errno.EINVAL,
        nobody: -Errno.ESRCH,
        odd: -Errno.EINVAL,
        unmapped: -Errno.EFAULT,
        ordinary: -Errno.EINVAL,
      });
    });
  });

  it('gives up after its time, and goes on after a signal', () => {
    run(function* (p) {
      const word = yield* p.allocate(4096);
      yield* lock(p, word);
      const results: number[] = [];
      let handled = 0;
      yield* p.sigaction(Signal.USR1, function* (q) {
        handled++;
        yield* q.getpid();
      });
      let tid = 0;
      yield* p.clone(function* (q) {
        tid = yield* q.gettid();
        results.push(yield* lock(q, word, Time.ms));
        results.push(yield* lock(q, word));
      });
      yield* p.sleep(3 * Time.ms);
      yield* p.tgkill(yield* p.getpid(), tid, Signal.USR1);
      yield* p.sleep(Time.ms);
      expect([results, handled]).toEqual([[-Errno.ETIMEDOUT], 1]);
      yield* unlock(p, word);
      yield* p.sleep(Time.ms);
      expect(results).toEqual([-Errno.ETIMEDOUT, 0]);
    });
  });

  it('goes to a waiter when its owner ends, which is marked in the word', () => {
    run(function* (p) {
      const word = yield* p.allocate(4096);
      let dead = 0;
      yield* p.clone(function* (q) {
        dead = yield* q.gettid();
        yield* lock(q, word);
        yield* q.sleep(2 * Time.ms);
      });
      yield* p.sleep(Time.ms);
      expect((yield* p.load32(word)) >>> 0).toBe(dead);
      expect(yield* lock(p, word)).toBe(0);
      expect(yield* p.load32(word)).toBe(((yield* p.gettid()) | WAITERS | OWNER_DIED) >>> 0);
      expect([yield* unlock(p, word), yield* p.load32(word)]).toEqual([0, 0]);
    });
  });
});
