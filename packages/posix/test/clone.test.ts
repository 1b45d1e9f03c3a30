import { type Main, type Program, Time } from '@rpal/kernel';
import { Errno, LinuxCall, Signal, WaitOption } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { callInC } from '../../kernel/test/real/call-in-c.js';
import { long, MEMORY, NOWHERE, poke, type Step, sameAsLinux } from './real/same-as-linux.js';
import { ends, run } from './support.js';

const Flag = {
  VM: 0x100,
  FS: 0x200,
  FILES: 0x400,
  SIGHAND: 0x800,
  PIDFD: 0x1000,
  VFORK: 0x4000,
  THREAD: 0x1_0000,
  SETTLS: 0x8_0000,
  PARENT_SETTID: 0x10_0000,
  CHILD_CLEARTID: 0x20_0000,
  DETACHED: 0x40_0000,
  CHILD_SETTID: 0x100_0000,
} as const;
const THREAD = Flag.VM | Flag.FS | Flag.FILES | Flag.SIGHAND | Flag.THREAD;

/** A call as a program in C makes it; a child of it executes `main`. */
function asInC(p: Program, main: Main, nr: number, ...args: number[]): Generator<void, number> {
  return callInC(p, nr, args, main);
}

/** `struct clone_args`. */
interface CloneArgs {
  readonly flags: number;
  readonly pidfd?: number;
  readonly childTid?: number;
  readonly parentTid?: number;
  readonly exitSignal?: number;
  readonly tls?: number;
}

function* clone3(
  p: Program,
  at: number,
  main: Main,
  { flags, pidfd = 0, childTid = 0, parentTid = 0, exitSignal = 0, tls = 0 }: CloneArgs,
) {
  const words = [flags, pidfd, childTid, parentTid, exitSignal, 0, 0, tls, 0, 0, 0];
  for (const [i, word] of words.entries()) yield* p.store64(at + 8 * i, word);
  return yield* asInC(p, main, LinuxCall.clone3, at, 88);
}

const idle: Main = function* (q) {
  yield* q.getpid();
};

describe('clone3', () => {
  it('refuses what Linux refuses', () => {
    const none = [0, 0];
    const args = (flags: number[], rest: Record<number, number[]> = {}): Step =>
      poke(MEMORY, ...[flags, ...Array.from({ length: 10 }, (_, i) => rest[i + 1] ?? none)].flat(), 0, 0);
    const tried: Step[] = [
      args([0, 0]),
      args([0, 4]),
      args([0, 1 << 30]),
      args([Flag.DETACHED, 0]),
      args([17, 0]),
      args([Flag.SIGHAND | Flag.VM, 1]),
      args([THREAD, 0], { 4: [17, 0] }),
      args([Flag.THREAD, 0]),
      args([Flag.SIGHAND, 0]),
      args([0, 0], { 4: [65, 0] }),
      args([0, 0], { 4: [0, 1] }),
      args([0, 0], { 5: [4096, 0] }),
      args([0, 0], { 6: [4096, 0] }),
      args([0, 0], { 5: long(2 ** 47), 6: [4096, 0] }),
      args([0, 0], { 8: [4096, 0] }),
      args([0, 0], { 9: [1, 0] }),
      args([0, 0], { 8: long(MEMORY), 9: [33, 0] }),
      args([0, 2], { 10: long(2 ** 40) }),
      args([Flag.PIDFD, 0], { 1: long(NOWHERE) }),
    ].slice(1);
    sameAsLinux(
      ['clone3', MEMORY, 0],
      ['clone3', MEMORY, 63],
      ['clone3', MEMORY, 4097],
      ['clone3', NOWHERE, 88],
      ...tried.flatMap((step): Step[] => [step, ['clone3', MEMORY, 88]]),
      args([0, 0]),
      poke(MEMORY + 88, 1),
      ['clone3', MEMORY, 96],
      ['clone', Flag.PIDFD | Flag.PARENT_SETTID, 0, MEMORY],
      ['clone', Flag.PIDFD | Flag.DETACHED, 0, MEMORY],
      ['clone', Flag.THREAD, 0],
      ['clone', Flag.SIGHAND, 0],
      ['clone', Flag.PIDFD, 0, NOWHERE],
    );
  });

  it('stores the id of the child in the parent and in the child, and clears it and wakes who waits there when a thread ends', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      let [seen, tid] = [0, 0];
      const result = yield* clone3(
        p,
        at,
        function* (q) {
          seen = yield* q.load32(at + 1024);
          tid = yield* q.gettid();
          yield* q.sleep(Time.ms);
          yield* q.syscall(LinuxCall.exit, 0);
        },
        {
          flags: THREAD | Flag.PARENT_SETTID | Flag.CHILD_SETTID | Flag.CHILD_CLEARTID | Flag.SETTLS,
          parentTid: at + 1020,
          childTid: at + 1024,
        },
      );
      expect([yield* p.load32(at + 1020), yield* p.load32(at + 1024)]).toEqual([result, result]);
      expect(yield* p.syscall(LinuxCall.futex, at + 1024, 0, result, -1)).toBe(0);
      expect([yield* p.load32(at + 1024), seen, tid]).toEqual([0, result, result]);
    });
  });

  it("stores the id of a process in its own memory, as fork of C libraries asks for, and not in the parent's", () => {
    run(function* (p) {
      const at = yield* p.allocate(8192);
      const told = yield* p.pipe();
      const tell = told + 1;
      yield* p.store32(at + 3004, 1);
      // In one page, over the border of two, and nowhere.
      for (const childTid of [at + 2048, at + 4094, NOWHERE]) {
        for (const offset of [2048, 4092, 4096]) yield* p.store32(at + offset, 0);
        const child = function* (q: Program) {
          const tid = yield* q.gettid();
          const low = childTid === NOWHERE ? tid : ((yield* q.load32(at + 4092)) >>> 16) | ((yield* q.load32(at + 4096)) << 16);
          const whole = childTid === at + 2048 ? yield* q.load32(childTid) : low;
          yield* q.write(tell, whole === tid ? at + 3004 : at + 3005, 1);
        };
        const pid = yield* clone3(p, at, child, { flags: Flag.CHILD_SETTID | Flag.CHILD_CLEARTID, childTid, exitSignal: Signal.CHLD });
        expect(yield* p.wait(pid)).toBe(pid);
        expect(yield* p.read(told, at + 3000, 1)).toBe(1);
        expect(yield* p.load8(at + 3000)).toBe(1);
        for (const offset of [2048, 4092, 4096]) expect(yield* p.load32(at + offset)).toBe(0);
      }
    });
  });

  it('gives a process a copy of memory and descriptors, or shares them; and a pidfd', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      for (const flags of [0, Flag.VM, Flag.FILES, Flag.VM | Flag.FILES]) {
        yield* p.store32(at + 2048, 1);
        const fd = yield* p.eventfd();
        const pid = yield* clone3(
          p,
          at,
          function* (q) {
            yield* q.store32(at + 2048, 2);
            yield* q.close(fd);
          },
          { flags: flags | Flag.PIDFD, pidfd: at + 1024, exitSignal: Signal.CHLD },
        );
        const pidfd = yield* p.load32(at + 1024);
        yield* p.store32(at + 1032, pidfd);
        yield* p.store32(at + 1036, 1);
        expect(yield* p.poll(at + 1032, 1, 1000)).toBe(1);
        expect(yield* p.wait(pid)).toBe(pid);
        expect(yield* p.load32(at + 2048)).toBe((flags & Flag.VM) !== 0 ? 2 : 1);
        expect(yield* p.close(fd)).toBe((flags & Flag.FILES) !== 0 ? -Errno.EBADF : 0);
        yield* p.close(pidfd);
      }
      // The memory is still there when all of them have ended.
      expect(yield* p.load32(at + 2048)).toBe(2);
    });
  });

  it('says by another signal, or by none, that a child has ended: wait finds it with __WCLONE or __WALL only', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const got: number[] = [];
      for (const signal of [Signal.USR1, Signal.CHLD])
        yield* p.sigaction(signal, function* (q) {
          got.push(signal);
          yield* q.getpid();
        });
      for (const exitSignal of [Signal.USR1, 0, Signal.CHLD]) {
        const pid = yield* clone3(p, at, idle, { flags: 0, exitSignal });
        yield* p.sleep(Time.ms);
        const other = exitSignal === Signal.CHLD ? WaitOption.CLONE : 0;
        expect(yield* p.wait(pid, WaitOption.NOHANG | other)).toBe(-Errno.ECHILD);
        expect(yield* p.wait(pid, exitSignal === Signal.CHLD ? 0 : WaitOption.CLONE)).toBe(pid);
      }
      expect(got).toEqual([Signal.USR1, Signal.CHLD]);
    });
  });

  it('takes the handlers of the parent away from the child, and leaves it what is ignored', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      yield* p.sigaction(Signal.USR1, idle as never);
      yield* p.sigaction(Signal.USR2, 'ignore');
      yield* p.store64(at, 0);
      yield* p.store32(at + 4, 1);
      for (let i = 1; i < 11; i++) yield* p.store64(at + 8 * i, i === 4 ? Signal.CHLD : 0);
      const child = ends({ signal: Signal.USR1 }, function* (q) {
        const self = yield* q.getpid();
        yield* q.kill(self, Signal.USR2);
        yield* q.kill(self, Signal.USR1);
      });
      const pid = yield* asInC(p, child, LinuxCall.clone3, at, 88);
      yield* p.wait(pid);
      expect(p.second).toBe(Signal.USR1);
    });
  });
});

describe('vfork', () => {
  it('shares the memory of the parent, which goes on when the child has ended', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const child = yield* p.vfork(function* (q) {
        yield* q.sleep(3 * Time.ms);
        yield* q.store32(at, 5);
      });
      expect([child > 0, yield* p.load32(at)]).toEqual([true, 5]);
      expect(yield* p.wait()).toBe(child);
      expect(yield* p.load32(at)).toBe(5);
    });
  });
});
