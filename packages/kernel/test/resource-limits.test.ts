import { Errno, Rlimit } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { UNLIMITED } from '../src/index.js';
import { run } from './support.js';

const KIB = 1024;

describe('prlimit', () => {
  it('has all sixteen limits, soft and hard, as the first process of Linux has them', () => {
    run(function* (p) {
      const limits: [number, number][] = [];
      for (let resource = 0; resource < 16; resource++) limits.push([yield* p.prlimit(resource), p.second]);
      const users = limits[Rlimit.NPROC]?.[0] as number;
      expect(users).toBeGreaterThan(1000);
      const open: [number, number] = [UNLIMITED, UNLIMITED];
      const [threads, none]: [number, number][] = [
        [users, users],
        [0, 0],
      ];
      expect(limits).toEqual([
        ...[open, open, open, [8 * KIB * KIB, UNLIMITED], [0, UNLIMITED], open, threads, [1024, 4096]],
        ...[[8 * KIB * KIB, 8 * KIB * KIB], open, open, threads, [819_200, 819_200], none, none, open],
      ]);
      expect([yield* p.prlimit(16), yield* p.prlimit(-1)]).toEqual([-Errno.EINVAL, -Errno.EINVAL]);
      expect(yield* p.prlimit(Rlimit.NOFILE, -1, 999)).toBe(-Errno.ESRCH);
    });
  });

  it('refuses a soft limit above the hard one, and more than the kernel can hold; only with CAP_SYS_RESOURCE a hard one is raised', () => {
    run(function* (p) {
      expect(yield* p.prlimit(Rlimit.STACK, 10, 0, 9)).toBe(-Errno.EINVAL);
      expect(yield* p.prlimit(Rlimit.NOFILE, 10, 0, 2 ** 20 + 1)).toBe(-Errno.EPERM);
      expect(yield* p.prlimit(Rlimit.NOFILE, 10, 0, 2 ** 20)).toBe(1024);
      yield* p.prlimit(Rlimit.NOFILE, 10, 0, 20);
      yield* p.setuid(1000);
      expect([yield* p.prlimit(Rlimit.NOFILE, 20, 0, 20), yield* p.prlimit(Rlimit.NOFILE), p.second]).toEqual([10, 20, 20]);
      expect(yield* p.prlimit(Rlimit.NOFILE, 20, 0, 21)).toBe(-Errno.EPERM);
    });
  });

  it('is inherited by fork; limits of memory are in force at once', () => {
    run(function* (p) {
      yield* p.prlimit(Rlimit.AS, 64 * KIB * KIB);
      expect(yield* p.allocate(128 * KIB * KIB)).toBe(-Errno.ENOMEM);
      yield* p.fork(function* (child) {
        expect(yield* child.prlimit(Rlimit.AS)).toBe(64 * KIB * KIB);
        expect(yield* child.allocate(128 * KIB * KIB)).toBe(-Errno.ENOMEM);
      });
      yield* p.wait();
    });
  });

  it('bounds the threads of a user, but not those of root', () => {
    run(function* (p) {
      yield* p.prlimit(Rlimit.NPROC, 1);
      const child = yield* p.fork(function* () {});
      expect(child).toBeGreaterThan(0);
      yield* p.wait();
      yield* p.setuid(1000);
      expect(yield* p.fork(function* () {})).toBe(-Errno.EAGAIN);
      expect(yield* p.clone(function* () {})).toBe(-Errno.EAGAIN);
    });
  });

  it('bounds locked memory, unless the process has CAP_IPC_LOCK: root has', () => {
    run(function* (p) {
      const at = yield* p.allocate(64 * KIB);
      yield* p.prlimit(Rlimit.MEMLOCK, 16 * KIB);
      expect(yield* p.mlock(at, 64 * KIB)).toBe(0);
      yield* p.munlock(at, 64 * KIB);
      yield* p.setuid(1000);
      expect([yield* p.mlock(at, 64 * KIB), yield* p.mlock(at, 16 * KIB)]).toEqual([-Errno.ENOMEM, 0]);
    });
  });
});
