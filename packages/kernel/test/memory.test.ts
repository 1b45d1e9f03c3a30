import { type Cpu, dataCaches } from '@rpal/hw-x86';
import { Madvise, MapFlag, Prot, Signal, SignalCode } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { posix } from '../../posix/src/index.js';
import { ends, run, runOn, smallMachine } from './support.js';

const PAGE = 4096;
const RW = Prot.READ | Prot.WRITE;

describe('memory calls of a program', () => {
  it('drop pages on advice, and lock them', () => {
    const seen: number[] = [];
    run(function* (p) {
      const memory = yield* p.allocate(2 * PAGE);
      yield* p.store32(memory, 7);
      seen.push(yield* p.madvise(memory, PAGE, Madvise.DONTNEED), yield* p.load32(memory));
      seen.push(yield* p.mlock(memory + PAGE, PAGE), yield* p.munlock(memory + PAGE, PAGE));
    });
    expect(seen).toEqual([0, 0, 0, 0]);
  });

  it('share anonymous memory between parent and child', () => {
    let seen = 0;
    run(function* (p) {
      const memory = yield* p.mmap(0, PAGE, RW, MapFlag.SHARED | MapFlag.ANONYMOUS);
      yield* p.fork(function* (child) {
        yield* child.store32(memory, 42);
      });
      yield* p.wait();
      seen = yield* p.load32(memory);
    });
    expect(seen).toBe(42);
  });

  it('make execute-only memory unreadable with a protection key', () => {
    let key = 0;
    run(
      ends({ signal: Signal.SEGV, code: SignalCode.SEGV_PKUERR }, function* (p) {
        const memory = yield* p.allocate(PAGE);
        yield* p.store32(memory, 1);
        yield* p.mprotect(memory, PAGE, Prot.EXEC);
        key = yield* p.pkeyAlloc(0, 0);
        yield* p.load32(memory);
      }),
    );
    expect(key).toBe(2);
  });
});

describe('a machine with huge pages', () => {
  it('gives them to programs, and another process reads through them', () => {
    const HUGE = 2 * 2 ** 20;
    const machine = smallMachine({ hugePages: 'madvise', plugins: [posix()] });
    const seen: number[] = [];
    runOn(machine, function* (p) {
      const memory = yield* p.mmap(0, HUGE, RW, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
      seen.push(yield* p.madvise(memory, HUGE, Madvise.HUGEPAGE));
      yield* p.store32(memory + 300 * PAGE + 8, 77);
      const self = yield* p.getpid();
      seen.push(machine.kernel.processes.get(self)?.mm.anonHugePages ?? -1);
      const there = [{ address: memory + 300 * PAGE + 8, length: 4 }];
      seen.push(yield* p.processVmReadv(self, [{ address: memory, length: 4 }], there), yield* p.load32(memory));
    });
    expect(seen).toEqual([0, 1, 4, 77]);
  });
});

describe('a machine with caches line by line', () => {
  /** Two processes that write a word each, `distance` bytes apart. */
  function contend(distance: number, caches: boolean): { cycles: number; fromOther: number } {
    const machine = smallMachine({ caches: caches ? dataCaches : null });
    let cycles = 0;
    const [first] = machine.platform.cpus as [Cpu];
    runOn(machine, function* (p) {
      const memory = yield* p.mmap(0, PAGE, RW, MapFlag.SHARED | MapFlag.ANONYMOUS);
      yield* p.store64(memory, 0);
      yield* p.fork(function* (child) {
        yield* child.setAffinity([1]);
        for (let i = 0; (yield* child.load64(memory + 2048)) === 0; i++) {
          yield* child.store64(memory + distance, i);
          yield* child.compute(100);
        }
      });
      yield* p.compute(1_000_000);
      const start = first.clock;
      for (let i = 0; i < 300; i++) {
        yield* p.store64(memory, i);
        yield* p.compute(100);
      }
      cycles = first.clock - start;
      yield* p.store64(memory + 2048, 1);
      yield* p.wait();
    });
    return { cycles, fromOther: machine.platform.caches?.counters(first).fromSameCache ?? 0 };
  }

  it('shows false sharing between processes, and costs nothing unless asked for', () => {
    const shared = contend(8, true);
    const apart = contend(64, true);
    expect(shared.fromOther - apart.fromOther).toBeGreaterThan(100);
    expect(shared.cycles).toBeGreaterThan(1.5 * apart.cycles);
    expect(contend(64, false).fromOther).toBe(0);
  });
});
