import { PAGE_SIZE } from '@rpal/hw-x86';
import { executable, type Program } from '@rpal/kernel';
import { Errno, FallocateMode, Fcntl, FileLock, FileMode, Flock, MapFlag, OpenFlag, Prot, Seek, Signal, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { readStat, type Stat } from '../src/index.js';
import { hear, run, say, textAt } from './support.js';

const { CREAT, RDWR, RDONLY, WRONLY, NONBLOCK, TRUNC } = OpenFlag;
const TIB = 2 ** 40;

/** What stat says of a path. */
function* statOf(p: Program, path: string): Generator<void, Stat> {
  const at = yield* p.allocate(4096);
  expect(yield* p.stat(path, at)).toBe(0);
  const bytes = new Uint8Array(144);
  yield* p.loadBytes(at, bytes);
  return readStat(bytes);
}

/** A `struct flock` at `at`. */
function* lockAt(p: Program, at: number, type: number, start: number, length: number): Generator<void, number> {
  yield* p.store64(at, type);
  yield* p.store64(at + 8, start);
  yield* p.store64(at + 16, length);
  yield* p.store64(at + 24, 0);
  return at;
}

describe('a file', () => {
  it('is sparse: bytes a tebibyte apart take two pages, and a hole gives memory back', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const fd = yield* p.open('/tmp/big', RDWR | CREAT, 0o600);
      yield* say(p, fd, at, 'first');
      expect(yield* p.pwrite(fd, at, 5, TIB - 5)).toBe(5);
      expect(yield* statOf(p, '/tmp/big')).toMatchObject({ size: TIB, blocks: 16 });
      expect([yield* p.lseek(fd, 0, Seek.HOLE), yield* p.lseek(fd, PAGE_SIZE, Seek.DATA)]).toEqual([PAGE_SIZE, TIB - PAGE_SIZE]);
      expect(yield* p.fallocate(fd, FallocateMode.PUNCH_HOLE | FallocateMode.KEEP_SIZE, 0, PAGE_SIZE)).toBe(0);
      expect(yield* statOf(p, '/tmp/big')).toMatchObject({ size: TIB, blocks: 8 });
      expect(yield* p.lseek(fd, TIB, Seek.DATA)).toBe(-Errno.ENXIO);
    });
  });

  it('is allocated by fallocate without becoming data, and no further than memory goes', () => {
    run(function* (p) {
      const fd = yield* p.open('/tmp/a', RDWR | CREAT, 0o600);
      expect(yield* p.fallocate(fd, 0, 0, 10 * PAGE_SIZE)).toBe(0);
      expect(yield* statOf(p, '/tmp/a')).toMatchObject({ size: 10 * PAGE_SIZE, blocks: 80 });
      expect(yield* p.lseek(fd, 0, Seek.DATA)).toBe(-Errno.ENXIO);
      expect(yield* p.fallocate(fd, 0, 0, TIB)).toBe(-Errno.ENOSPC);
      expect(yield* statOf(p, '/tmp/a')).toMatchObject({ size: 10 * PAGE_SIZE, blocks: 80 });
    });
  });

  it('is the same memory to those who map it and those who read it', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const fd = yield* p.open('/tmp/m', RDWR | CREAT, 0o600);
      yield* p.ftruncate(fd, PAGE_SIZE);
      const map = yield* p.mmap(0, PAGE_SIZE, Prot.READ | Prot.WRITE, MapFlag.SHARED, fd);
      yield* p.store64(map, 0x6969);
      expect(yield* hear(p, fd, at, 2)).toBe('ii');
      yield* p.unlink('/tmp/m');
      yield* p.close(fd);
      expect(yield* p.load16(map), 'a mapping outlives the name and the descriptor').toBe(0x6969);
    });
  });

  it('is executed if a program is in it', () => {
    const other = executable('other', function* (p) {
      yield* p.exit(0);
    });
    run(
      function* (p) {
        const at = yield* p.allocate(4096);
        yield* p.stat('/bin/other', at);
        expect(yield* p.access('/bin/other', 1)).toBe(0);
      },
      { files: [{ path: '/bin/other', mode: 0o755, image: other }] },
    );
  });
});

describe('a FIFO', () => {
  it('is opened when both ends are, and carries bytes as a pipe does', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      yield* p.mknod('/tmp/fifo', FileMode.FIFO | 0o600);
      expect(yield* p.open('/tmp/fifo', WRONLY | NONBLOCK), 'nobody reads').toBe(-Errno.ENXIO);
      yield* p.fork(function* (q) {
        yield* q.sleep(1e6);
        const fd = yield* q.open('/tmp/fifo', WRONLY);
        yield* say(q, fd, at, 'hello');
      });
      const before = p.rdtsc();
      const fd = yield* p.open('/tmp/fifo', RDONLY);
      expect(p.rdtsc() - before, 'it waited for the writer').toBeGreaterThan(1e6);
      expect(yield* hear(p, fd, at)).toBe('hello');
      yield* p.wait();
      expect(yield* hear(p, fd, at), 'the end, once no writer is left').toBe('');
    });
  });

  it('whose opening is interrupted is as if it had not been tried', () => {
    run(function* (p) {
      yield* p.mknod('/tmp/fifo', FileMode.FIFO | 0o600);
      yield* p.sigaction(Signal.USR1, function* () {});
      const self = yield* p.getpid();
      yield* p.fork(function* (q) {
        yield* q.sleep(1e6);
        yield* q.kill(self, Signal.USR1);
      });
      expect(yield* p.open('/tmp/fifo', RDONLY)).toBe(-Errno.EINTR);
      expect(yield* p.open('/tmp/fifo', WRONLY | NONBLOCK), 'nobody reads').toBe(-Errno.ENXIO);
      yield* p.wait();
    });
  });
});

describe('locks', () => {
  it('of ranges make others wait until they go', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const fd = yield* p.open('/tmp/l', RDWR | CREAT, 0o600);
      expect(yield* p.fcntl(fd, Fcntl.SETLK, yield* lockAt(p, at, FileLock.WRLCK, 0, 10))).toBe(0);
      yield* p.fork(function* (q) {
        const other = yield* q.open('/tmp/l', RDWR);
        expect(yield* q.fcntl(other, Fcntl.SETLK, yield* lockAt(q, at, FileLock.RDLCK, 9, 1))).toBe(-Errno.EAGAIN);
        expect(yield* q.fcntl(other, Fcntl.SETLK, yield* lockAt(q, at, FileLock.RDLCK, 10, 1))).toBe(0);
        const before = q.rdtsc();
        expect(yield* q.fcntl(other, Fcntl.SETLKW, yield* lockAt(q, at, FileLock.RDLCK, 0, 1))).toBe(0);
        expect(q.rdtsc() - before).toBeGreaterThan(1e6);
      });
      yield* p.sleep(1e6);
      // Closing any descriptor of the file gives all locks of the process up.
      yield* p.close(yield* p.open('/tmp/l', RDONLY));
      yield* p.wait();
    });
  });

  it('that two processes want of each other are a deadlock for the second', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const fd = yield* p.open('/tmp/l', RDWR | CREAT, 0o600);
      expect(yield* p.fcntl(fd, Fcntl.SETLK, yield* lockAt(p, at, FileLock.WRLCK, 0, 1))).toBe(0);
      yield* p.fork(function* (q) {
        expect(yield* q.fcntl(fd, Fcntl.SETLK, yield* lockAt(q, at, FileLock.WRLCK, 1, 1))).toBe(0);
        expect(yield* q.fcntl(fd, Fcntl.SETLKW, yield* lockAt(q, at, FileLock.WRLCK, 0, 1))).toBe(0);
      });
      yield* p.sleep(1e6);
      expect(yield* p.fcntl(fd, Fcntl.SETLKW, yield* lockAt(p, at, FileLock.WRLCK, 1, 1))).toBe(-Errno.EDEADLK);
      yield* p.fcntl(fd, Fcntl.SETLK, yield* lockAt(p, at, FileLock.UNLCK, 0, 0));
      yield* p.wait();
    });
  });

  it('of whole files belong to the open file, and go with its last descriptor', () => {
    run(function* (p) {
      const one = yield* p.open('/tmp/l', RDWR | CREAT, 0o600);
      const two = yield* p.open('/tmp/l', RDWR);
      const copy = yield* p.dup(one);
      expect([yield* p.flock(one, Flock.EX), yield* p.flock(copy, Flock.EX | Flock.NONBLOCK)]).toEqual([0, 0]);
      expect(yield* p.flock(two, Flock.SH | Flock.NONBLOCK)).toBe(-Errno.EAGAIN);
      yield* p.close(one);
      expect(yield* p.flock(two, Flock.SH | Flock.NONBLOCK)).toBe(-Errno.EAGAIN);
      yield* p.close(copy);
      expect(yield* p.flock(two, Flock.SH | Flock.NONBLOCK)).toBe(0);
    });
  });
});

describe('a socket bound to a path', () => {
  it('is a file: found by any path to it, gone with its name, and refusing once closed', () => {
    run(function* (p) {
      const listener = yield* p.socket(SocketType.STREAM);
      expect(yield* p.bind(listener, '/tmp/socket')).toBe(0);
      expect((yield* statOf(p, '/tmp/socket')).mode & FileMode.TYPE).toBe(FileMode.SOCKET);
      yield* p.listen(listener, 1);
      yield* p.rename('/tmp/socket', '/tmp/moved');
      const client = yield* p.socket(SocketType.STREAM);
      expect(yield* p.connect(client, '/tmp/socket')).toBe(-Errno.ENOENT);
      expect(yield* p.connect(client, 'tmp/../tmp/moved')).toBe(0);
      expect(yield* p.bind(yield* p.socket(SocketType.STREAM), '/tmp/moved')).toBe(-Errno.EADDRINUSE);
      expect(yield* p.open('/tmp/moved', RDONLY)).toBe(-Errno.ENXIO);
      expect(yield* p.connect(yield* p.socket(SocketType.STREAM), '/dev/null')).toBe(-Errno.ECONNREFUSED);
      yield* p.close(listener);
      expect(yield* p.connect(yield* p.socket(SocketType.STREAM), '/tmp/moved')).toBe(-Errno.ECONNREFUSED);
      yield* p.unlink('/tmp/moved');
      expect(yield* p.bind(yield* p.socket(SocketType.STREAM), '/tmp/moved')).toBe(0);
    });
  });
});

describe('a device', () => {
  it('gives and takes as its name says', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      yield* p.memset(at, 1, 4096);
      const [none, zero, full, random] = [
        yield* p.open('/dev/null', RDWR),
        yield* p.open('/dev/zero', RDWR),
        yield* p.open('/dev/full', RDWR),
        yield* p.open('/dev/urandom', RDONLY),
      ];
      expect([yield* p.read(none, at, 8), yield* p.write(none, at, 8)]).toEqual([0, 8]);
      expect([yield* p.read(zero, at, 8), yield* p.load64(at), yield* p.load8(at + 8)]).toEqual([8, 0, 1]);
      expect([yield* p.write(zero, at, 8), yield* p.write(full, at, 8)]).toEqual([8, -Errno.ENOSPC]);
      expect(yield* p.read(random, at, 8)).toBe(8);
      expect(yield* textAt(p, at, 8)).not.toBe('\0'.repeat(8));
      expect(yield* p.open('/dev/null', RDWR | TRUNC)).toBeGreaterThan(0);
    });
  });
});
