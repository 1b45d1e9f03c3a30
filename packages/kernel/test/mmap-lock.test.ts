import { definePlugin } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import { SleepTimer, TaskState } from '@rpal/sched';
import { OpenFlag, Prot } from '@rpal/uapi';
import { begin, type Caller, File, Pending } from '@rpal/vfs';
import { describe, expect, it } from 'vitest';
import { finish, smallMachine } from '../../../scripts/testing/run.ts';
import { executable, type Kernel, type Program } from '../src/index.js';

/** Nanoseconds that mmap of the file sleeps, under the lock of the address space. */
const SLEEP = 1e6;
const MAPPED = 0x1000;

class SlowFile extends File {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel, flags: number) {
    super(flags);
    this.#kernel = kernel;
  }

  override mmap(cpu: Cpu, caller: Caller): number {
    const { scheduler } = this.#kernel;
    const { task } = caller;
    const timer = new SleepTimer(scheduler, (on) => scheduler.wakeUp(on, task));
    let slept = false;
    return begin(cpu, caller, {
      step(on) {
        if (slept) return MAPPED;
        slept = true;
        task.prepareToSleep(on, TaskState.UNINTERRUPTIBLE, timer);
        timer.start(on, SLEEP);
        return Pending.SLEEP;
      },
    });
  }
}

const slowFile = definePlugin({
  name: 'slow-file',
  version: '1.0.0',
  setup({ machine: { kernel } }) {
    kernel.specialFiles.define('/dev/slow', (_cpu, _thread, flags) => new SlowFile(kernel, flags));
  },
});

/** Milliseconds, in whole ones, that `rival` takes on another CPU while a thread of its process is in mmap of the file; and what that one got. */
function during(rival: (q: Program) => Generator<void, unknown>): { mapped: number; took: number } {
  const machine = smallMachine({ plugins: [slowFile()] });
  const cyclesPerMs = machine.platform.profile.clock.tscGHz * 1e6;
  let mapped = 0;
  let took = -1;
  const main = function* (p: Program) {
    const fd = yield* p.open('/dev/slow', OpenFlag.RDWR);
    yield* p.clone(function* (q) {
      yield* q.setAffinity([2]);
      yield* q.compute(1e5);
      const begun = q.context.cpu.clock;
      yield* rival(q);
      took = Math.round((q.context.cpu.clock - begun) / cyclesPerMs);
    });
    mapped = yield* p.mmap(0, 4096, Prot.READ, 1, fd);
    while (took < 0) yield* p.sleep(1e5);
  };
  machine.spawn(executable('mapper', main), 0);
  finish(machine);
  return { mapped, took };
}

describe('the lock of an address space that is kept over a sleep', () => {
  it('makes calls of other threads on that memory wait', () => {
    expect(
      during(function* (q) {
        yield* q.allocate(4096);
      }),
    ).toEqual({ mapped: MAPPED, took: 1 });
  });

  it('... each after the other', () => {
    const two = during(function* (q) {
      const fd = yield* q.open('/dev/slow', OpenFlag.RDWR);
      expect(yield* q.mmap(0, 4096, Prot.READ, 1, fd)).toBe(MAPPED);
      expect(yield* q.allocate(4096)).toBeGreaterThan(0);
    });
    expect(two).toEqual({ mapped: MAPPED, took: 2 });
  });

  it('makes other calls not wait, nor those of other processes', () => {
    const free = during(function* (q) {
      yield* q.getpid();
      yield* q.fork(function* (child) {
        yield* child.allocate(4096);
      });
    });
    expect(free).toEqual({ mapped: MAPPED, took: 0 });
  });

  it('is told of, with who holds it, to those who ask for what a thread waits', () => {
    const machine = smallMachine({ plugins: [slowFile()] });
    let told = '';
    const main = function* (p: Program) {
      const fd = yield* p.open('/dev/slow', OpenFlag.RDWR);
      yield* p.clone(function* (q) {
        yield* q.setAffinity([2]);
        yield* q.compute(1e5);
        yield* q.allocate(4096);
      });
      yield* p.clone(function* (q) {
        yield* q.setAffinity([3]);
        yield* q.compute(5e5);
        told = p.context.thread.process.threads[1]?.waitingOn?.describe() ?? '';
      });
      yield* p.mmap(0, 4096, Prot.READ, 1, fd);
    };
    machine.spawn(executable('mapper', main), 0);
    finish(machine);
    expect(told).toBe('mmap_lock, held by task 1 (mapper)');
  });
});
