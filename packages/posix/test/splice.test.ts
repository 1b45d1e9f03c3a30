import { type Program, Time } from '@rpal/kernel';
import { Errno, Fcntl, Poll, Signal, SocketOption, SocketType, SPLICE_F_NONBLOCK } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { bytes, ends, hear, run, say } from './support.js';

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

  it('keep the file that they move data to, whatever becomes of its descriptor', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(0x1_0000);
      const source = yield* p.pipe();
      yield* p.write(p.second, buffer, 1);
      const from = yield* p.pipe();
      const to = p.second;
      expect(yield* p.write(to, buffer, 0x1_0000)).toBe(0x1_0000);
      let moved = 0;
      yield* p.clone(function* (t) {
        moved = yield* t.splice(source, to, 1);
      });
      yield* p.sleep(Time.ms);
      yield* p.close(to);
      yield* p.store32(buffer, from);
      yield* p.store32(buffer + 4, Poll.IN);
      yield* p.poll(buffer, 1, 0);
      expect((yield* p.load32(buffer + 4)) >>> 16, 'there is a writer yet').toBe(Poll.IN);
      expect(yield* p.read(from, buffer, 0x1_0000)).toBe(0x1_0000);
      expect([yield* p.read(from, buffer, 10), moved, yield* p.read(from, buffer, 10)]).toEqual([1, 1, 0]);
    });
  });

  it('refuse unknown flags, what is no pipe, and segments that are not the caller’s', () => {
    run(function* (p) {
      const [from, to] = yield* pipe(p);
      const page = yield* p.allocate(4096);
      const unknown = 0x10;
      expect([
        yield* p.splice(from, to, 1, unknown),
        yield* p.splice(99, 98, 0, unknown),
        yield* p.tee(from, to, 1, unknown),
        yield* p.vmsplice(to, page, 1, unknown),
        yield* p.vmsplice(yield* p.memfd('x'), page, 1),
        yield* p.vmsplice(to, page, -1),
        yield* p.vmsplice(to, -4096, 1),
        yield* p.splice(from, to, 1),
      ]).toEqual([-Errno.EINVAL, 0, -Errno.EINVAL, -Errno.EINVAL, -Errno.EBADF, -Errno.EINVAL, -Errno.EFAULT, -Errno.EINVAL]);
    });
  });
});
