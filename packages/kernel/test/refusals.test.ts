import { Errno, Futex, FutexWord, Prot, Rlimit, Signal, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { smallProfile } from '../../../scripts/testing/run.ts';
import { posix } from '../../posix/src/index.js';
import { executable, type Program, SyscallNumber, Time } from '../src/index.js';
import { run, runOn, smallMachine } from './support.js';

describe('another user', () => {
  it('may do nothing to a process of root: no signal by whatever call, no look at its memory, no change of its limits', () => {
    const refused: Record<string, number> = {};
    run({ plugins: [posix()] }, function* (p) {
      const parent = yield* p.getpid();
      const page = yield* p.allocate(4096);
      yield* p.store64(page, 1);
      yield* p.fork(function* (c) {
        const own = yield* c.allocate(4096);
        yield* c.store64(own, 0);
        const fd = yield* c.pidfdOpen(parent);
        yield* c.setuid(1000);
        const range = (address: number) => [{ address, length: 8 }];
        refused.kill = yield* c.kill(parent, 0);
        refused.tgkill = yield* c.tgkill(parent, parent, Signal.TERM);
        refused.sigqueue = yield* c.sigqueue(parent, Signal.TERM, 1);
        refused.pidfd = yield* c.pidfdSendSignal(fd, Signal.TERM);
        refused.read = yield* c.processVmReadv(parent, range(own), range(page));
        refused.limit = yield* c.prlimit(Rlimit.NOFILE, 10, parent);
      });
      yield* p.wait();
    });
    const { EPERM } = Errno;
    expect(refused).toEqual({ kill: -EPERM, tgkill: -EPERM, sigqueue: -EPERM, pidfd: -EPERM, read: -EPERM, limit: -EPERM });
  });
});

describe('a process that has ended', () => {
  it('takes signals, and does nothing about them, until it has been reaped', () => {
    run({ plugins: [posix()] }, function* (p) {
      const child = yield* p.fork(function* (c) {
        yield* c.sleep(Time.ms);
      });
      const fd = yield* p.pidfdOpen(child);
      expect(yield* p.pidfdSendSignal(fd, 0)).toBe(0);
      yield* p.sleep(2 * Time.ms);
      expect([yield* p.pidfdSendSignal(fd, Signal.TERM), yield* p.kill(child, Signal.TERM)]).toEqual([0, 0]);
      yield* p.wait(child);
      expect([yield* p.pidfdSendSignal(fd, 0), yield* p.kill(child, 0)]).toEqual([-Errno.ESRCH, -Errno.ESRCH]);
    });
  });

  it('by exec into another program leaves no page of the first one behind', () => {
    const machine = smallMachine();
    const { memory } = machine.platform;
    let before = 0;
    let after = 0;
    runOn(machine, function* (p) {
      const address = yield* p.allocate(200 * 4096);
      for (let i = 0; i < 200; i++) yield* p.store8(address + i * 4096, 1);
      before = memory.framesInUse;
      yield* p.exec(
        executable('second', function* (q) {
          after = memory.framesInUse;
          yield* q.getpid();
        }),
      );
    });
    expect(before - after).toBeGreaterThanOrEqual(200);
  });
});

describe('the border of what is allowed', () => {
  const send = function* (p: Program, fd: number, count: number) {
    const page = yield* p.allocate(4096);
    const header = { segments: [{ address: page, length: 1 }], descriptors: Array.from({ length: count }, () => fd) };
    return yield* p.sendmsg(fd, header);
  };

  it('is 253 descriptors in a message (SCM_MAX_FD)', () => {
    run(function* (p) {
      const fd = yield* p.socketpair(SocketType.STREAM);
      expect([yield* send(p, fd, 253), yield* send(p, fd, 254)]).toEqual([1, -Errno.EINVAL]);
    });
  });

  it('is as many entries for poll as a process may have descriptors', () => {
    run(function* (p) {
      const fds = yield* p.allocate(16 * 4096);
      for (let i = 0; i < 1024; i++) yield* p.store32(fds + 8 * i, 0xffff_ffff);
      expect([yield* p.ppoll(fds, 1024, 0), yield* p.ppoll(fds, 1025, 0)]).toEqual([0, -Errno.EINVAL]);
    });
  });

  it('is FS for arch_prctl', () => {
    run(function* (p) {
      const ARCH_SET_GS = 0x1001;
      expect(yield* p.syscall(SyscallNumber.arch_prctl, ARCH_SET_GS, 0)).toBe(-Errno.EINVAL);
    });
  });

  it('is no key at all where the processor has none', () => {
    const profile = smallProfile();
    run({ profile: { ...profile, features: { ...profile.features, pku: false } } }, function* (p) {
      const page = yield* p.allocate(4096);
      expect([yield* p.pkeyMprotect(page, 4096, Prot.READ, 0), yield* p.pkeyMprotect(page, 4096, Prot.READ, -1)]).toEqual([
        -Errno.EINVAL,
        0,
      ]);
    });
  });
});

describe('a futex that passes priorities on', () => {
  it('is not waited for by a try, and unlocked by nobody whose word does not make him the owner', () => {
    run({ plugins: [posix()] }, function* (p) {
      const futex = (q: Program, word: number, command: number) =>
        q.syscall(SyscallNumber.futex, word, command | Futex.PRIVATE_FLAG, 0, -1);
      const word = yield* p.allocate(4096);
      expect(yield* futex(p, word, Futex.LOCK_PI)).toBe(0);
      yield* p.clone(function* (q) {
        expect(yield* futex(q, word, Futex.TRYLOCK_PI)).toBe(-Errno.EAGAIN);
        expect(yield* futex(q, word, Futex.LOCK_PI)).toBe(0);
      });
      yield* p.sleep(Time.ms);
      yield* p.clone(function* (q) {
        // It writes itself into the word; the kernel knows better.
        const before = yield* q.load32(word);
        yield* q.store32(word, (FutexWord.WAITERS | (yield* q.gettid())) >>> 0);
        expect(yield* futex(q, word, Futex.UNLOCK_PI)).toBe(-Errno.EINVAL);
        yield* q.store32(word, before);
      });
      yield* p.sleep(Time.ms);
      expect(yield* futex(p, word, Futex.UNLOCK_PI)).toBe(0);
      yield* p.sleep(Time.ms);
    });
  });
});
