import { Time } from '@rpal/kernel';
import { Epoll, Errno, OpenFlag, Poll, Seek, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { ends } from '../../../scripts/testing/run.ts';
import { hear, run, textAt } from './support.js';

describe('/proc/self/fdinfo', () => {
  it('shows what an epoll watches, and how far an eventfd has counted', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const counter = yield* p.eventfd(18, OpenFlag.CLOEXEC);
      const epfd = yield* p.epollCreate();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, counter, Poll.IN | Epoll.ET, 42);
      const read = function* (fd: number) {
        const file = yield* p.open(`/proc/self/fdinfo/${fd}`, 0);
        return yield* textAt(p, buffer, yield* p.read(file, buffer, 4096));
      };
      expect(yield* read(epfd)).toBe('pos:\t0\nflags:\t02\ntfd:        0 events: 80000019 data:               2a  pos:0 ino:0 sdev:0\n');
      expect(yield* read(counter)).toBe('pos:\t0\nflags:\t02000002\neventfd-count:               12\neventfd-semaphore: 0\n');
      expect(yield* p.open('/proc/self/fdinfo/77', 0)).toBe(-Errno.ENOENT);
    });
  });
});

describe('texts of /proc/PID', () => {
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
      expect(yield* read(`/proc/${child}/status`)).toMatch(
        /^Name:\tprogram 0\nUmask:\t0022\nState:\tS \(sleeping\)\nTgid:\t2\nNgid:\t0\nPid:\t2\nPPid:\t1\n/,
      );
      expect(yield* read(`/proc/${child}/stat`)).toMatch(/^2 \(program 0\) S 1 /);
      yield* p.kill(child, Signal.KILL);
      yield* p.wait();
      expect(yield* p.open(`/proc/${child}/stat`, 0)).toBe(-Errno.ENOENT);
    });
  });
});
