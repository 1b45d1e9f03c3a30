import { Errno, OpenFlag, Signal, SignalMask, SocketOption, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { type MessageHeader, type Program, Time } from '../src/index.js';
import { run } from './support.js';

const { USR1, USR2, CHLD } = Signal;
const bit = (signal: number) => 1 << (signal - 1);

describe('a signal for a process of several threads', () => {
  it('kills them all at once, before a signal file can take it', () => {
    const [process] = run(function* (p) {
      const buffer = yield* p.allocate(4096);
      yield* p.clone(function* (q) {
        yield* q.read(yield* q.signalfd(bit(USR2)), buffer, 128);
      });
      const self = yield* p.getpid();
      yield* p.sleep(Time.ms);
      yield* p.kill(self, USR2);
      yield* p.sleep(Time.s);
    });
    expect(process?.exit).toMatchObject({ signal: USR2 });
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
