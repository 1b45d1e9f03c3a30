import { Errno, Fcntl, MessageFlag, OpenFlag, Poll, Shutdown, Signal, SignalFlag, SocketOption, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { type Program, Time } from '../src/index.js';
import { ends, hear, run, say } from './support.js';

const { STREAM, NONBLOCK } = SocketType;

function* pair(p: Program, flags = 0): Generator<void, [number, number]> {
  const a = yield* p.socketpair(STREAM | flags);
  return [a, p.second];
}

describe('a connection', () => {
  it('is made by connect and taken by accept, in either order, and carries bytes both ways', () => {
    for (const [serverDelay, clientDelay] of [
      [0, Time.ms],
      [Time.ms, 0],
    ]) {
      const heard: (string | number)[] = [];
      run(
        function* (p) {
          const buffer = yield* p.allocate(4096);
          const listener = yield* p.socket(STREAM);
          yield* p.bind(listener, '/run/echo');
          yield* p.listen(listener, 5);
          yield* p.sleep(serverDelay as number);
          const fd = yield* p.accept(listener);
          heard.push(yield* hear(p, fd, buffer));
          yield* say(p, fd, buffer, 'pong');
        },
        function* (p) {
          const buffer = yield* p.allocate(4096);
          yield* p.sleep((clientDelay as number) + 100 * Time.us);
          const fd = yield* p.socket(STREAM);
          expect(yield* p.connect(fd, '/run/echo')).toBe(0);
          yield* say(p, fd, buffer, 'ping');
          heard.push(yield* hear(p, fd, buffer));
        },
      );
      expect(heard).toEqual(['ping', 'pong']);
    }
  });

  it('waits in the backlog: one more than its length, then connect gets EAGAIN, or waits', () => {
    const results: number[] = [];
    run(
      function* (p) {
        const listener = yield* p.socket(STREAM);
        yield* p.bind(listener, '/run/full');
        yield* p.listen(listener, 1);
        yield* p.sleep(2 * Time.ms);
        for (let i = 0; i < 3; i++) expect(yield* p.accept(listener)).toBeGreaterThan(0);
      },
      function* (p) {
        yield* p.sleep(Time.ms);
        for (let i = 0; i < 3; i++) results.push(yield* p.connect(yield* p.socket(STREAM | NONBLOCK), '/run/full'));
        const before = p.rdtsc();
        results.push(yield* p.connect(yield* p.socket(STREAM), '/run/full'));
        expect(p.rdtsc() - before).toBeGreaterThan(0.5 * Time.ms * 2.3);
      },
    );
    expect(results).toEqual([0, 0, -Errno.EAGAIN, 0]);
  });

  it('is refused with the errno that says why', () => {
    run(function* (p) {
      const fd = yield* p.socket(STREAM);
      expect(yield* p.connect(fd, '/run/none')).toBe(-Errno.ENOENT);
      const bound = yield* p.socket(STREAM);
      expect(yield* p.bind(bound, '/run/bound')).toBe(0);
      expect(yield* p.bind(bound, '/run/again')).toBe(-Errno.EINVAL);
      expect(yield* p.bind(fd, '/run/bound')).toBe(-Errno.EADDRINUSE);
      expect(yield* p.connect(fd, '/run/bound')).toBe(-Errno.ECONNREFUSED);
      expect(yield* p.accept(bound)).toBe(-Errno.EINVAL);
      expect(yield* p.listen(fd, 1)).toBe(-Errno.EINVAL);
      expect(yield* p.listen(bound, 1)).toBe(0);
      expect(yield* p.connect(bound, '/run/bound')).toBe(-Errno.EINVAL);
      expect(yield* p.connect(fd, '/run/bound')).toBe(0);
      expect(yield* p.connect(fd, '/run/bound')).toBe(-Errno.EISCONN);
      expect(yield* p.connect(99, '/run/bound')).toBe(-Errno.EBADF);
      expect(yield* p.connect(yield* p.epollCreate(), '/run/bound')).toBe(-Errno.ENOTSOCK);
      expect(yield* p.syscall(41, 2, STREAM)).toBe(-Errno.EAFNOSUPPORT);
    });
  });
});

describe('a stream', () => {
  it('has no message borders, and ends when its peer is closed', () => {
    run(function* (p) {
      const [a, b] = yield* pair(p);
      const buffer = yield* p.allocate(4096);
      yield* say(p, a, buffer, 'one');
      yield* say(p, a, buffer, 'two');
      expect(yield* hear(p, b, buffer, 4)).toBe('onet');
      yield* p.close(a);
      expect(yield* hear(p, b, buffer)).toBe('wo');
      expect(yield* hear(p, b, buffer)).toBe('');
    });
  });

  it('tells a writer that nobody reads any more: EPIPE, and SIGPIPE unless MSG_NOSIGNAL', () => {
    run(
      ends({ signal: Signal.PIPE }, function* (p) {
        const [a, b] = yield* pair(p);
        const buffer = yield* p.allocate(4096);
        yield* p.close(b);
        expect(yield* p.send(a, buffer, 1, MessageFlag.NOSIGNAL)).toBe(-Errno.EPIPE);
        yield* p.send(a, buffer, 1);
        throw new Error('unreachable');
      }),
    );
  });

  it('reports a reset if the peer was closed with unread data: once', () => {
    run(function* (p) {
      const [a, b] = yield* pair(p);
      const buffer = yield* p.allocate(4096);
      yield* say(p, a, buffer, 'unread');
      yield* p.close(b);
      expect(yield* hear(p, a, buffer)).toBe(-Errno.ECONNRESET);
      expect(yield* hear(p, a, buffer)).toBe('');
    });
  });

  it('does not wait if it is non-blocking, by flag, by fcntl or by MSG_DONTWAIT', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const [a] = yield* pair(p, NONBLOCK);
      expect(yield* p.read(a, buffer, 1)).toBe(-Errno.EAGAIN);
      const [b] = yield* pair(p);
      expect(yield* p.recv(b, buffer, 1, MessageFlag.DONTWAIT)).toBe(-Errno.EAGAIN);
      yield* p.fcntl(b, Fcntl.SETFL, OpenFlag.NONBLOCK);
      expect(yield* p.read(b, buffer, 1)).toBe(-Errno.EAGAIN);
    });
  });

  it('holds so much and no more; who writes too much waits until it is read', () => {
    run(function* (p) {
      const [a, b] = yield* pair(p, NONBLOCK);
      const buffer = yield* p.allocate(0x10_0000);
      let total = 0;
      for (let n = 0; n >= 0; total += Math.max(0, n)) n = yield* p.write(a, buffer, 10_000);
      expect(total).toBeGreaterThan(100_000);
      yield* p.fcntl(a, Fcntl.SETFL, 0);
      yield* p.fork(function* (child) {
        let got = 0;
        while (got < total + 50_000) {
          const n = yield* child.read(b, buffer, 7000);
          if (n > 0) got += n;
          else yield* child.sleep(Time.us);
        }
      });
      expect(yield* p.write(a, buffer, 50_000)).toBe(50_000);
      yield* p.wait();
    });
  });

  it.each([0, SignalFlag.RESTART])('begins a send anew after a signal if its handler says so (flags %i)', (flags) => {
    run(function* (p) {
      const self = yield* p.getpid();
      const [a, b] = yield* pair(p);
      const buffer = yield* p.allocate(0x1_0000);
      while ((yield* p.send(a, buffer, 4096, MessageFlag.DONTWAIT)) > 0);
      let handled = 0;
      yield* p.sigaction(
        Signal.USR1,
        function* (q) {
          handled += (yield* q.getpid()) > 0 ? 1 : 0;
        },
        flags,
      );
      yield* p.fork(function* (child) {
        yield* child.sleep(Time.ms);
        yield* child.kill(self, Signal.USR1);
        yield* child.sleep(Time.ms);
        while ((yield* child.recv(b, buffer, 0x1_0000, MessageFlag.DONTWAIT)) > 0);
      });
      expect(yield* p.send(a, buffer, 1000)).toBe(flags === 0 ? -Errno.EINTR : 1000);
      expect(handled).toBe(1);
      yield* p.wait();
    });
  });

  it('makes messages of half the send buffer at most', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      // As Linux 6.18 counts them with the smallest buffer, which is 4608 bytes.
      for (const [length, taken] of [
        [2000, 4000],
        [2250, 2250],
        [3750, 3750],
      ] as const) {
        const [a] = yield* pair(p);
        yield* p.setsockopt(a, SocketOption.SNDBUF, 1);
        let total = 0;
        for (let n = 1; n > 0; total += Math.max(0, n)) n = yield* p.send(a, buffer, length, MessageFlag.DONTWAIT);
        expect([length, total]).toEqual([length, taken]);
      }
    });
  });

  it('can be shut down by halves', () => {
    run(function* (p) {
      const [a, b] = yield* pair(p);
      const buffer = yield* p.allocate(4096);
      yield* say(p, a, buffer, 'last');
      expect(yield* p.shutdown(a, Shutdown.WR)).toBe(0);
      expect(yield* p.send(a, buffer, 1, MessageFlag.NOSIGNAL)).toBe(-Errno.EPIPE);
      expect(yield* hear(p, b, buffer)).toBe('last');
      expect(yield* hear(p, b, buffer)).toBe('');
      expect(yield* say(p, b, buffer, 'still')).toBe(5);
      expect(yield* hear(p, a, buffer)).toBe('still');
      expect(yield* p.shutdown(a, 7)).toBe(-Errno.EINVAL);
      expect(yield* p.shutdown(yield* p.socket(STREAM), Shutdown.WR)).toBe(0);
    });
  });

  it('can be peeked at, and waited for in full', () => {
    run(function* (p) {
      const [a, b] = yield* pair(p);
      const buffer = yield* p.allocate(4096);
      yield* say(p, a, buffer, 'abc');
      expect(yield* p.recv(b, buffer, 2, MessageFlag.PEEK)).toBe(2);
      expect(yield* hear(p, b, buffer)).toBe('abc');
      yield* p.fork(function* (child) {
        yield* say(child, a, buffer, 'first ');
        yield* child.sleep(Time.ms);
        yield* say(child, a, buffer, 'second');
      });
      expect(yield* p.recv(b, buffer, 12, MessageFlag.WAITALL)).toBe(12);
      yield* p.wait();
    });
  });

  it('wakes a reader that waits, and a bad buffer is EFAULT', () => {
    run(function* (p) {
      const [a, b] = yield* pair(p);
      const buffer = yield* p.allocate(4096);
      yield* p.fork(function* (child) {
        yield* child.sleep(Time.ms);
        yield* say(child, a, buffer, 'late');
      });
      expect(yield* hear(p, b, buffer)).toBe('late');
      yield* p.wait();
      expect(yield* p.write(a, 0x1000, 4)).toBe(-Errno.EFAULT);
      expect(Poll.IN).toBe(1);
    });
  });
});
