import { Epoll, Errno, Fcntl, MapFlag, OpenFlag, Poll, Prot, Seek, Signal, SocketOption, SocketType, SPLICE_F_NONBLOCK } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { type Program, Time } from '../src/index.js';
import { bytes, ends, hear, run, say, textAt } from './support.js';

function* pipe(p: Program, flags = 0): Generator<void, [number, number]> {
  const from = yield* p.pipe(flags);
  return [from, p.second];
}

describe('splice, tee and vmsplice', () => {
  it('move or share what is in a pipe without copying it', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(0x2_0000);
      const [from, to] = yield* pipe(p);
      const [otherFrom, otherTo] = yield* pipe(p);
      yield* say(p, to, buffer, 'one two');
      expect(yield* p.tee(from, otherTo, 100)).toBe(7);
      expect(yield* p.splice(from, otherTo, 3)).toBe(3);
      expect(yield* hear(p, otherFrom, buffer)).toBe('one twoone');
      expect(yield* hear(p, from, buffer)).toBe(' two');
    });
  });

  it('go from a pipe to a stream socket by reference, and back', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(0x2_0000);
      const [from, to] = yield* pipe(p);
      const [otherFrom, otherTo] = yield* pipe(p);
      const a = yield* p.socketpair(SocketType.STREAM | SocketType.NONBLOCK);
      const b = p.second;
      yield* say(p, to, buffer, 'one two three');
      expect(yield* p.splice(from, a, 7)).toBe(7);
      expect(yield* hear(p, b, buffer, 4)).toBe('one ');
      expect(yield* p.splice(b, otherTo, 100), 'the rest of the message').toBe(3);
      expect(yield* hear(p, otherFrom, buffer)).toBe('two');
      expect(yield* p.splice(b, otherTo, 100), 'nothing there').toBe(-Errno.EAGAIN);
      yield* say(p, b, buffer, 'short');
      yield* say(p, b, buffer, 'er');
      expect(yield* p.splice(a, otherTo, 100), 'two messages').toBe(7);
      expect(yield* hear(p, otherFrom, buffer)).toBe('shorter');
      // What is given to a pipe and on to a socket is the page itself: later changes show.
      yield* p.storeBytes(buffer + 0x1_0000, bytes('before'));
      yield* p.vmsplice(to, buffer + 0x1_0000, 6);
      expect(yield* hear(p, from, buffer, 6)).toBe(' three');
      expect(yield* p.splice(from, a, 6)).toBe(6);
      yield* p.storeBytes(buffer + 0x1_0000, bytes('after '));
      expect(yield* hear(p, b, buffer)).toBe('after ');
      // A long message goes over page by page, as far as the pipe has room.
      yield* p.send(b, buffer, 30_000);
      expect(yield* p.fcntl(otherTo, Fcntl.SETPIPE_SZ, 4096)).toBe(4096);
      expect(yield* p.splice(a, otherTo, 30_000)).toBe(4096);
      expect(yield* p.splice(a, otherTo, 30_000, SPLICE_F_NONBLOCK), 'the pipe is full').toBe(-Errno.EAGAIN);
      yield* p.close(b);
      yield* say(p, to, buffer, 'x');
      yield* p.sigaction(Signal.PIPE, 'ignore');
      expect(yield* p.splice(from, a, 1)).toBe(-Errno.EPIPE);
      expect(yield* p.splice(a, yield* p.memfd('x'), 1), 'one must be a pipe').toBe(-Errno.EINVAL);
    });
  });

  it('wait for the socket: for data, and for room', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(0x2_0000);
      const [from, to] = yield* pipe(p);
      const a = yield* p.socketpair(SocketType.STREAM);
      const b = p.second;
      yield* p.fork(function* (child) {
        yield* child.sleep(Time.ms);
        yield* say(child, b, buffer, 'late');
        yield* child.sleep(5 * Time.ms);
        let n = 0;
        while (n < 200_000) n += yield* child.read(b, buffer, 0x1_0000);
      });
      expect(yield* p.splice(a, to, 100)).toBe(4);
      yield* hear(p, from, buffer);
      yield* p.setsockopt(a, SocketOption.SNDBUF, 30_000);
      let sent = 0;
      while (sent < 200_000) {
        yield* p.write(to, buffer, 50_000);
        while ((yield* p.ioctl(from, 0x541b, buffer)) === 0 && (yield* p.load32(buffer)) > 0) sent += yield* p.splice(from, a, 50_000);
      }
      expect(sent).toBe(200_000);
      expect(yield* p.wait()).toBeGreaterThan(0);
    });
  });

  it('take the messages of one sender together, where the socket is to say who sent them', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const a = yield* p.socketpair(SocketType.STREAM);
      const b = p.second;
      yield* p.setsockopt(b, SocketOption.PASSCRED, 1);
      const [from, to] = yield* pipe(p);
      for (const text of ['one', 'two']) yield* say(p, a, buffer, text);
      yield* p.fork(function* (child) {
        yield* say(child, a, buffer, 'three');
      });
      yield* p.wait();
      expect([yield* p.splice(b, to, 100), yield* p.splice(b, to, 100)]).toEqual([6, 5]);
      expect(yield* hear(p, from, buffer)).toBe('onetwothree');
    });
  });

  it('wait for data, or say EAGAIN; end with the pipe; break with the reader', () => {
    run(
      ends({ signal: Signal.PIPE }, function* (p) {
        const buffer = yield* p.allocate(0x2_0000);
        const [from, to] = yield* pipe(p);
        const [otherFrom, otherTo] = yield* pipe(p);
        expect(yield* p.splice(from, otherTo, 8, SPLICE_F_NONBLOCK)).toBe(-Errno.EAGAIN);
        yield* p.fork(function* (child) {
          yield* child.sleep(Time.ms);
          yield* say(child, to, buffer, 'late');
        });
        expect(yield* p.splice(from, otherTo, 8)).toBe(4);
        yield* p.wait();
        expect([yield* p.splice(from, to, 8), yield* p.splice(to, otherTo, 8), yield* p.splice(from, 99, 8)]).toEqual([
          -Errno.EINVAL,
          -Errno.EBADF,
          -Errno.EBADF,
        ]);
        yield* p.close(to);
        expect(yield* p.splice(from, otherTo, 8)).toBe(0);
        yield* p.close(otherFrom);
        yield* p.splice(from, otherTo, 8);
        throw new Error('unreachable');
      }),
    );
  });

  it('lets a pipe refer to memory that goes on changing', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(8192);
      const [from, to] = yield* pipe(p);
      yield* p.storeBytes(buffer, bytes('before'));
      expect(yield* p.vmsplice(to, buffer, 6)).toBe(6);
      yield* p.storeBytes(buffer, bytes('behind'));
      expect(yield* hear(p, from, buffer + 4096)).toBe('behind');
    });
  });
});

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
    run(function* (p) {
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
    run(function* (p) {
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

describe('/proc', () => {
  it('says of a process what it has mapped, what it does and what it is', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(0x1_0000);
      const read = function* (path: string) {
        return `${yield* hear(p, yield* p.open(path, 0), buffer, 0x1_0000)}`;
      };
      const maps = yield* read('/proc/self/maps');
      expect(maps).toMatch(/^[0-9a-f]+-[0-9a-f]+ r-xp /m);
      expect(maps).toMatch(/ rw-p .*\[stack\]$/m);
      expect(maps).toContain(`${buffer.toString(16)}-`);
      const fd = yield* p.open('/proc/self/maps', 0);
      expect([yield* hear(p, fd, buffer, 10), yield* p.pread(fd, buffer, 5, 2), yield* textAt(p, buffer, 5)]).toEqual([
        maps.slice(0, 10),
        5,
        maps.slice(2, 7),
      ]);
      expect([yield* p.lseek(fd, 2, Seek.SET), yield* hear(p, fd, buffer, 5)]).toEqual([2, maps.slice(2, 7)]);
      expect([yield* p.lseek(fd, -7, Seek.CUR), yield* hear(p, fd, buffer, 5)]).toEqual([0, maps.slice(0, 5)]);
      expect([yield* p.lseek(fd, 0, Seek.END), yield* p.lseek(fd, -1, Seek.SET)]).toEqual([-Errno.EINVAL, -Errno.EINVAL]);
      expect([yield* p.write(fd, buffer, 1), yield* p.pwrite(fd, buffer, 1, 0), yield* p.pread(fd, buffer, 5, 0x1_0000)]).toEqual([
        -Errno.EBADF,
        -Errno.ESPIPE,
        0,
      ]);
      const child = yield* p.fork(
        ends({ signal: Signal.KILL }, function* (q) {
          yield* q.pause();
        }),
      );
      yield* p.sleep(Time.ms);
      expect(yield* read(`/proc/${child}/status`)).toMatch(/^Name:\tprogram 0\nState:\tS \(sleeping\)\nTgid:\t2\nPid:\t2\nPPid:\t1\n/);
      expect(yield* read(`/proc/${child}/stat`)).toMatch(/^2 \(program 0\) S 1 /);
      yield* p.kill(child, Signal.KILL);
      yield* p.wait();
      expect(yield* p.open(`/proc/${child}/stat`, 0)).toBe(-Errno.ENOENT);
    });
  });
});
