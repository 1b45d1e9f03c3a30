import type { Program } from '@rpal/kernel';
import { Epoll, Errno, Poll, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { RpalIoctl, rpalOf } from '../src/index.js';
import { Control, mustEnd, pairOfServices, run, smallProfile, until, world } from './world.js';

/** Two services; the second requests the first, which then dies. `after` runs in the second. */
function afterDeath(setting: ReturnType<typeof world>, after: (p: Program, c: Control, key: number) => Generator<void, void>) {
  const key = 1;
  return pairOfServices(
    setting,
    function* () {},
    function* (p, c, peer) {
      yield* until(p, () => peer.exit !== null);
      yield* after(p, c, key);
    },
  );
}

describe('/proc/rpal: the death of a peer', () => {
  it('is readable; read gives the key, does not clear it, and never blocks', () => {
    const seen: number[] = [];
    afterDeath(world(), function* (p, c, key) {
      const epfd = yield* p.epollCreate();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, c.fd, Poll.IN);
      seen.push(yield* p.epollWait(epfd, c.note, 1, 0));
      for (let i = 0; i < 2; i++) seen.push(yield* p.read(c.fd, c.note, 64), yield* p.load64(c.note));
      yield* c.release(key);
      seen.push(yield* p.epollWait(epfd, c.note, 1, 0), yield* p.read(c.fd, c.note, 64));
    });
    expect(seen).toEqual([1, 8, 1, 8, 1, 0, 0]);
  });

  it('wakes who waits in epoll', () => {
    let count = -1;
    pairOfServices(
      world(),
      function* (p) {
        yield* p.sleep(2e6);
      },
      function* (p, c) {
        const epfd = yield* p.epollCreate();
        yield* p.epollCtl(epfd, Epoll.CTL_ADD, c.fd, Poll.IN);
        count = yield* p.epollWait(epfd, c.note, 1, -1);
      },
    );
    expect(count).toBe(1);
  });

  it('is told to a service that requests, by a service that only disables', () => {
    const seen: number[] = [];
    let disabled = false;
    let seenIt = false;
    pairOfServices(
      world(),
      function* (p, c) {
        yield* c.disable();
        disabled = true;
        yield* until(p, () => seenIt);
      },
      function* (p, c) {
        yield* until(p, () => disabled);
        seen.push(yield* p.read(c.fd, c.note, 64), (yield* c.request(1)).result, yield* c.release(1), (yield* c.request(1)).result);
        seenIt = true;
      },
    );
    expect(seen).toEqual([8, -Errno.EPERM, 0, -Errno.EPERM]);
  });

  it('cannot be copied out: EAGAIN', () => {
    let result = 0;
    afterDeath(world(), function* (p, c) {
      result = yield* p.read(c.fd, 0x1000, 64);
    });
    expect(result).toBe(-Errno.EAGAIN);
  });
});

describe('/proc/rpal: shared pages', () => {
  const attempt = (body: (p: Program, c: Control) => Generator<void, unknown>, setting = world()) => {
    const [process] = run(setting, function* (p) {
      yield* body(p, yield* Control.open(p));
    });
    return { setting, exit: process?.exit };
  };

  it.each([
    ['three pages', 3 * 4096, -Errno.EINVAL],
    ['more than the quota of 8192 pages at once', 16384 * 4096, -Errno.ENOMEM],
    ['no length', 0, -Errno.EINVAL],
  ])('%s: refused', (_what, bytes, expected) => {
    let result = 0;
    attempt(function* (p, c) {
      result = yield* p.mmap(0, bytes, 3, 1, c.fd);
    });
    expect(result).toBe(expected);
  });

  it('the quota is of all mappings together, and comes back', () => {
    const results: number[] = [];
    attempt(function* (p, c) {
      const half = yield* c.share(4096);
      yield* c.share(4096);
      results.push(yield* c.share());
      yield* p.munmap(half, 4096 * 4096);
      results.push(Math.sign(yield* c.share()));
    });
    expect(results).toEqual([-Errno.ENOMEM, 1]);
  });

  it.each([
    ['the record of the mapping', 1, -Errno.EAGAIN],
    ['the pages', 2, -Errno.ENOMEM],
  ])('no memory for %s: refused, and nothing is left of it', (_what, nth, expected) => {
    const results: number[] = [];
    attempt(function* (p, c) {
      const { frames } = p.context.thread.memory.manager;
      const rpal = rpalOf(p.context.contexts);
      yield* c.share();
      const before = [...rpal.heap.inUse, frames.inUse];
      rpal.heap.failNth = nth;
      results.push(yield* c.share());
      expect([...rpal.heap.inUse, frames.inUse]).toEqual(before);
      results.push(Math.sign(yield* c.share()));
    });
    expect(results).toEqual([expected, 1]);
  });

  it.each([
    ['that are there: mapped', 0, 1],
    ['that are not: refused, and nothing is left of it', 2 ** 37, -Errno.ENOMEM],
  ])('the last frame of the machine goes into the pages, with page tables %s', (_what, distance, expected) => {
    const setting = world({}, { profile: { ...smallProfile(), topology: { ...smallProfile().topology, memoryPerSocket: 1 / 32 } } });
    let result = 0;
    run(setting, function* (p) {
      const c = yield* Control.open(p);
      const { frames, totalFrames } = setting.machine.kernel.memory;
      const { inUse: records } = setting.rpal.heap;
      const near = yield* c.share();
      const hoard: number[] = [];
      // The first megabyte is nobody's.
      for (let left = totalFrames - 256 - frames.inUse; left > 1; left--) hoard.push(frames.allocate(0));
      const before = [...records, frames.inUse, p.context.thread.memory.residentPages];
      const address = yield* p.mmap(near - 4096 - distance, 4096, 3, 1, c.fd);
      result = Math.min(address, 1);
      if (result < 0) expect([...records, frames.inUse, p.context.thread.memory.residentPages]).toEqual(before);
      for (const frame of hoard) frames.put(frame);
    });
    expect(result).toBe(expected);
  });

  it('are zeroed and readable and writable', () => {
    const seen: number[] = [];
    attempt(function* (p, c) {
      const page = yield* c.share(2);
      seen.push(yield* p.load64(page + 4096));
      yield* p.store64(page + 4096, 5);
      seen.push(yield* p.load64(page + 4096));
    });
    expect(seen).toEqual([0, 5]);
  });

  it('that a forked child unmaps are not freed', () => {
    const { setting, exit } = attempt(function* (p, c) {
      const page = yield* c.share();
      yield* p.store64(page, 77);
      yield* p.fork(function* (q) {
        yield* q.munmap(page, 4096);
      });
      yield* p.wait();
      if ((yield* p.load64(page)) !== 77) throw new Error('gone');
      yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page);
    });
    expect(exit).toMatchObject({ signal: 0 });
    expect(setting.rpal.instruments.log.join()).toMatch(/by a process that is not a service/);
  });

  it('that are unmapped while a thread is registered in them: SIGKILL for the process, whose end uses the freed record of the mapping', () => {
    const setting = world();
    const body = function* (p: Program, c: Control) {
      mustEnd(p, { signal: Signal.KILL });
      const page = yield* c.share();
      yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page);
      yield* p.munmap(page, 4096);
      yield* p.sleep(1e6);
    };
    expect(() => attempt(body, setting)).toThrow(/unregisters from shared pages .* \(use after free, patch 7\)/);
    expect(setting.rpal.instruments.log.join()).toMatch(/while 1 threads are registered/);
  });

  it('that are unmapped while a thread is registered in them, repaired: they stay until it unregisters', () => {
    const results: number[] = [];
    const setting = world({ repair: ['shared-page-kill'] });
    attempt(function* (p, c) {
      const { frames } = p.context.thread.memory.manager;
      const page = yield* c.share();
      yield* p.store8(page, 1);
      const mapped = frames.inUse;
      yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page);
      yield* p.munmap(page, 4096);
      results.push(mapped - frames.inUse);
      yield* c.ioctl(RpalIoctl.UNREGISTER_SENDER);
      results.push(mapped - frames.inUse);
    }, setting);
    expect(results).toEqual([0, 1]);
  });
});
