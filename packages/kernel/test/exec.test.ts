import { Errno, MapFlag, OpenFlag, Prot, Signal, SignalMask } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { executable, type Program, SyscallNumber, Time } from '../src/index.js';
import { ends, run } from './support.js';

describe('exec', () => {
  it('replaces the program: memory is new, the process and its descriptors stay, those marked close-on-exec go', () => {
    const seen: unknown[] = [];
    const [process] = run(function* (p) {
      const kept = yield* p.eventfd(7);
      const marked = yield* p.eventfd(0, OpenFlag.CLOEXEC);
      const pid = yield* p.getpid();
      const address = yield* p.allocate(4096);
      yield* p.store32(address, 42);
      const before = p.context.thread.process.mm;
      yield* p.exec(
        executable(
          'second',
          ends({ status: 3 }, function* (q) {
            const buffer = yield* q.allocate(4096);
            seen.push((yield* q.getpid()) === pid, q.context.thread.process.mm !== before);
            seen.push(yield* q.read(kept, buffer, 8), yield* q.load32(buffer), yield* q.close(marked));
            // The place is free again: a mapping there is new and empty.
            const again = yield* q.mmap(address, 4096, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.FIXED);
            seen.push(again === address, yield* q.load32(address));
            return 3;
          }),
        ),
      );
      throw new Error('exec has come back');
    });
    expect(seen).toEqual([true, true, 8, 7, -Errno.EBADF, true, 0]);
    expect(process?.name).toBe('second');
  });

  it('forgets handlers; what is ignored, blocked or pending stays so', () => {
    const seen: unknown[] = [];
    const { USR1, USR2, TERM } = Signal;
    const bit = (signal: number) => 1 << (signal - 1);
    run(function* (p) {
      const self = yield* p.getpid();
      yield* p.sigaction(USR1, function* () {});
      yield* p.sigaction(TERM, 'ignore');
      yield* p.sigprocmask(SignalMask.BLOCK, bit(USR1) | bit(USR2));
      yield* p.kill(self, USR1);
      yield* p.exec(
        executable(
          'second',
          ends({ signal: USR1 }, function* (q) {
            seen.push(yield* q.kill(self, TERM), yield* q.sigpending(), yield* q.sigprocmask(SignalMask.BLOCK, 0));
            yield* q.sigprocmask(SignalMask.SETMASK, 0);
          }),
        ),
      );
    });
    expect(seen).toEqual([0, bit(Signal.USR1), bit(Signal.USR1) | bit(Signal.USR2)]);
  });

  it('ends the other threads first, wherever they are', () => {
    let ran = 0;
    run(function* (p) {
      yield* p.clone(function* (t) {
        yield* t.pause();
        ran++;
      });
      yield* p.clone(function* (t) {
        for (;;) yield* t.compute(100_000);
      });
      yield* p.sleep(Time.ms);
      yield* p.exec(
        executable(
          'second',
          ends({ status: 5 }, function* (q) {
            ran += 10 * q.context.thread.process.threads.length;
            yield* q.sleep(Time.ms);
            return 5;
          }),
        ),
      );
    });
    expect(ran).toBe(10);
  });

  it('gives a thread that calls it the id of the process: ids of threads lead nowhere then', () => {
    const before: number[] = [];
    const after: number[] = [];
    run(function* (p) {
      const pid = yield* p.getpid();
      const policyOf = (q: Program, id: number) => q.syscall(SyscallNumber.sched_getscheduler, id);
      const waiting = yield* p.clone(function* (t) {
        yield* t.pause();
      });
      yield* p.clone(function* (t) {
        const own = yield* t.gettid();
        for (const id of [pid, waiting, own]) before.push(yield* policyOf(t, id));
        yield* t.exec(
          executable('second', function* (q) {
            after.push((yield* q.gettid()) - pid);
            for (const id of [pid, waiting, own]) after.push(yield* policyOf(q, id));
          }),
        );
      });
      yield* p.pause();
    });
    expect(before).toEqual([0, 0, 0]);
    expect(after).toEqual([0, 0, -Errno.ESRCH, -Errno.ESRCH]);
  });
});
