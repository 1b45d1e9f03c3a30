import type { Cpu } from '@rpal/hw-x86';
import { TrapOutcome } from '@rpal/hw-x86';
import { MapFlag, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { run, runOn, smallMachine } from '../../../scripts/testing/run.ts';
import { type GuestBorder, type Program, Time } from '../src/index.js';

/** A border that notes on which side each CPU is, and refuses to be crossed twice. */
class Watched implements GuestBorder {
  readonly inside: Set<number> = new Set();
  crossings = 0;

  exit(cpu: Cpu): void {
    expect(this.inside.delete(cpu.id)).toBe(true);
    this.crossings++;
  }

  enter(cpu: Cpu): void {
    expect(this.inside.has(cpu.id)).toBe(false);
    this.inside.add(cpu.id);
  }
}

/** From here on the user mode of the thread is a guest's. */
function become(p: Program): Watched {
  const border = new Watched();
  const { thread, cpu } = p.context;
  thread.entryWatched = true;
  thread.guest = border;
  border.enter(cpu);
  return border;
}

describe('a thread whose user mode is a guest', () => {
  it('leaves it for each call, and is back in it afterwards, on whatever CPU it goes on', () => {
    run(function* (p) {
      const border = become(p);
      yield* p.getpid();
      expect([border.crossings, [...border.inside]]).toEqual([1, [p.context.cpu.id]]);
      yield* p.setAffinity([2]);
      expect([...border.inside]).toEqual([2]);
      yield* p.sleep(Time.ms);
      expect([...border.inside]).toEqual([2]);
    });
  });

  it('pays neither SYSCALL nor SYSRET: what its border charges is the way', () => {
    run(function* (p) {
      yield* p.getpid();
      let before = p.context.cpu.clock;
      yield* p.getpid();
      const plain = p.context.cpu.clock - before;
      become(p);
      before = p.context.cpu.clock;
      yield* p.getpid();
      expect(p.context.cpu.clock - before).toBeLessThan(plain / 2);
    });
  });

  it('leaves it for interrupts that come while it computes, flushes of other CPUs among them', () => {
    const machine = smallMachine();
    runOn(machine, function* (p) {
      const page = yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
      yield* p.store8(page, 1);
      let [ready, over] = [false, false];
      yield* p.clone(function* (q) {
        yield* q.setAffinity([3]);
        const border = become(q);
        ready = true;
        const { crossings } = border;
        while (!over) yield* q.compute(10_000);
        expect(border.crossings).toBeGreaterThan(crossings);
        expect([...border.inside]).toEqual([3]);
      });
      while (!ready) yield* p.sleep(10 * Time.us);
      yield* p.munmap(page, 4096);
      over = true;
      yield* p.sleep(Time.ms);
    });
    expect(machine.kernel.memory.tlb.flushesSent).toBeGreaterThan(0);
  });
});

describe('a routine that a trap has begun', () => {
  it('runs before the instruction is repeated, makes calls of its own, and leaves the registers of the program alone', () => {
    run(function* (p) {
      const page = yield* p.mmap(0, 4096, Prot.NONE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
      const { cpu } = p.context;
      const { trap } = cpu;
      const seen: number[] = [];
      cpu.trap = {
        syscall: (on) => trap.syscall(on),
        interrupt: (on, vector) => trap.interrupt(on, vector),
        nmi: (on) => trap.nmi(on),
        exception(on) {
          seen.push(on.mmu.faultAddress);
          cpu.trap = trap;
          p.context.divert(function* (q) {
            expect(yield* q.mprotect(page, 4096, Prot.READ | Prot.WRITE)).toBe(0);
            yield* q.store64(page + 8, 77);
          });
          return TrapOutcome.PENDING;
        },
      };
      expect(yield* p.load64(page + 8)).toBe(77);
      expect(seen).toEqual([page + 8]);
      expect(yield* p.getpid()).toBe(p.context.thread.process.pid);
    });
  });

  it('must await its own calls', () => {
    expect(() =>
      run(function* (p) {
        const { cpu } = p.context;
        const { trap } = cpu;
        cpu.trap = {
          syscall: (on) => trap.syscall(on),
          interrupt: (on, vector) => trap.interrupt(on, vector),
          nmi: (on) => trap.nmi(on),
          exception() {
            cpu.trap = trap;
            // biome-ignore lint/correctness/useYield: the mistake of the test
            p.context.divert(function* (q) {
              q.getpid();
            });
            return TrapOutcome.PENDING;
          },
        };
        yield* p.load64(0);
      }),
    ).toThrow('a routine that a trap has begun');
  });
});
