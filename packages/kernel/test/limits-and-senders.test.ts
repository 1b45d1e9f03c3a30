import { EpollIoctl, Errno, OpenFlag, Rlimit, Signal, SignalMask, SocketOption, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { createMachine, type MessageHeader, type Program, Time } from '../src/index.js';
import { ends, run } from './support.js';

const { USR1, USR2, CHLD } = Signal;
const bit = (signal: number) => 1 << (signal - 1);

describe('a signal for a process of several threads', () => {
  it('kills them all at once, before a signal file can take it', () => {
    run(
      ends({ signal: USR2 }, function* (p) {
        const buffer = yield* p.allocate(4096);
        yield* p.clone(function* (q) {
          yield* q.read(yield* q.signalfd(bit(USR2)), buffer, 128);
        });
        const self = yield* p.getpid();
        yield* p.sleep(Time.ms);
        yield* p.kill(self, USR2);
        yield* p.sleep(Time.s);
      }),
    );
  });

  it('SIGCHLD asks the thread that forked the child, others ask the first thread', () => {
    run(function* (p) {
      const seen: string[] = [];
      const note = (name: string) =>
        function* (q: Program, signal: number) {
          seen.push(`${name} ${signal} ${(yield* q.gettid()) === (yield* q.getpid()) ? 'first' : 'second'}`);
        };
      yield* p.sigaction(CHLD, note('chld'));
      yield* p.sigaction(USR1, note('usr1'));
      yield* p.clone(function* (q) {
        yield* q.fork(function* (child) {
          yield* child.sleep(Time.ms);
        });
        yield* q.sleep(5 * Time.ms);
        yield* q.sleep(20 * Time.ms);
      });
      yield* p.sleep(10 * Time.ms);
      yield* p.kill(yield* p.getpid(), USR1);
      yield* p.sleep(10 * Time.ms);
      // Where the first thread blocks it, it is for the second.
      yield* p.sigprocmask(SignalMask.BLOCK, bit(USR1));
      yield* p.kill(yield* p.getpid(), USR1);
      yield* p.sleep(Time.ms);
      expect(seen).toEqual([`chld ${CHLD} second`, `usr1 ${USR1} first`, `usr1 ${USR1} second`]);
    });
  });
});

describe('SO_PASSCRED', () => {
  it('tells who sent a message, keeps apart what different processes sent, and gives the socket a name', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const a = yield* p.socketpair(SocketType.STREAM | OpenFlag.NONBLOCK);
      const b = p.second;
      const take = function* () {
        const header: MessageHeader = { segments: [{ address: buffer, length: 100 }] };
        const n = yield* p.recvmsg(a, header);
        return [n, header.credentials?.pid ?? -1, header.credentials?.uid ?? -1];
      };
      yield* p.write(b, buffer, 1);
      expect(yield* take(), 'nobody asked').toEqual([1, -1, -1]);
      yield* p.write(b, buffer, 2);
      yield* p.setsockopt(a, SocketOption.PASSCRED, 1);
      const self = yield* p.getpid();
      yield* p.write(b, buffer, 3);
      yield* p.write(b, buffer, 4);
      const child = yield* p.fork(function* (q) {
        yield* q.write(b, buffer, 5);
      });
      yield* p.wait();
      expect(yield* take(), 'sent before anybody asked').toEqual([2, 0, 65_534]);
      expect(yield* take(), 'two messages of one sender').toEqual([7, self, 0]);
      expect(yield* take()).toEqual([5, child, 0]);
      const datagrams = yield* p.socket(SocketType.DGRAM);
      yield* p.setsockopt(datagrams, SocketOption.PASSCRED, 1);
      expect(yield* p.connect(datagrams, '\0nobody')).toBe(-Errno.ECONNREFUSED);
      expect(yield* p.bind(datagrams, '\0mine'), 'it was given a name').toBe(-Errno.EINVAL);
    });
  });
});

describe('SCM_CREDENTIALS', () => {
  // What Linux 6.18 answers to the same calls.
  it.each([
    ['stream', SocketType.STREAM],
    ['datagram', SocketType.DGRAM],
  ])('says of a %s message what its sender says, which is not checked for root beyond that it could be true', (_, type) => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const segments = [{ address: buffer, length: 1 }];
      const a = yield* p.socketpair(type);
      const b = p.second;
      const send = function* (pid: number, uid: number, gid: number) {
        return yield* p.sendmsg(b, { segments, credentials: { pid, uid, gid } });
      };
      const take = function* () {
        const header: MessageHeader = { segments };
        yield* p.recvmsg(a, header);
        return header.credentials;
      };
      const self = yield* p.getpid();
      const child = yield* p.fork(function* (q) {
        yield* q.sleep(Time.ms);
      });
      expect(yield* send(child, 5, 6)).toBe(1);
      yield* p.setsockopt(a, SocketOption.PASSCRED, 1);
      expect(yield* take(), 'sent before anybody asked').toEqual({ pid: child, uid: 5, gid: 6 });
      expect([yield* send(4_000_000, 0, 0), yield* send(0, 0, 0), yield* send(self, -1, 0)]).toEqual([
        -Errno.ESRCH,
        -Errno.ESRCH,
        -Errno.EINVAL,
      ]);
      yield* p.setuid(1000);
      expect(yield* send(self, 1000, 0)).toBe(1);
      expect(yield* take()).toEqual({ pid: self, uid: 1000, gid: 0 });
      for (const [pid, uid, gid] of [
        [child, 1000, 0],
        [4_000_000, 1000, 0],
        [self, 5, 0],
        [self, 1000, 78],
      ] as const) {
        expect(yield* send(pid, uid, gid)).toBe(-Errno.EPERM);
      }
    });
  });
});

describe('RLIMIT_SIGPENDING', () => {
  it('is for what the processes of a user have in their queues together; sigqueue fails, kill loses the value', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const RT = Signal.RTMIN + 2;
      const values: number[] = [];
      yield* p.sigaction(RT, function* (q, _signal, value) {
        values.push(value);
        yield* q.getpid();
      });
      yield* p.sigprocmask(SignalMask.BLOCK, ~bit(CHLD), -1);
      const usual = yield* p.prlimit(Rlimit.SIGPENDING, 3);
      expect(usual).toBeGreaterThan(1000);
      const child = yield* p.fork(
        ends({ signal: Signal.KILL }, function* (q) {
          yield* q.sleep(Time.s);
        }),
      );
      yield* p.sleep(Time.ms);
      expect([yield* p.sigqueue(child, RT, 1), yield* p.sigqueue(self, RT, 2), yield* p.sigqueue(self, RT, 3)]).toEqual([0, 0, 0]);
      expect(yield* p.sigqueue(self, RT, 4), 'the queues are full').toBe(-Errno.EAGAIN);
      expect(yield* p.kill(self, RT + 1), 'without a value there is room for one').toBe(0);
      expect(yield* p.sigqueue(self, Signal.USR1, 5), 'ordinary ones are pending or not').toBe(0);
      expect([((yield* p.sigpending()) & bit(USR1)) !== 0, p.second]).toEqual([true, 6]);
      // What the child had in its queue is gone with it.
      yield* p.kill(child, Signal.KILL);
      yield* p.wait();
      expect(yield* p.sigqueue(self, RT, 6)).toBe(0);
      yield* p.sigaction(RT + 1, 'ignore');
      yield* p.sigaction(USR1, 'ignore');
      yield* p.sigprocmask(SignalMask.SETMASK, 0, 0);
      yield* p.sleep(Time.ms);
      expect(values).toEqual([2, 3, 6]);
      expect(yield* p.prlimit(Rlimit.SIGPENDING)).toBe(3);
      expect(yield* p.prlimit(99)).toBe(-Errno.EINVAL);
      expect(yield* p.prlimit(Rlimit.NOFILE, 3)).toBe(1024);
      expect(yield* p.socket(SocketType.STREAM)).toBeGreaterThanOrEqual(0);
    });
  });
});

describe('the limit on descriptors', () => {
  it('is 1024, or what the machine was built with, for what the host spawns and its children', () => {
    const fill = (limit: number) =>
      function* (p: Program): Generator<void, void> {
        expect(yield* p.prlimit(Rlimit.NOFILE)).toBe(limit);
        let last = 0;
        for (let fd = 0; fd >= 0; ) {
          fd = yield* p.eventfd();
          if (fd >= 0) last = fd;
          else expect(fd).toBe(-Errno.EMFILE);
        }
        expect(last).toBe(limit - 1);
      };
    run(fill(1024));
    run({ nofile: 3000 }, function* (p) {
      yield* p.fork(fill(3000));
      yield* p.wait();
    });
    run({ nofile: 0 }, function* (p) {
      expect(yield* p.eventfd()).toBe(-Errno.EMFILE);
    });
  });

  it.each([-1, 1.5, 2 ** 20 + 1, Number.NaN])('is not %d', (nofile) => {
    expect(() => createMachine({ nofile })).toThrow(`nofile: ${nofile} is not a whole number from 0 to 1048576`);
  });
});

describe('busy polling', () => {
  it('has parameters that are kept, and does nothing for Unix sockets', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const epoll = yield* p.epollCreate();
      const set = function* (microseconds: number, rest: number) {
        yield* p.store32(buffer, microseconds);
        yield* p.store32(buffer + 4, rest);
        return yield* p.ioctl(epoll, EpollIoctl.SPARAMS, buffer);
      };
      expect(yield* set(50, 0x1_0008)).toBe(0);
      yield* p.store64(buffer, 0);
      expect([yield* p.ioctl(epoll, EpollIoctl.GPARAMS, buffer), yield* p.load32(buffer), yield* p.load32(buffer + 4)]).toEqual([
        0, 50, 0x1_0008,
      ]);
      expect(yield* set(50, 0x100_0000), 'the unused byte').toBe(-Errno.EINVAL);
      expect(yield* set(50, 0x2_0000), 'a preference of 2').toBe(-Errno.EINVAL);
      expect(yield* set(0x8000_0000, 0), 'a negative time').toBe(-Errno.EINVAL);
      expect(yield* p.ioctl(epoll, EpollIoctl.SPARAMS, 8)).toBe(-Errno.EFAULT);
      expect(yield* p.ioctl(epoll, 0x1234, 0)).toBe(-Errno.EINVAL);
      expect(yield* set(1, 65), 'root may ask for more packets than 64').toBe(0);
      yield* p.setuid(1000);
      expect([yield* set(1, 65), yield* set(1, 64)]).toEqual([-Errno.EPERM, 0]);
      expect(yield* p.epollWait(epoll, buffer, 1, 1)).toBe(0);
    });
  });
});
