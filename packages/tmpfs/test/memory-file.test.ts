import { Errno, MapFlag, OpenFlag, Prot, Seek } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { readStat } from '../src/index.js';
import { run } from './support.js';

const { RDONLY, WRONLY, RDWR } = OpenFlag;
const PAGE = 4096;
const OWN = MapFlag.PRIVATE | MapFlag.ANONYMOUS;

describe('/proc/PID/mem', () => {
  it('has the memory of a process at its addresses, as it is now, across pages and for both ways', () => {
    run(function* (p) {
      const at = yield* p.allocate(4 * PAGE);
      yield* p.store64(at + PAGE - 4, 0x1122_3344);
      let told = false;
      const child = yield* p.fork(function* (q) {
        yield* q.store64(at + PAGE - 4, 0x5566_7788);
        while (!told) yield* q.sleep(1e5);
        expect(yield* q.load64(at)).toBe(0x99);
      });
      yield* p.sleep(1e6);
      const fd = yield* p.open(`/proc/${child}/mem`, RDWR);
      expect(yield* p.pread(fd, at + 2 * PAGE, 8, at + PAGE - 4)).toBe(8);
      expect(yield* p.load64(at + 2 * PAGE)).toBe(0x5566_7788);
      expect(yield* p.load64(at + PAGE - 4)).toBe(0x1122_3344);
      yield* p.store64(at + 2 * PAGE, 0x99);
      expect(yield* p.pwrite(fd, at + 2 * PAGE, 8, at)).toBe(8);
      told = true;
      yield* p.wait();
      // It does not keep the memory of a process that has ended.
      expect([yield* p.pread(fd, at, 8, at), yield* p.pwrite(fd, at, 8, at)]).toEqual([0, 0]);
      expect(yield* p.open(`/proc/${child}/mem`, RDONLY)).toBe(-Errno.ENOENT);
    });
  });

  it('comes to the same as on Linux 6.18 at its edges', () => {
    run(function* (p) {
      const at = yield* p.mmap(0, 3 * PAGE, Prot.READ | Prot.WRITE, OWN);
      yield* p.memset(at, 67, 3 * PAGE);
      yield* p.munmap(at + PAGE, PAGE);
      const into = yield* p.allocate(3 * PAGE);
      const fd = yield* p.open('/proc/self/mem', RDWR);
      // Up to what is not there; and nothing, if it begins there.
      expect(yield* p.pread(fd, into, 2 * PAGE, at)).toBe(PAGE);
      expect(yield* p.pread(fd, into, 4, at + PAGE)).toBe(-Errno.EIO);
      expect(yield* p.pread(fd, into, 4, 0)).toBe(-Errno.EIO);
      expect(yield* p.pwrite(fd, into, 2, 0)).toBe(-Errno.EIO);
      expect(yield* p.pread(fd, into, 0, 0)).toBe(0);
      expect(yield* p.pread(fd, 0, 4, at)).toBe(-Errno.EFAULT);
      expect(yield* p.lseek(fd, 0, Seek.END)).toBe(-Errno.EINVAL);
      expect(yield* p.lseek(fd, at, Seek.SET)).toBe(at);
      expect(yield* p.lseek(fd, 4, Seek.CUR)).toBe(at + 4);
      expect(yield* p.read(fd, into, 2)).toBe(2);
      expect(yield* p.lseek(fd, 0, Seek.CUR)).toBe(at + 6);
      const stat = yield* p.allocate(PAGE);
      yield* p.fstat(fd, stat);
      const bytes = new Uint8Array(144);
      yield* p.loadBytes(stat, bytes);
      expect(readStat(bytes)).toMatchObject({ mode: 0o100600, size: 0 });
    });
  });

  it('is opened by who may trace the process, and neither way but that of the descriptor', () => {
    run(function* (p) {
      const at = yield* p.allocate(PAGE);
      const [reads, writes] = [yield* p.open('/proc/self/mem', RDONLY), yield* p.open('/proc/self/mem', WRONLY)];
      expect(yield* p.pwrite(reads, at, 1, at)).toBe(-Errno.EBADF);
      expect(yield* p.pread(writes, at, 1, at)).toBe(-Errno.EBADF);
      const zombie = yield* p.fork(function* () {});
      yield* p.sleep(1e6);
      expect(yield* p.open(`/proc/${zombie}/mem`, RDONLY)).toBe(-Errno.ESRCH);
      yield* p.wait();
    });
  });
});
