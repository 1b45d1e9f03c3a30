import { type Program, Time } from '@rpal/kernel';
import { Epoll, Errno, OpenFlag, Poll, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { bytes, run, textAt } from './support.js';

const { CREAT, EXCL, NONBLOCK, RDONLY, RDWR, WRONLY } = OpenFlag;

function* make(p: Program, flags = 0): Generator<void, { fd: number; buffer: number }> {
  const fd = yield* p.mqOpen('/queue', CREAT | RDWR | flags, { maxMessages: 3, messageSize: 100 });
  return { fd, buffer: yield* p.allocate(0x4000) };
}

function* send(p: Program, fd: number, buffer: number, text: string, priority = 0): Generator<void, number> {
  yield* p.storeBytes(buffer, bytes(text));
  return yield* p.mqSend(fd, buffer, text.length, priority);
}

function* receive(p: Program, fd: number, buffer: number): Generator<void, string | number> {
  const n = yield* p.mqReceive(fd, buffer, 100);
  return n < 0 ? n : `${p.second}:${yield* textAt(p, buffer, n)}`;
}

describe('a message queue', () => {
  it('gives the message of highest priority first, and of one priority the oldest', () => {
    run(function* (p) {
      const { fd, buffer } = yield* make(p);
      yield* send(p, fd, buffer, 'low', 1);
      yield* send(p, fd, buffer, 'high', 9);
      yield* send(p, fd, buffer, 'low again', 1);
      expect([yield* receive(p, fd, buffer), yield* receive(p, fd, buffer), yield* receive(p, fd, buffer)]).toEqual([
        '9:high',
        '1:low',
        '1:low again',
      ]);
    });
  });

  it('hands a message to the receiver that has waited longest: nobody can snatch it', () => {
    run(function* (p) {
      const { fd, buffer } = yield* make(p);
      const got: string[] = [];
      for (const name of ['first', 'second']) {
        yield* p.fork(function* (child) {
          const own = yield* child.allocate(4096);
          got.push(`${name} ${yield* receive(child, fd, own)}`);
        });
        yield* p.sleep(Time.ms);
      }
      yield* send(p, fd, buffer, 'a');
      expect(yield* p.mqReceive(fd, buffer, 100, 0), 'it is not in the queue').toBe(-Errno.ETIMEDOUT);
      yield* send(p, fd, buffer, 'b');
      yield* p.wait();
      yield* p.wait();
      expect(got).toEqual(['first 0:a', 'second 0:b']);
    });
  });

  it('lets a sender wait for room, and takes its message when there is', () => {
    run(function* (p) {
      const { fd, buffer } = yield* make(p);
      for (const text of ['1', '2', '3']) yield* send(p, fd, buffer, text);
      let sent = -1;
      yield* p.fork(function* (child) {
        const own = yield* child.allocate(4096);
        sent = yield* send(child, fd, own, '4', 5);
      });
      yield* p.sleep(Time.ms);
      expect([sent, yield* receive(p, fd, buffer)]).toEqual([-1, '0:1']);
      yield* p.wait();
      expect([sent, yield* receive(p, fd, buffer)]).toEqual([0, '5:4']);
    });
  });

  it('can be polled, and tells a process once of a message that finds it empty', () => {
    run(function* (p) {
      const { fd, buffer } = yield* make(p);
      let told = 0;
      yield* p.sigaction(Signal.USR1, function* (q, _signal, value) {
        told += value;
        yield* q.getpid();
      });
      expect(yield* p.mqNotify(fd, Signal.USR1, 7)).toBe(0);
      expect(yield* p.mqNotify(fd, Signal.USR1, 7)).toBe(-Errno.EBUSY);
      const epfd = yield* p.epollCreate();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN);
      expect(yield* p.epollWait(epfd, buffer, 1, 0)).toBe(0);
      yield* send(p, fd, buffer, 'x');
      yield* send(p, fd, buffer, 'y');
      expect([told, yield* p.epollWait(epfd, buffer, 1, 0)]).toEqual([7, 1]);
    });
  });

  it('fails as the manual pages say', () => {
    run(function* (p) {
      const { fd, buffer } = yield* make(p, NONBLOCK);
      const reader = yield* p.mqOpen('/queue', RDONLY);
      const writer = yield* p.mqOpen('/queue', WRONLY);
      expect(yield* p.mqOpen('/queue', CREAT | EXCL | RDWR)).toBe(-Errno.EEXIST);
      expect(yield* p.mqOpen('/other', RDWR)).toBe(-Errno.ENOENT);
      expect(yield* p.mqOpen('other', CREAT | RDWR)).toBe(-Errno.EINVAL);
      expect(yield* p.mqOpen('/an/other', CREAT | RDWR)).toBe(-Errno.EACCES);
      expect(yield* p.mqOpen('/other', CREAT | RDWR, { maxMessages: 0, messageSize: 10 })).toBe(-Errno.EINVAL);
      expect(yield* p.mqOpen('/other', CREAT | RDWR, { maxMessages: 1000, messageSize: 8192 })).toBe(-Errno.EMFILE);
      expect(yield* p.mqSend(fd, buffer, 101)).toBe(-Errno.EMSGSIZE);
      expect(yield* p.mqSend(fd, buffer, 1, 32_768)).toBe(-Errno.EINVAL);
      expect(yield* p.mqSend(fd, 8, 1)).toBe(-Errno.EFAULT);
      expect(yield* p.mqSend(reader, buffer, 1)).toBe(-Errno.EBADF);
      expect(yield* p.mqSend(yield* p.eventfd(), buffer, 1)).toBe(-Errno.EBADF);
      expect(yield* p.mqReceive(writer, buffer, 100)).toBe(-Errno.EBADF);
      expect(yield* p.mqReceive(fd, buffer, 99)).toBe(-Errno.EMSGSIZE);
      expect(yield* p.mqReceive(fd, buffer, 100)).toBe(-Errno.EAGAIN);
      for (let i = 0; i < 3; i++) yield* p.mqSend(fd, buffer, 1);
      expect(yield* p.mqSend(fd, buffer, 1)).toBe(-Errno.EAGAIN);
      expect([yield* p.mqUnlink('/queue'), yield* p.mqUnlink('/queue')]).toEqual([0, -Errno.ENOENT]);
      expect(yield* p.mqReceive(fd, buffer, 100), 'who has it open still can').toBe(1);
    });
  });
});
