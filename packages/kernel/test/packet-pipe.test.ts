import { Errno, Fcntl, OpenFlag, Prctl } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { SyscallNumber, Time } from '../src/index.js';
import { hear, run, say } from './support.js';

describe('a pipe of packets', () => {
  it('gives one write per read, and throws away what the read has no room for', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(0x4000);
      const from = yield* p.pipe(OpenFlag.DIRECT | OpenFlag.NONBLOCK);
      const to = p.second;
      for (const text of ['one', 'two', 'three']) yield* say(p, to, buffer, text);
      expect([yield* hear(p, from, buffer), yield* hear(p, from, buffer, 2), yield* hear(p, from, buffer)]).toEqual(['one', 'tw', 'three']);
      expect(yield* p.read(from, buffer, 1)).toBe(-Errno.EAGAIN);
    });
  });

  it('cuts what is larger than a page into packets of a page', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(0x4000);
      const from = yield* p.pipe(OpenFlag.DIRECT);
      const to = p.second;
      expect(yield* p.write(to, buffer, 5000)).toBe(5000);
      expect([yield* p.read(from, buffer, 9000), yield* p.read(from, buffer, 9000)]).toEqual([4096, 904]);
    });
  });

  it('is one by F_SETFL too; data written before stay a stream', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(0x4000);
      const from = yield* p.pipe();
      const to = p.second;
      yield* say(p, to, buffer, 'stream');
      expect(yield* p.fcntl(to, Fcntl.SETFL, OpenFlag.DIRECT)).toBe(0);
      expect(yield* p.fcntl(to, Fcntl.GETFL)).toBe(OpenFlag.WRONLY | OpenFlag.DIRECT);
      yield* say(p, to, buffer, 'packet');
      expect([yield* hear(p, from, buffer, 3), yield* hear(p, from, buffer, 6)]).toEqual(['str', 'eampac']);
      expect(yield* p.fcntl(yield* p.epollCreate(), Fcntl.SETFL, OpenFlag.DIRECT)).toBe(-Errno.EINVAL);
    });
  });
});

describe('timer slack', () => {
  it('makes a sleep end up to 50 us later, unless a timer interrupt comes meanwhile or the thread does not want it', () => {
    run(function* (p) {
      const slept = function* (ns: number) {
        const before = p.rdtsc();
        yield* p.sleep(ns);
        return (p.rdtsc() - before) / 2.3;
      };
      const late = (yield* slept(Time.ms)) - Time.ms;
      expect(late).toBeGreaterThan(50_000);
      expect(late).toBeLessThan(60_000);
      yield* p.syscall(SyscallNumber.prctl, Prctl.SET_TIMERSLACK, 1);
      expect((yield* slept(Time.ms)) - Time.ms).toBeLessThan(10_000);
    });
  });
});
