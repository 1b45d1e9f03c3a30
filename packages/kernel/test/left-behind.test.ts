import { Errno, Rlimit } from '@rpal/uapi';
import { expect, it } from 'vitest';
import { run, runOn, smallMachine } from './support.js';

it('nothing of a process stays behind: its memory goes with its last thread', () => {
  const machine = smallMachine();
  const { memory } = machine.platform;
  let before = 0;
  const seen: number[] = [];
  runOn(machine, function* (p) {
    before = memory.framesInUse;
    for (let i = 0; i < 3; i++) {
      yield* p.fork(function* (q) {
        const at = yield* q.allocate(64 * 4096);
        yield* q.memset(at, 1, 64 * 4096);
        yield* q.clone(function* (r) {
          yield* r.sleep(1e5);
          yield* r.store8(at, 2);
        });
        yield* q.sleep(3e5);
      });
      yield* p.wait();
      seen.push(memory.framesInUse);
    }
  });
  // A fork leaves the parent's page tables as they are; the children's pages and tables are all given back.
  expect(seen[1]).toBe(seen[0]);
  expect(seen[2]).toBe(seen[0]);
  expect((seen[0] as number) - before).toBeLessThan(64);
});

it('dup2 takes numbers below the limit only', () => {
  run(function* (p) {
    const fd = yield* p.pipe();
    yield* p.prlimit(Rlimit.NOFILE, 64);
    expect(yield* p.dup2(fd, 63)).toBe(63);
    expect(yield* p.dup2(fd, 64)).toBe(-Errno.EBADF);
  });
});

it('who has given root up takes no other user id any more', () => {
  run(function* (p) {
    expect(yield* p.setuid(1000)).toBe(0);
    expect(yield* p.getuid()).toBe(1000);
    expect(yield* p.setuid(0)).toBe(-Errno.EPERM);
    expect(yield* p.setuid(1001)).toBe(-Errno.EPERM);
    expect(yield* p.setuid(1000)).toBe(0);
  });
});
