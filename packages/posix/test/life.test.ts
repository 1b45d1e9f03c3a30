import { type Program, Time } from '@rpal/kernel';
import { Errno, FutexWord, LinuxCall, Signal, WaitOption } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MEMORY, NOWHERE, peek, poke, sameAsLinux } from './real/same-as-linux.js';
import { ends, run } from './support.js';

const { set_tid_address, set_robust_list, get_robust_list, rseq, waitid, prlimit64 } = LinuxCall;
const { OWNER_DIED, WAITERS } = FutexWord;

/** A robust list at `head` with locks behind it, each 32 bytes: its entry, and the lock's word 16 bytes on. */
function* robustList(p: Program, head: number, locks: readonly number[], owner: number): Generator<void, void> {
  const entries = locks.map((_, index) => head + 64 + 32 * index);
  yield* p.store64(head, entries[0] ?? head);
  yield* p.store64(head + 8, 16);
  yield* p.store64(head + 16, 0);
  for (const [index, entry] of entries.entries()) {
    yield* p.store64(entry, entries[index + 1] ?? head);
    yield* p.store32(entry + 16, owner | (locks[index] as number));
  }
  expect(yield* p.syscall(set_robust_list, head, 24)).toBe(0);
}

describe('A robust list', () => {
  it('marks the locks of a thread that ends, and wakes one who waits for each', () => {
    run(function* (p) {
      const head = yield* p.allocate(4096);
      const word = (index: number): number => head + 64 + 32 * index + 16;
      let woken = 0;
      const owner = yield* p.clone(function* (q) {
        yield* robustList(q, head, [0, WAITERS, 0], yield* q.gettid());
        yield* q.store32(word(2), 77);
        yield* q.sleep(Time.ms);
      });
      for (let i = 0; i < 2; i++) {
        yield* p.clone(function* (q) {
          yield* q.sleep(Time.ms / 2);
          if ((yield* q.futexWait(word(1), (owner | WAITERS) >>> 0, Time.ms)) === 0) woken++;
        });
      }
      yield* p.sleep(3 * Time.ms);
      expect([yield* p.load32(word(0)), (yield* p.load32(word(1))) | 0, yield* p.load32(word(2))]).toEqual([
        OWNER_DIED,
        OWNER_DIED | WAITERS,
        77,
      ]);
      expect(woken).toBe(1);
    });
  });

  it('is followed when the thread is killed, or execs, and says which operation was under way', () => {
    run(function* (p) {
      const shared = yield* p.mmap(0, 4096, 3, 0x21);
      const child = yield* p.fork(
        ends({ signal: Signal.KILL }, function* (q) {
          yield* robustList(q, shared, [], 0);
          // It holds the lock, and had not put it into the list yet.
          yield* q.store64(shared + 16, shared + 512);
          yield* q.store32(shared + 528, yield* q.gettid());
          yield* q.sleep(Time.s);
        }),
      );
      yield* p.sleep(Time.ms);
      yield* p.kill(child, Signal.KILL);
      yield* p.wait();
      expect(yield* p.load32(shared + 528)).toBe(OWNER_DIED);
    });
  });

  it('that is damaged, or endless, does no harm', () => {
    run(function* (p) {
      const at = yield* p.allocate(8192);
      for (const next of [0x10, at + 4096]) {
        yield* p.clone(function* (q) {
          yield* q.store64(at, at + 4096);
          yield* q.store64(at + 8, 16);
          yield* q.store64(at + 4096, next);
          yield* q.store32(at + 4112, yield* q.gettid());
          yield* q.syscall(set_robust_list, at, 24);
        });
        yield* p.sleep(Time.ms);
        expect(yield* p.load32(at + 4112)).toBe(OWNER_DIED);
      }
      yield* p.clone(function* (q) {
        yield* q.syscall(set_robust_list, NOWHERE, 24);
      });
      yield* p.sleep(Time.ms);
    });
  });

  it('is set and asked for as in Linux', () => {
    sameAsLinux(
      ['set_robust_list', MEMORY, 16],
      ['set_robust_list', MEMORY + 512, 24],
      ['get_robust_list', 0, MEMORY, MEMORY + 8],
      peek(MEMORY, 16),
      ['get_robust_list', 999_999, MEMORY, MEMORY],
      ['get_robust_list', 0, NOWHERE, MEMORY],
      ['get_robust_list', 0, MEMORY, NOWHERE],
      poke(MEMORY + 512, 0x200, 0x100),
    );
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const child = yield* p.fork(function* (q) {
        yield* q.sleep(Time.ms);
      });
      yield* p.setuid(1000);
      expect(yield* p.syscall(get_robust_list, child, at, at)).toBe(-Errno.EPERM);
      yield* p.wait();
    });
  });
});

describe('set_tid_address', () => {
  it('clears the word when the thread ends, and wakes who waits there; not for the last thread of a memory', () => {
    run(function* (p) {
      const word = yield* p.mmap(0, 4096, 3, 0x21);
      yield* p.store32(word, 1);
      const tid = yield* p.clone(function* (q) {
        expect(yield* q.syscall(set_tid_address, word)).toBe(yield* q.gettid());
        yield* q.sleep(Time.ms);
      });
      expect(tid).toBeGreaterThan(0);
      expect([yield* p.futexWait(word, 1), yield* p.load32(word)]).toEqual([0, 0]);
      yield* p.store32(word, 2);
      yield* p.fork(function* (q) {
        yield* q.syscall(set_tid_address, word);
      });
      yield* p.wait();
      expect(yield* p.load32(word)).toBe(2);
    });
  });
});

describe('rseq', () => {
  it('says on which CPU the thread runs, from the registration on and after each move', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      yield* p.store32(at + 4, -1);
      expect(yield* p.syscall(rseq, at, 32, 0, 0x53053053)).toBe(0);
      for (const cpu of [2, 1, 3]) {
        yield* p.setAffinity([cpu]);
        expect([yield* p.load32(at), yield* p.load32(at + 4)]).toEqual([cpu, cpu]);
      }
      expect(yield* p.syscall(rseq, at, 32, 1, 0x53053053)).toBe(0);
      expect((yield* p.load32(at + 4)) | 0).toBe(-1);
    });
  });

  it('is inherited by fork, and not by a thread', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      yield* p.syscall(rseq, at, 32, 0, 1);
      yield* p.fork(function* (q) {
        expect(yield* q.syscall(rseq, at, 32, 0, 1)).toBe(-Errno.EBUSY);
      });
      yield* p.wait();
      yield* p.clone(function* (q) {
        expect(yield* q.syscall(rseq, at + 64, 32, 0, 1)).toBe(0);
      });
      yield* p.sleep(Time.ms);
    });
  });

  it('aborts the sequence that a signal or a switch comes into, and kills a thread whose sequence is wrong', () => {
    run(
      ends({ signal: Signal.SEGV }, function* (p) {
        const at = yield* p.allocate(4096);
        yield* p.syscall(rseq, at, 32, 0, 0x1234);
        // No sequence is under way where the program is: the pointer to it is cleared.
        const section = at + 128;
        yield* p.store32(at + 508, 0x1234);
        for (const [offset, value] of [0, at + 1024, 16, at + 512].entries()) yield* p.store64(section + 8 * offset, value);
        yield* p.store64(at + 8, section);
        yield* p.sleep(Time.ms);
        expect(yield* p.load64(at + 8)).toBe(0);
        // The signature is not before where it is to go on.
        yield* p.store32(at + 508, 0x4321);
        yield* p.store64(at + 8, section);
        yield* p.sleep(Time.ms);
      }),
    );
  });

  it('refuses what Linux refuses', () => {
    // The C library may have a registration of its own: a child of the test without one is what is compared.
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const results: number[] = [];
      const calls: [number, number, number, number][] = [
        [at, 16, 0, 1],
        [at + 8, 32, 0, 1],
        [at, 32, 2, 1],
        [at, 32, 1, 1],
        [at, 32, 0, 1],
        [at, 32, 0, 1],
        [at, 32, 0, 2],
        [at + 32, 32, 0, 1],
        [at, 33, 1, 1],
        [at, 32, 3, 1],
        [at, 32, 1, 2],
        [at, 32, 1, 1],
        [NOWHERE, 32, 0, 1],
      ];
      for (const call of calls) results.push(yield* p.syscall(rseq, ...call));
      const { EINVAL, EBUSY, EPERM, EFAULT } = Errno;
      expect(results.map((result) => -result + 0)).toEqual([
        EINVAL,
        EINVAL,
        EINVAL,
        EINVAL,
        0,
        EBUSY,
        EPERM,
        EINVAL,
        EINVAL,
        EINVAL,
        EPERM,
        0,
        EFAULT,
      ]);
    });
  });
});

describe('waitid', () => {
  const { EXITED, NOHANG, NOWAIT, UNTRACED, CONTINUED } = WaitOption;

  it('tells of an end, a stop and a continuing, and can leave the child waitable', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const info = function* () {
        return [yield* p.load32(at + 8), yield* p.load32(at + 16), yield* p.load32(at + 24)];
      };
      const child = yield* p.fork(
        ends({ signal: Signal.KILL }, function* (q) {
          yield* q.sleep(Time.s);
        }),
      );
      yield* p.sleep(Time.ms);
      expect(yield* p.syscall(waitid, 1, child, at, EXITED | NOHANG)).toBe(0);
      expect(yield* info()).toEqual([0, 0, 0]);
      yield* p.kill(child, Signal.STOP);
      expect(yield* p.syscall(waitid, 1, child, at, UNTRACED)).toBe(0);
      expect(yield* info()).toEqual([5, child, Signal.STOP]);
      yield* p.kill(child, Signal.CONT);
      expect(yield* p.syscall(waitid, 0, 0, at, CONTINUED)).toBe(0);
      expect(yield* info()).toEqual([6, child, Signal.CONT]);
      yield* p.kill(child, Signal.KILL);
      for (const options of [EXITED | NOWAIT, EXITED]) {
        expect(yield* p.syscall(waitid, 1, child, at, options)).toBe(0);
        expect(yield* info()).toEqual([2, child, Signal.KILL]);
      }
      expect(yield* p.syscall(waitid, 1, child, at, EXITED)).toBe(-Errno.ECHILD);
    });
  });

  it('waits for a pidfd, and sums up what children have used', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const child = yield* p.fork(
        ends({ status: 9 }, function* (q) {
          yield* q.compute(2.3e7);
          return 9;
        }),
      );
      const fd = yield* p.pidfdOpen(child);
      expect(yield* p.syscall(waitid, 3, fd, at, EXITED, at + 256)).toBe(0);
      expect([yield* p.load32(at + 8), yield* p.load32(at + 24)]).toEqual([1, 9]);
      const used = 1e6 * (yield* p.load64(at + 256)) + (yield* p.load64(at + 264));
      expect(used).toBeGreaterThan(9000);
      yield* p.getrusage(-1, at + 512);
      expect(1e6 * (yield* p.load64(at + 512)) + (yield* p.load64(at + 520))).toBe(used);
      expect(yield* p.syscall(LinuxCall.times, at)).toBeGreaterThan(0);
      expect(yield* p.load64(at + 16)).toBe(1);
    });
  });

  it('refuses what Linux refuses', () => {
    sameAsLinux(
      ...[0, 1, 2, 3, 4, -1].flatMap((type) =>
        [0, 1, -1, 999_999].flatMap((id) => [0, 1, 2, 4, 5, 0x10, 0x0100_0004].map((options) => ['waitid', type, id, 0, options] as const)),
      ),
    );
  });
});

describe('getrlimit and setrlimit', () => {
  it('are prlimit the old way', () => {
    sameAsLinux(
      poke(MEMORY, 100, 0, 200, 0),
      ['setrlimit', 7, MEMORY],
      ['getrlimit', 7, MEMORY + 32],
      peek(MEMORY + 32, 16),
      ['setrlimit', 16, MEMORY],
      ['getrlimit', 16, MEMORY],
      ['getrlimit', 7, NOWHERE],
      ['setrlimit', 7, NOWHERE],
      ['setrlimit', 99, NOWHERE],
      poke(MEMORY, 300, 0, 200, 0),
      ['setrlimit', 7, MEMORY],
      poke(MEMORY, 100, 0, 300, 0),
      ['setrlimit', 7, MEMORY],
      poke(MEMORY, -1, -1, -1, -1),
      ['setrlimit', 9, MEMORY],
      ['getrlimit', 9, MEMORY + 32],
      peek(MEMORY + 32, 16),
    );
    run(function* (p) {
      expect(yield* p.syscall(prlimit64, 0, 7, 50, 60)).toBe(1024);
      const at = yield* p.allocate(4096);
      expect([yield* p.syscall(LinuxCall.getrlimit, 7, at), yield* p.load64(at), yield* p.load64(at + 8)]).toEqual([0, 50, 60]);
    });
  });
});

describe('arch_prctl', () => {
  it('sets and shows the bases of FS and GS, below the end of user space', () => {
    sameAsLinux(
      ['arch_prctl', 0x1001, 0x1234_5000],
      ['arch_prctl', 0x1004, MEMORY],
      peek(MEMORY, 8),
      ['arch_prctl', 0x1001, 0x7fff_ffff_f000],
      ['arch_prctl', 0x1002, 0x7fff_ffff_f000],
      ['arch_prctl', 0x1004, NOWHERE],
      ['arch_prctl', 0x1011, 0],
      ['arch_prctl', 0x3001, MEMORY],
      ['arch_prctl', 0x999, MEMORY],
    );
  });
});
