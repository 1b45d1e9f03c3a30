import { Epoll, Errno, MapFlag, OpenFlag, Poll, Prot, Seek, Signal, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { posix } from '../../posix/src/index.js';
import { type Program, Time } from '../src/index.js';
import { bytes, ends, hear, run, say, textAt } from './support.js';

function* pipe(p: Program, flags = 0): Generator<void, [number, number]> {
  const from = yield* p.pipe(flags);
  return [from, p.second];
}

describe('readv and writev', () => {
  it.each(['pipe', 'socket'])('gather and scatter as one call on a %s', (kind) => {
    run(function* (p) {
      const buffer = yield* p.allocate(8192);
      const from = kind === 'pipe' ? yield* p.pipe() : yield* p.socketpair(SocketType.DGRAM);
      const to = p.second;
      yield* p.storeBytes(buffer, bytes('..one...two'));
      const out = [
        { address: buffer + 2, length: 3 },
        { address: buffer + 8, length: 3 },
      ];
      expect(yield* p.writev(to, out)).toBe(6);
      const into = [
        { address: buffer + 100, length: 2 },
        { address: buffer + 200, length: 100 },
      ];
      expect(yield* p.readv(from, into)).toBe(6);
      expect([yield* textAt(p, buffer + 100, 2), yield* textAt(p, buffer + 200, 4)]).toEqual(['on', 'etwo']);
    });
  });
});

describe('memory as files', () => {
  it('is read, written, grown and mapped alike by all who have it', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(8192);
      const fd = yield* p.memfd('data');
      expect(yield* p.ftruncate(fd, 8192)).toBe(0);
      const memory = yield* p.mmap(0, 8192, Prot.READ | Prot.WRITE, MapFlag.SHARED, fd);
      yield* p.storeBytes(memory + 4090, bytes('across the page'));
      expect(yield* p.pread(fd, buffer, 15, 4090)).toBe(15);
      expect(yield* textAt(p, buffer, 15)).toBe('across the page');
      expect(yield* p.lseek(fd, 0, Seek.END)).toBe(8192);
      expect(yield* say(p, fd, buffer, 'tail')).toBe(4);
      expect(yield* p.lseek(fd, -4, Seek.CUR)).toBe(8192);
      expect([yield* hear(p, fd, buffer), yield* hear(p, fd, buffer)]).toEqual(['tail', '']);
      const child = yield* p.fork(function* (q) {
        yield* q.storeBytes(memory, bytes('child'));
      });
      yield* p.wait(child);
      expect(yield* textAt(p, memory, 5)).toBe('child');
      expect(yield* p.epollCtl(yield* p.epollCreate(), Epoll.CTL_ADD, fd, Poll.IN)).toBe(-Errno.EPERM);
      const [from] = yield* pipe(p);
      expect([yield* p.lseek(from, 0, Seek.SET), yield* p.ftruncate(from, 0)]).toEqual([-Errno.ESPIPE, -Errno.EINVAL]);
    });
  });

  it('takes as much of a write as can be read, grows by that, and has no page that was only read', () => {
    run(function* (p) {
      const { frames } = p.context.thread.memory.manager;
      const fd = yield* p.memfd('memory');
      const at = yield* p.mmap(0, 8192, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.POPULATE);
      yield* p.munmap(at + 4096, 4096);
      const size = () => p.lseek(fd, 0, Seek.END);
      expect([yield* p.pwrite(fd, at, 8192, 0), yield* size()]).toEqual([4096, 4096]);
      expect([yield* p.pread(fd, at + 4000, 200, 0), yield* p.pwrite(fd, at + 4000, 200, 100)]).toEqual([96, 96]);
      expect([yield* p.pwrite(fd, at + 4096, 100, 50_000), yield* size()]).toEqual([-Errno.EFAULT, 50_000]);
      yield* p.ftruncate(fd, 40_960);
      const before = frames.inUse;
      expect([yield* p.pread(fd, at, 4096, 20_480), frames.inUse - before]).toEqual([4096, 0]);
      const segments = [
        { address: at, length: 10 },
        { address: at + 4090, length: 10 },
        { address: at, length: 10 },
      ];
      yield* p.lseek(fd, 0, Seek.SET);
      expect([yield* p.readv(fd, segments), yield* p.lseek(fd, 0, Seek.CUR)]).toEqual([16, 16]);
    });
  });

  it('can have a name, which others open, until it is taken away', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      expect(yield* p.open('/dev/shm/shared', OpenFlag.RDWR)).toBe(-Errno.ENOENT);
      const fd = yield* p.open('/dev/shm/shared', OpenFlag.RDWR | OpenFlag.CREAT);
      yield* say(p, fd, buffer, 'shared');
      yield* p.fork(function* (child) {
        expect(yield* hear(child, yield* child.open('/dev/shm/shared', OpenFlag.RDONLY), buffer)).toBe('shared');
      });
      yield* p.wait();
      expect(yield* p.open('/dev/shm/shared', OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.EXCL)).toBe(-Errno.EEXIST);
      expect([yield* p.unlink('/dev/shm/shared'), yield* p.open('/dev/shm/shared', 0)]).toEqual([0, -Errno.ENOENT]);
      expect(yield* p.pread(fd, buffer, 6, 0)).toBe(6);
    });
  });
});

describe('process_vm_readv and process_vm_writev', () => {
  it('copy between processes, also what the other has not touched yet', () => {
    run({ plugins: [posix()] }, function* (p) {
      const buffer = yield* p.allocate(0x4000);
      const child = yield* p.fork(function* (q) {
        yield* q.storeBytes(buffer + 4090, bytes('in the child'));
        yield* q.sleep(2 * Time.ms);
        expect(yield* textAt(q, buffer + 0x3000, 5)).toBe('hello');
      });
      yield* p.sleep(Time.ms);
      const local = [
        { address: buffer, length: 6 },
        { address: buffer + 1000, length: 100 },
      ];
      expect(yield* p.processVmReadv(child, local, [{ address: buffer + 4090, length: 12 }])).toBe(12);
      expect([yield* textAt(p, buffer, 6), yield* textAt(p, buffer + 1000, 6)]).toEqual(['in the', ' child']);
      yield* p.storeBytes(buffer, bytes('hello'));
      expect(yield* p.processVmWritev(child, [{ address: buffer, length: 5 }], [{ address: buffer + 0x3000, length: 5 }])).toBe(5);
      expect(yield* p.processVmReadv(child, local, [{ address: 0x1000, length: 5 }])).toBe(-Errno.EFAULT);
      expect(yield* p.processVmReadv(99, local, local)).toBe(-Errno.ESRCH);
      yield* p.wait();
    });
  });
});

describe('a pidfd', () => {
  it('can be polled for the end of its process, and takes signals for it', () => {
    run({ plugins: [posix()] }, function* (p) {
      const buffer = yield* p.allocate(4096);
      const child = yield* p.fork(
        ends({ signal: Signal.TERM }, function* (q) {
          yield* q.pause();
        }),
      );
      const fd = yield* p.pidfdOpen(child);
      const epfd = yield* p.epollCreate();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN);
      expect(yield* p.epollWait(epfd, buffer, 1, 1)).toBe(0);
      expect(yield* p.pidfdSendSignal(fd, Signal.TERM)).toBe(0);
      expect(yield* p.epollWait(epfd, buffer, 1, -1)).toBe(1);
      expect(yield* p.wait()).toBe(child);
      expect([yield* p.pidfdSendSignal(fd, Signal.TERM), yield* p.pidfdOpen(99), yield* p.pidfdSendSignal(epfd, 1)]).toEqual([
        -Errno.ESRCH,
        -Errno.ESRCH,
        -Errno.EBADF,
      ]);
    });
  });
});
