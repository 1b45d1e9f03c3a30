import { Errno, Futex, MapFlag, Prot, Signal, SignalFlag } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { executable, type Main, type Program, SyscallNumber, Time } from '../src/index.js';
import { finish, instructions, run, runOn, smallMachine } from './support.js';

const { futex } = SyscallNumber;

describe('futex', () => {
  it('waits only if the word still has the value that the caller saw', () => {
    const results: number[] = [];
    run(function* (p) {
      const word = yield* p.allocate(4096);
      yield* p.store32(word, 7);
      results.push(yield* p.futexWait(word, 6), yield* p.futexWait(word, 7, 0), yield* p.futexWait(word, 7, 1 * Time.ms));
    });
    expect(results).toEqual([-Errno.EAGAIN, -Errno.ETIMEDOUT, -Errno.ETIMEDOUT]);
  });

  it('wakes as many waiters as asked for, in the order in which they came, and says how many', () => {
    const order: number[] = [];
    const woken: number[] = [];
    run(function* (p) {
      const word = yield* p.allocate(4096);
      yield* p.store32(word, 0);
      for (let i = 0; i < 4; i++) {
        yield* p.clone(function* (thread) {
          order.push(10 * (yield* thread.futexWait(word, 0)) + i);
        });
        yield* p.sleep(1 * Time.ms);
      }
      woken.push(yield* p.futexWake(word, 1));
      yield* p.sleep(1 * Time.ms);
      woken.push(yield* p.futexWake(word, 2));
      yield* p.sleep(1 * Time.ms);
      woken.push(yield* p.futexWake(word, 9), yield* p.futexWake(word, 9));
      yield* p.sleep(1 * Time.ms);
    });
    expect(woken).toEqual([1, 2, 1, 0]);
    expect(order).toEqual([0, 1, 2, 3]);
  });

  it('wakes by bitset', () => {
    const woken: number[] = [];
    const ended: number[] = [];
    run(function* (p) {
      const word = yield* p.allocate(4096);
      yield* p.store32(word, 0);
      for (const bits of [1, 2, 4]) {
        yield* p.clone(function* (thread) {
          yield* thread.syscall(futex, word, Futex.WAIT_BITSET | Futex.PRIVATE_FLAG, 0, -1, 0, bits);
          ended.push(bits);
        });
      }
      yield* p.sleep(1 * Time.ms);
      const wake = (bits: number) => p.syscall(futex, word, Futex.WAKE_BITSET | Futex.PRIVATE_FLAG, 9, 0, 0, bits);
      for (const bits of [8, 6, 3, 0]) {
        woken.push(yield* wake(bits));
        yield* p.sleep(1 * Time.ms);
      }
    });
    expect(woken).toEqual([0, 2, 1, -Errno.EINVAL]);
    expect(ended.sort()).toEqual([1, 2, 4]);
  });

  it('moves waiters to another word, unless the first has changed', () => {
    const results: number[] = [];
    run(function* (p) {
      const first = yield* p.allocate(4096);
      const second = first + 64;
      yield* p.store32(first, 5);
      for (let i = 0; i < 5; i++) {
        yield* p.clone(function* (thread) {
          yield* thread.futexWait(first, 5);
        });
      }
      yield* p.sleep(1 * Time.ms);
      const requeue = (expected: number) => p.syscall(futex, first, Futex.CMP_REQUEUE, 1, 3, second, expected);
      results.push(yield* requeue(4), yield* requeue(5), yield* p.futexWake(first, 9), yield* p.futexWake(second, 9));
    });
    expect(results).toEqual([-Errno.EAGAIN, 4, 1, 3]);
  });

  it('changes one word and wakes at two (FUTEX_WAKE_OP)', () => {
    const results: number[] = [];
    run(function* (p) {
      const first = yield* p.allocate(4096);
      const second = first + 64;
      yield* p.store32(first, 0);
      yield* p.store32(second, 1);
      for (const word of [first, second]) {
        yield* p.clone(function* (thread) {
          yield* thread.futexWait(word, word === first ? 0 : 1);
        });
      }
      yield* p.sleep(1 * Time.ms);
      // Add 3 to the second word; wake there if it was greater than 0.
      const encoded = (1 << 28) | (4 << 24) | (3 << 12) | 0;
      results.push(yield* p.syscall(futex, first, Futex.WAKE_OP, 1, 1, second, encoded), yield* p.load32(second));
    });
    expect(results).toEqual([2, 4]);
  });

  it('joins processes through shared memory, but not through memory that fork has copied', () => {
    const results: number[] = [];
    run(function* (p) {
      const shared = yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS);
      const own = yield* p.allocate(4096);
      yield* p.store32(shared, 1);
      yield* p.store32(own, 1);
      for (const word of [shared, own]) {
        yield* p.fork(function* (child) {
          expect(yield* child.futexWait(word, 1, 5 * Time.ms)).toBe(word === shared ? 0 : -Errno.ETIMEDOUT);
        });
      }
      yield* p.sleep(2 * Time.ms);
      results.push(yield* p.futexWake(shared, 9), yield* p.futexWake(own, 9));
      yield* p.wait();
      yield* p.wait();
    });
    expect(results).toEqual([1, 0]);
  });

  it('refuses what Linux refuses', () => {
    const results: number[] = [];
    run(function* (p) {
      const word = yield* p.allocate(4096);
      results.push(
        yield* p.futexWait(word + 2, 0),
        yield* p.futexWait(0x10_0000, 0),
        yield* p.futexWake(0x10_0000, 1, 0),
        yield* p.syscall(futex, word, Futex.WAIT_BITSET, 0, -1, 0, 0),
        yield* p.syscall(futex, word, Futex.REQUEUE, -1, 1, word),
        yield* p.syscall(futex, word, 99),
      );
    });
    expect(results).toEqual([-Errno.EINVAL, -Errno.EFAULT, -Errno.EFAULT, -Errno.EINVAL, -Errno.EINVAL, -Errno.ENOSYS]);
  });

  it('makes a mutex: threads on several CPUs lose no update and no wake-up', () => {
    // The classic three-state mutex: 0 free, 1 taken, 2 taken and somebody may wait.
    function* lock(p: Program, word: number): Generator<void, void> {
      if ((yield* p.load32(word)) === 0) {
        yield* p.store32(word, 1);
        return;
      }
      for (;;) {
        const before = yield* p.load32(word);
        yield* p.store32(word, 2);
        if (before === 0) return;
        yield* p.futexWait(word, 2);
      }
    }
    function* unlock(p: Program, word: number): Generator<void, void> {
      const before = yield* p.load32(word);
      yield* p.store32(word, 0);
      if (before === 2) yield* p.futexWake(word, 1);
    }
    // Load and store stand in for one compare-and-exchange: on one CPU only a tick could come between the two.
    const threads = 6;
    const rounds = 40;
    let total = 0;
    const machine = smallMachine();
    runOn(machine, function* (p) {
      yield* p.setAffinity([0]);
      const memory = yield* p.allocate(4096);
      yield* p.store32(memory, 0);
      yield* p.store32(memory + 64, 0);
      yield* p.store32(memory + 128, 0);
      const worker: Main = function* (thread) {
        for (let i = 0; i < rounds; i++) {
          yield* lock(thread, memory);
          const seen = yield* thread.load32(memory + 64);
          // Held across a switch now and then, so that others really wait.
          if (i % 7 === 0) yield* thread.sleep(50 * Time.us);
          yield* thread.store32(memory + 64, seen + 1);
          yield* unlock(thread, memory);
        }
        yield* thread.store32(memory + 128, (yield* thread.load32(memory + 128)) + 1);
        yield* thread.futexWake(memory + 128, 1);
      };
      for (let i = 0; i < threads; i++) yield* p.clone(worker);
      for (;;) {
        const done = yield* p.load32(memory + 128);
        if (done === threads) break;
        yield* p.futexWait(memory + 128, done);
      }
      total = yield* p.load32(memory + 64);
    });
    expect(total).toBe(threads * rounds);
  });

  it('ends with EINTR if a handler has run and it had a timeout; without one it begins anew, as SA_RESTART says', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const word = yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS);
      let handled = 0;
      yield* p.sigaction(
        Signal.USR1,
        function* (q) {
          handled += (yield* q.getpid()) > 0 ? 1 : 0;
        },
        SignalFlag.RESTART,
      );
      yield* p.fork(function* (c) {
        for (let i = 0; i < 2; i++) {
          yield* c.sleep(Time.ms);
          yield* c.kill(self, Signal.USR1);
        }
        yield* c.sleep(Time.ms);
        yield* c.store32(word, 1);
        yield* c.futexWake(word, 1, 0);
      });
      expect(yield* p.futexWait(word, 0, 10 * Time.ms, 0)).toBe(-Errno.EINTR);
      expect(yield* p.futexWait(word, 0, -1, 0)).toBe(0);
      expect(handled).toBe(2);
    });
  });

  it('waits on after a stop, until the time it would have waited for, or not if the word has changed', () => {
    run(function* (p) {
      const word = yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS);
      const waiter: Main = function* (c) {
        const before = c.rdtsc();
        const result = yield* c.futexWait(word, 0, 10 * Time.ms, 0);
        yield* c.store32(word + 4, -result);
        yield* c.store32(word + 8, Math.round((c.rdtsc() - before) / 2.3e6));
      };
      for (const [change, result, ms] of [
        [0, Errno.ETIMEDOUT, 10],
        [1, Errno.EAGAIN, 4],
      ] as const) {
        const child = yield* p.fork(waiter);
        yield* p.sleep(2 * Time.ms);
        yield* p.kill(child, Signal.STOP);
        yield* p.sleep(2 * Time.ms);
        yield* p.store32(word, change);
        yield* p.kill(child, Signal.CONT);
        yield* p.wait(child);
        expect([yield* p.load32(word + 4), yield* p.load32(word + 8)]).toEqual([result, ms]);
      }
    });
  });

  it('executes what the real kernel was counted to execute, between its two sequences (7830 and 10,341 a round trip)', () => {
    const marks: number[] = [];
    const trips = 60;
    const machine = smallMachine();
    machine.spawn(
      executable('ping-pong', function* (p) {
        yield* p.setAffinity([0]);
        const word = yield* p.allocate(4096);
        yield* p.store32(word, 0);
        const side = (mine: number): Main =>
          function* (thread) {
            for (let i = 0; i < trips; i++) {
              while ((yield* thread.load32(word)) !== mine) yield* thread.futexWait(word, 1 - mine);
              yield* thread.store32(word, 1 - mine);
              yield* thread.futexWake(word, 1);
              if (mine === 0 && (i === 9 || i === trips - 1)) marks.push(instructions(thread.context.cpu));
            }
          };
        yield* p.clone(side(1));
        yield* side(0)(p);
      }),
    );
    finish(machine);
    const each = ((marks[1] as number) - (marks[0] as number)) / (trips - 10);
    expect(each).toBeGreaterThan(0.95 * 7830);
    expect(each).toBeLessThan(1.05 * 10_341);
  });
});
