import type { Program } from '@rpal/kernel';
import { Errno, LinuxCall } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { run } from './support.js';

const SET_DUMPABLE = 4;
const SET_KEEPCAPS = 8;

/** What process_vm_readv, pidfd_getfd and get_robust_list come to that user 1000 makes of a child who has done as it is told. */
function attempts(become: (q: Program) => Generator<void, void>): (string | undefined)[] {
  const seen: (string | undefined)[] = [];
  run(function* (p) {
    const own = yield* p.allocate(4096);
    yield* p.store64(own, 0);
    const child = yield* p.fork(function* (q) {
      yield* become(q);
      yield* q.sleep(4e6);
    });
    yield* p.sleep(1e6);
    const fd = yield* p.pidfdOpen(child);
    expect(yield* p.setuid(1000)).toBe(0);
    const results = [
      yield* p.processVmReadv(child, [{ address: own, length: 8 }], [{ address: own, length: 8 }]),
      yield* p.syscall(LinuxCall.pidfd_getfd, fd, 99, 0),
      yield* p.syscall(LinuxCall.get_robust_list, child, own, own),
    ];
    seen.push(...results.map((n) => Object.entries(Errno).find(([, errno]) => errno === -n)?.[0]));
    yield* p.wait();
  });
  return seen;
}

/** User 1000, and dumpable again: who changes is not. */
function* user(q: Program, dumpable: number): Generator<void, void> {
  expect(yield* q.setuid(1000)).toBe(0);
  expect(yield* q.syscall(LinuxCall.prctl, SET_DUMPABLE, dumpable)).toBe(0);
}

describe('attaching to a process of the same user', () => {
  const ALLOWED = [undefined, 'EBADF', undefined];
  const REFUSED = ['EPERM', 'EPERM', 'EPERM'];

  it('is allowed', () => expect(attempts((q) => user(q, 1))).toEqual(ALLOWED));

  it('is refused if it is not dumpable', () => expect(attempts((q) => user(q, 0))).toEqual(REFUSED));

  it('is refused if it has a capability that the caller lacks', () =>
    expect(
      attempts(function* (q) {
        expect(yield* q.syscall(LinuxCall.prctl, SET_KEEPCAPS, 1)).toBe(0);
        yield* user(q, 1);
      }),
    ).toEqual(REFUSED));
});
