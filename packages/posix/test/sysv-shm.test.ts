import { Errno, Ipc, Prot, Shm, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { ends, run } from './support.js';

describe('System V shared memory', () => {
  it('is one memory for all who attach it, found by its key', () => {
    run(function* (p) {
      const id = yield* p.shmget(77, 10_000, Ipc.CREAT | 0o600);
      const mine = yield* p.shmat(id);
      yield* p.store32(mine + 9996, 5);
      yield* p.fork(
        ends({ signal: Signal.SEGV }, function* (child) {
          // Attached by inheritance, and once more by key.
          const again = yield* child.shmat(yield* child.shmget(77, 0, 0), 0, Shm.RDONLY);
          const seen = [yield* child.load32(mine + 9996), yield* child.load32(again + 9996)];
          yield* child.store32(mine, seen[0] === 5 && seen[1] === 5 ? 1 : 2);
          yield* child.store32(again, 3);
        }),
      );
      yield* p.wait();
      expect(p.second & 0x7f, 'attached for reading only').toBe(Signal.SEGV);
      expect(yield* p.load32(mine)).toBe(1);
    });
  });

  it('counts who has it attached, and goes with the last after IPC_RMID', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const attached = function* (id: number) {
        const failed = yield* p.shmctl(id, Ipc.STAT, buffer);
        return failed < 0 ? failed : yield* p.load64(buffer + 88);
      };
      const id = yield* p.shmget(Ipc.PRIVATE, 4096, 0o600);
      const [a, b] = [yield* p.shmat(id), yield* p.shmat(id)];
      expect(yield* attached(id)).toBe(2);
      yield* p.fork(
        ends({ signal: Signal.KILL }, function* (child) {
          yield* child.pause();
        }),
      );
      expect(yield* attached(id)).toBe(4);
      yield* p.mprotect(a, 4096, Prot.READ);
      expect(yield* p.shmctl(id, Ipc.RMID)).toBe(0);
      expect([yield* p.shmdt(a), yield* p.shmdt(a), yield* p.shmdt(b)]).toEqual([0, -Errno.EINVAL, 0]);
      expect(yield* attached(id), 'by the child').toBe(2);
      for (const child of p.context.thread.process.children) yield* p.kill(child.pid, Signal.KILL);
      yield* p.wait();
      expect([yield* attached(id), yield* p.shmat(id)]).toEqual([-Errno.EINVAL, -Errno.EINVAL]);
    });
  });

  it('fails as the manual pages say', () => {
    run(function* (p) {
      expect(yield* p.shmget(5, 4096, 0)).toBe(-Errno.ENOENT);
      expect(yield* p.shmget(5, 0, Ipc.CREAT)).toBe(-Errno.EINVAL);
      const id = yield* p.shmget(5, 4096, Ipc.CREAT);
      expect(yield* p.shmget(5, 4096, Ipc.CREAT)).toBe(id);
      expect(yield* p.shmget(5, 4096, Ipc.CREAT | Ipc.EXCL)).toBe(-Errno.EEXIST);
      expect(yield* p.shmget(5, 4097, 0)).toBe(-Errno.EINVAL);
      expect(yield* p.shmat(id + 1)).toBe(-Errno.EINVAL);
      const at = yield* p.shmat(id);
      expect(yield* p.shmat(id, at + 1)).toBe(-Errno.EINVAL);
      expect(yield* p.shmat(id, at + 1, Shm.RND), 'taken').toBe(-Errno.EINVAL);
      expect(yield* p.shmat(id, 0, Shm.REMAP)).toBe(-Errno.EINVAL);
      expect(yield* p.shmat(id, at, Shm.REMAP)).toBe(at);
      expect(yield* p.shmdt(at + 4096)).toBe(-Errno.EINVAL);
      expect(yield* p.shmctl(id, 99)).toBe(-Errno.EINVAL);
      expect(yield* p.shmctl(id, Ipc.STAT, 8)).toBe(-Errno.EFAULT);
    });
  });
});
