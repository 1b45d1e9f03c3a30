import { definePlugin } from '@rpal/bus';
import { Errno, OpenFlag, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { posix } from '../../posix/src/index.js';
import { EntryKind, executable, type Program } from '../src/index.js';
import { bytes, run, runOn, smallMachine } from './support.js';

/** Writes one letter to the file of a CPU. */
function* online(p: Program, cpu: number, letter: string): Generator<void, number> {
  const buffer = yield* p.allocate(4096);
  yield* p.storeBytes(buffer, bytes(letter));
  const fd = yield* p.open(`/sys/devices/system/cpu/cpu${cpu}/online`, OpenFlag.WRONLY);
  return fd < 0 ? fd : yield* p.write(fd, buffer, 1);
}

describe('/sys/devices/system/cpu/cpuN/online', () => {
  it('moves everybody away, and new tasks go elsewhere', () => {
    const machine = smallMachine({ plugins: [posix()] });
    const seen: number[] = [];
    const results: number[] = [];
    const worker = machine.spawn(
      executable('worker', function* (p) {
        yield* p.setAffinity([1, 2]);
        while (seen.length < 2) yield* p.compute(1e6);
      }),
      1,
    );
    runOn(machine, function* (p) {
      yield* p.sleep(5e6);
      results.push(yield* online(p, 1, '0'), yield* online(p, 2, '0'));
      seen.push(worker.leader.cpu.id);
      results.push(yield* p.setAffinity([1, 2]));
      results.push(yield* online(p, 1, '1'));
      yield* p.setAffinity([1]);
      seen.push(p.context.cpu.id);
    });
    expect(results).toEqual([1, 1, -Errno.EINVAL, 1]);
    expect([1, 2]).not.toContain(seen[0]);
    expect(seen[1]).toBe(1);
  });

  it('is not there for CPU 0 and for CPUs that do not exist', () => {
    const results: number[] = [];
    run({ plugins: [posix()] }, function* (p) {
      results.push(yield* online(p, 0, '0'), yield* online(p, 99, '0'), yield* online(p, 1, 'x'));
    });
    expect(results).toEqual([-Errno.ENOENT, -Errno.ENOENT, -Errno.EINVAL]);
  });
});

describe('sched_setaffinity', () => {
  it('reaches other threads, and waits as long as a plugin says "not now"', () => {
    let refusals = 100;
    const reluctant = definePlugin({
      name: 'reluctant',
      version: '1.0.0',
      setup({ plugin, hooks }) {
        hooks.schedAffinity.tap(plugin, () => (--refusals > 0 ? false : undefined));
      },
    });
    const machine = smallMachine({ plugins: [posix(), reluctant()] });
    let over = false;
    const results: number[] = [];
    const worker = machine.spawn(
      executable('worker', function* (p) {
        while (!over) yield* p.compute(1e5);
      }),
      1,
    );
    runOn(machine, function* (p) {
      results.push(yield* p.setAffinity([3], worker.pid), yield* p.setAffinity([3], 4711));
      yield* p.sleep(5e6);
      results.push(worker.leader.cpu.id);
      over = true;
    });
    expect(results).toEqual([0, -Errno.ESRCH, 3]);
    expect(refusals).toBe(0);
  });
});

describe('user ids', () => {
  it('are inherited, given up once, and decide who may send signals', () => {
    const results: number[] = [];
    run({ plugins: [posix()] }, function* (p) {
      const parent = p.context.thread.process.pid;
      yield* p.fork(function* (child) {
        results.push(yield* child.getuid(), yield* child.setuid(1000), yield* child.getuid());
        results.push(yield* child.setuid(0), yield* child.kill(parent, Signal.TERM), yield* child.setuid(-1));
        results.push(yield* child.kill(child.context.thread.process.pid, 0));
      });
      yield* p.wait();
      results.push(yield* p.getuid());
    });
    expect(results).toEqual([0, 0, 1000, -Errno.EPERM, -Errno.EPERM, -Errno.EINVAL, 0, 0]);
  });
});

describe('a 32-bit system call of a 64-bit program', () => {
  it('does what the other does', () => {
    const results: number[] = [];
    const [process] = run({ plugins: [posix()] }, function* (p) {
      results.push(yield* p.compatSyscall(39), yield* p.int80(39), yield* p.getpid());
    });
    expect(results).toEqual([process?.pid, process?.pid, process?.pid]);
  });

  it('by INT 0x80 takes longer, and is told to who watches entries', () => {
    const kinds: number[] = [];
    const cycles: number[] = [];
    const watch = definePlugin({
      name: 'watch',
      version: '1.0.0',
      setup: ({ plugin, hooks }) => {
        hooks.kernelEntry.tap(plugin, (_cpu, _thread, kind) => {
          kinds.push(kind);
        });
      },
    });
    run({ plugins: [watch()] }, function* (p) {
      const { cpu, thread } = p.context;
      thread.entryWatched = true;
      for (const way of [() => p.syscall(39), () => p.compatSyscall(39), () => p.int80(39)]) {
        const begun = cpu.clock;
        yield* way();
        cycles.push(cpu.clock - begun);
      }
      thread.entryWatched = false;
    });
    const [SYSCALL, COMPAT, INT80] = [EntryKind.SYSCALL, EntryKind.COMPAT, EntryKind.INT80];
    expect(kinds).toEqual([SYSCALL, COMPAT, INT80]);
    const [ordinary = 0, compat = 0, int80 = 0] = cycles;
    expect(compat).toBe(ordinary);
    expect(int80 - ordinary).toBeGreaterThan(200);
  });
});
