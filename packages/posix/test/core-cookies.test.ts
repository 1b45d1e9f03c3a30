import type { Program } from '@rpal/kernel';
import { Errno, LinuxCall, Prctl, SchedCore, SchedCoreScope } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { run } from './support.js';

const { GET, CREATE, SHARE_TO, SHARE_FROM } = SchedCore;
const { THREAD, THREAD_GROUP, PROCESS_GROUP } = SchedCoreScope;
const SMT = { cpus: 2, threadsPerCore: 2 };

const core = (p: Program, command: number, pid = 0, scope: number = THREAD, address = 0) =>
  p.syscall(LinuxCall.prctl, Prctl.SCHED_CORE, command, pid, scope, address);

/** The cookie of a thread, or why it cannot be known. */
function* cookie(p: Program, at: number, pid = 0): Generator<void, number> {
  const result = yield* core(p, GET, pid, THREAD, at);
  return result < 0 ? result : yield* p.load64(at);
}

describe('prctl(PR_SCHED_CORE)', () => {
  it('needs cores with more than one thread, before anything else is looked at', () => {
    run(function* (p) {
      expect(yield* core(p, CREATE)).toBe(-Errno.ENODEV);
      expect(yield* core(p, 99, -1, 99)).toBe(-Errno.ENODEV);
    });
  });

  it('makes cookies, shows them, and passes them on in both directions', () => {
    run(SMT, function* (p) {
      const at = yield* p.allocate(4096);
      expect(yield* cookie(p, at)).toBe(0);
      const child = yield* p.fork(function* (q) {
        yield* q.sleep(5e6);
      });
      expect(yield* core(p, CREATE)).toBe(0);
      const own = yield* cookie(p, at);
      expect(own).toBeGreaterThan(0);
      expect(yield* cookie(p, at, child), 'it was born before').toBe(0);
      const later = yield* p.fork(function* (q) {
        yield* q.sleep(1e6);
      });
      expect(yield* cookie(p, at, later), 'inherited').toBe(own);
      expect(yield* core(p, SHARE_TO, child)).toBe(0);
      expect(yield* cookie(p, at, child)).toBe(own);
      expect(yield* core(p, CREATE, child)).toBe(0);
      const another = yield* cookie(p, at, child);
      expect([0, own]).not.toContain(another);
      expect(yield* core(p, SHARE_FROM, child)).toBe(0);
      expect(yield* cookie(p, at)).toBe(another);
    });
  });

  it('is for a thread, all of its process, or all of its process group', () => {
    run(SMT, function* (p) {
      const at = yield* p.allocate(4096);
      const thread = yield* p.clone(function* (q) {
        yield* q.sleep(5e6);
      });
      const child = yield* p.fork(function* (q) {
        yield* q.sleep(5e6);
      });
      const outside = yield* p.fork(function* (q) {
        yield* q.syscall(LinuxCall.setpgid, 0, 0);
        yield* q.sleep(5e6);
      });
      yield* p.sleep(1e6);
      const all = function* (): Generator<void, number[]> {
        return [yield* cookie(p, at), yield* cookie(p, at, thread), yield* cookie(p, at, child), yield* cookie(p, at, outside)];
      };
      expect(yield* core(p, CREATE, 0, THREAD_GROUP)).toBe(0);
      const first = yield* cookie(p, at);
      expect(yield* all()).toEqual([first, first, 0, 0]);
      expect(yield* core(p, CREATE, thread, PROCESS_GROUP)).toBe(0);
      const second = yield* cookie(p, at);
      expect(second).not.toBe(first);
      expect(yield* all()).toEqual([second, second, second, 0]);
    });
  });

  it('refuses what Linux refuses, in its order', () => {
    run(SMT, function* (p) {
      const at = yield* p.allocate(4096);
      for (const [command, pid, scope, address, answer] of [
        [4, 0, THREAD, 0, Errno.EINVAL],
        [-1, 0, THREAD, 0, Errno.EINVAL],
        [CREATE, 0, 3, 0, Errno.EINVAL],
        [CREATE, -1, THREAD, 0, Errno.EINVAL],
        [CREATE, 0, THREAD, at, Errno.EINVAL],
        [SHARE_FROM, 0, THREAD, at, Errno.EINVAL],
        [CREATE, 999_999, THREAD, 0, Errno.ESRCH],
        [GET, 999_999, THREAD_GROUP, at, Errno.ESRCH],
        [GET, 0, THREAD_GROUP, at, Errno.EINVAL],
        [GET, 0, THREAD, at + 4, Errno.EINVAL],
        [GET, 0, THREAD, 0, Errno.EFAULT],
        [SHARE_FROM, 0, THREAD_GROUP, 0, Errno.EINVAL],
      ] as const) {
        expect(yield* core(p, command, pid, scope, address), `${command} ${pid} ${scope} ${address}`).toBe(-answer);
      }
      const root = yield* p.getpid();
      yield* p.fork(function* (q) {
        yield* q.syscall(LinuxCall.setuid, 1000);
        const memory = yield* q.allocate(4096);
        for (const [command, scope, address] of [
          [GET, THREAD, memory],
          [CREATE, PROCESS_GROUP, 0],
          [SHARE_FROM, THREAD, 0],
        ] as const) {
          expect(yield* core(q, command, root, scope, address), 'somebody else is root').toBe(-Errno.EPERM);
        }
        expect(yield* core(q, CREATE, 0, PROCESS_GROUP), 'as is another one in the group').toBe(-Errno.EPERM);
        expect(yield* cookie(q, memory), 'and nobody has got one').toBe(0);
        expect(yield* core(q, CREATE)).toBe(0);
      });
      yield* p.wait();
    });
  });

  it('keeps threads with different cookies off the threads of a core, from the call on', () => {
    run({ cpus: 1, threadsPerCore: 2 }, function* (p) {
      const WORK = 4e7;
      /** Cycles that it takes until both have done their work; the other one first does `before`. */
      const both = function* (before?: (q: Program) => Generator<void, unknown>): Generator<void, number> {
        const start = p.rdtsc();
        yield* p.fork(function* (q) {
          yield* q.setAffinity([1]);
          if (before !== undefined) yield* before(q);
          yield* q.compute(WORK);
        });
        yield* p.compute(WORK);
        yield* p.wait();
        return p.rdtsc() - start;
      };
      yield* p.setAffinity([0]);
      const start = p.rdtsc();
      yield* p.compute(WORK);
      const alone = p.rdtsc() - start;
      // Threads of a core slow each other down, but not to half.
      expect((yield* both()) / alone).toBeLessThan(1.5);
      const apart = yield* both(function* (q) {
        expect(yield* core(q, CREATE)).toBe(0);
      });
      expect(apart / alone).toBeGreaterThan(1.95);
    });
  });
});
