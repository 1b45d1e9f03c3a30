import { type Program, Time } from '@rpal/kernel';
import { LinuxCall, MapFlag, OpenFlag, Prot, Signal, SignalCode, WaitOption } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { SignalFrame } from '../src/index.js';
import { ends, run } from './support.js';

const PAGE = 4096;
const CHILD = -1000;

/** What a handler sees of a signal: si_code, si_pid, si_uid, si_value. */
type Seen = readonly [code: number, pid: number, uid: number, value: number];

/** Keeps what the signals say that come from now on. */
function* watch(p: Program, ...signals: readonly number[]): Generator<void, Seen[]> {
  const seen: Seen[] = [];
  for (const signal of signals) {
    yield* p.sigaction(signal, function* (q) {
      const frame = new SignalFrame(q);
      seen.push([yield* frame.code(), yield* frame.sender(), yield* frame.user(), yield* frame.value()]);
    });
  }
  return seen;
}

/** The figures are what a C program sees of Linux 6.18. */
describe('What a signal says of where it comes from', () => {
  it('kill, tgkill, sigqueue and a broken pipe: who, how, and what came along', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const seen = yield* watch(p, Signal.USR1, Signal.RTMIN, Signal.PIPE);
      yield* p.kill(self, Signal.USR1);
      yield* p.syscall(LinuxCall.tgkill, self, self, Signal.USR1);
      yield* p.sigqueue(self, Signal.RTMIN, 42);
      const from = yield* p.pipe();
      const to = p.second;
      yield* p.close(from);
      yield* p.write(to, yield* p.allocate(PAGE), 1);
      expect(seen).toEqual([
        [SignalCode.USER, self, 0, 0],
        [SignalCode.TKILL, self, 0, 0],
        [SignalCode.QUEUE, self, 0, 42],
        [SignalCode.USER, self, 0, 0],
      ]);
    });
  });

  it('of a child: that it has ended, been killed, stopped or gone on, with its status', () => {
    run(function* (p) {
      const seen = yield* watch(p, Signal.CHLD);
      const children: number[] = [];
      const child = function* (q: Program): Generator<void, void> {
        yield* q.sleep(Time.s);
      };
      children.push(
        yield* p.fork(
          ends({ status: 7 }, function* (q) {
            yield* q.exit(7);
          }),
        ),
      );
      yield* p.wait();
      children.push(yield* p.fork(ends({ signal: Signal.KILL }, child)));
      yield* p.kill(children[1] as number, Signal.STOP);
      yield* p.wait(-1, WaitOption.UNTRACED);
      yield* p.kill(children[1] as number, Signal.CONT);
      yield* p.sleep(20 * Time.ms);
      yield* p.kill(children[1] as number, Signal.KILL);
      yield* p.wait();
      const who = (pid: number): number => (children.includes(pid) ? CHILD : pid);
      expect(seen.map(([code, pid, uid, value]) => [code, who(pid), uid, value])).toEqual([
        [SignalCode.CLD_EXITED, CHILD, 0, 7],
        [SignalCode.CLD_STOPPED, CHILD, 0, Signal.STOP],
        [SignalCode.CLD_CONTINUED, CHILD, 0, Signal.CONT],
        [SignalCode.CLD_KILLED, CHILD, 0, Signal.KILL],
      ]);
    });
  });

  it('of a message queue: that a message is there, and who sent it', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const seen = yield* watch(p, Signal.USR2);
      const queue = yield* p.mqOpen('/told', OpenFlag.CREAT | OpenFlag.RDWR);
      yield* p.mqNotify(queue, Signal.USR2, 5);
      yield* p.mqSend(queue, yield* p.allocate(PAGE), 1);
      expect(seen).toEqual([[SignalCode.MESGQ, self, 0, 5]]);
    });
  });

  it('signalfd says the same', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      yield* p.sigprocmask(0, 1 << (Signal.USR1 - 1));
      const fd = yield* p.signalfd(1 << (Signal.USR1 - 1));
      const record = yield* p.allocate(PAGE);
      yield* p.kill(self, Signal.USR1);
      yield* p.read(fd, record, 128);
      const words: number[] = [];
      for (const at of [0, 8, 12, 16]) words.push(yield* p.load32(record + at));
      expect(words).toEqual([Signal.USR1, SignalCode.USER, self, 0]);
    });
  });

  it('of a fault: the exception and its error code; memory without rights is not present', () => {
    run(function* (p) {
      const at = yield* p.mmap(0, 2 * PAGE, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
      yield* p.store8(at, 1);
      const seen: number[][] = [];
      yield* p.sigaction(Signal.SEGV, function* (q) {
        const frame = new SignalFrame(q);
        seen.push([yield* frame.code(), yield* frame.faultError(), yield* frame.faultVector()]);
        yield* q.mmap(at, PAGE, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.FIXED);
      });
      yield* p.mprotect(at, PAGE, Prot.NONE);
      yield* p.store8(at, 2);
      yield* p.mprotect(at, PAGE, Prot.READ);
      yield* p.store8(at, 2);
      yield* p.munmap(at, PAGE);
      yield* p.load8(at);
      expect(seen).toEqual([
        [SignalCode.SEGV_ACCERR, 6, 14],
        [SignalCode.SEGV_ACCERR, 7, 14],
        [SignalCode.SEGV_MAPERR, 4, 14],
      ]);
    });
  });
});
