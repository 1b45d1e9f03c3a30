import { Time } from '@rpal/kernel';
import { Epoll, Errno, LinuxCall, Poll, Signal, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MEMORY, NOWHERE, peek, poke, sameAsLinux } from './real/same-as-linux.js';
import { run, waitsUnderItsMask } from './support.js';

const { getsockopt, epoll_pwait, getsockname, getpeername } = LinuxCall;
const PEERCRED = 17;

describe('Sockets', () => {
  it('have a name and a peer with a name, written as far as there is room', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const name = function* (call: number, fd: number, room = 100) {
        yield* p.store32(at, room);
        const result = yield* p.syscall(call, fd, at + 64, at);
        if (result < 0) return result;
        const text = new Uint8Array(Math.max(0, (yield* p.load32(at)) - 2));
        if (text.length > 0) yield* p.loadBytes(at + 66, text);
        return new TextDecoder().decode(text);
      };
      const listener = yield* p.socket(SocketType.STREAM);
      yield* p.bind(listener, '/tmp/socket');
      yield* p.listen(listener, 5);
      const client = yield* p.socket(SocketType.STREAM);
      expect(yield* name(getpeername, client)).toBe(-Errno.ENOTCONN);
      yield* p.connect(client, '/tmp/socket');
      expect([yield* name(getsockname, client), yield* name(getpeername, client)]).toEqual(['', '/tmp/socket\0']);
      expect([yield* name(getsockname, listener, -1), yield* name(getsockname, 77)]).toEqual([-Errno.EINVAL, -Errno.EBADF]);
      expect(yield* name(getsockname, yield* p.accept(listener))).toBe('/tmp/socket\0');
      yield* p.store32(at, UCRED);
      expect(yield* p.syscall(getsockopt, client, 1, PEERCRED, at + 64, at)).toBe(0);
      expect([yield* p.load32(at + 64), yield* p.load32(at + 68)]).toEqual([yield* p.getpid(), 0]);
    });
  });

  it('tell of a pair that they are connected, of themselves what kind they are, and of nobody that he is nobody', () => {
    sameAsLinux(poke(MEMORY, 12), ['getsockopt', 0x7fff, 1, 17, MEMORY + 64, MEMORY], ['getsockname', 0x7fff, MEMORY, MEMORY]);
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const single = yield* p.socket(SocketType.DGRAM);
      yield* p.store32(at, UCRED);
      yield* p.syscall(getsockopt, single, 1, PEERCRED, at + 64, at);
      expect([yield* p.load32(at + 64), (yield* p.load32(at + 68)) | 0, (yield* p.load32(at + 72)) | 0]).toEqual([0, -1, -1]);
      const one = yield* p.socketpair(SocketType.STREAM);
      for (const fd of [one, p.second]) {
        yield* p.store32(at, UCRED);
        yield* p.syscall(getsockopt, fd, 1, PEERCRED, at + 64, at);
        expect(yield* p.load32(at + 64)).toBe(yield* p.getpid());
      }
      expect(yield* p.getsockopt(one, 39)).toBe(1);
    });
  });
});

const UCRED = 12;

describe('epoll_create and epoll_pwait', () => {
  it('wait under a mask: a signal that it lets in ends the wait, and afterwards it is as before', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const epoll = yield* p.syscall(LinuxCall.epoll_create, 1);
      const end = yield* p.pipe();
      yield* p.epollCtl(epoll, Epoll.CTL_ADD, end, Poll.IN);
      yield* p.store64(at, 0);
      yield* waitsUnderItsMask(p, () => p.syscall(epoll_pwait, epoll, at + 64, 1, -1, at, 8));
      expect(yield* p.syscall(epoll_pwait, epoll, at + 64, 1, 1, at, 8)).toBe(0);
      expect(yield* p.sigprocmask(0, 0)).toBe(1 << (Signal.USR1 - 1));
    });
  });

  it('refuse what Linux refuses', () => {
    sameAsLinux(
      ['epoll_create', 0],
      ['epoll_create', -1],
      ['epoll_pwait', 0x7fff, MEMORY, 1, 0, 0, 0],
      ['epoll_pwait', 0x7fff, MEMORY, 0, 0, 0, 0],
      ['epoll_pwait', 0x7fff, MEMORY, 1, 0, MEMORY, 4],
      ['epoll_pwait', 0x7fff, MEMORY, 1, 0, NOWHERE, 8],
      peek(MEMORY, 4),
    );
  });
});

describe('vfork', () => {
  it('lets the parent go on when the child has ended', () => {
    run(function* (p) {
      let ended = false;
      const child = yield* p.vfork(function* (q) {
        yield* q.sleep(3 * Time.ms);
        ended = true;
      });
      expect([child > 0, ended]).toEqual([true, true]);
      expect(yield* p.wait()).toBe(child);
    });
  });
});
