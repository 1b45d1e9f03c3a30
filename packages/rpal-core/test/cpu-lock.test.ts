import { OpenFlag } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { posix } from '../../posix/src/index.js';
import { RpalFlag, RpalIoctl } from '../src/index.js';
import { type RpalTask, rpalTask } from '../src/services/thread.js';
import { lockCpu, unlockCpu } from '../src/switch/cpu-lock.js';
import { Control, run, type World, world } from './world.js';

/** What a registered thread with CPUs 0 and 2 is allowed after `body`. */
function allowed(setting: World, body: (thread: RpalTask) => void): { cpus: number[]; size: number; locked: boolean } {
  let seen = { cpus: [-1], size: -1, locked: false };
  run(setting, function* (p) {
    const c = yield* Control.open(p);
    yield* c.ioctl(RpalIoctl.REGISTER_SENDER, yield* c.share());
    yield* p.setAffinity([0, 2]);
    const off = yield* p.open('/sys/devices/system/cpu/cpu1/online', OpenFlag.RDWR);
    const zero = yield* p.allocate(4096);
    yield* p.store8(zero, 0x30);
    expect(yield* p.write(off, zero, 1)).toBe(1);
    const thread = rpalTask(p.context.thread);
    body(thread);
    const { affinity, affinitySize, rpal } = thread;
    seen = { cpus: [0, 1, 2, 3].filter((id) => affinity.has(id)), size: affinitySize, locked: (rpal.flags & RpalFlag.CPU_LOCKED) !== 0 };
    unlockCpu(setting.rpal, thread.cpu, thread);
  });
  return seen;
}

describe('the CPU lock (patch 16)', () => {
  it('leaves a thread one CPU, and then gives it back what it had', () => {
    const setting = world({}, { plugins: [posix()] });
    const cpu = setting.machine.platform.cpus[0];
    if (cpu === undefined) throw new Error('no CPU');
    expect(allowed(setting, (thread) => lockCpu(setting.rpal, cpu, thread))).toEqual({ cpus: [0], size: 1, locked: true });
    const again = world({}, { plugins: [posix()] });
    const first = again.machine.platform.cpus[0];
    if (first === undefined) throw new Error('no CPU');
    const back = allowed(again, (thread) => {
      lockCpu(again.rpal, first, thread);
      unlockCpu(again.rpal, first, thread);
    });
    expect(back).toEqual({ cpus: [0, 2], size: 2, locked: false });
  });

  it('fails on a CPU that is no longer active, and the thread counts as locked all the same', () => {
    const setting = world({}, { plugins: [posix()] });
    const gone = setting.machine.platform.cpus[1];
    if (gone === undefined) throw new Error('no CPU');
    expect(allowed(setting, (thread) => lockCpu(setting.rpal, gone, thread))).toEqual({ cpus: [0, 2], size: 2, locked: true });
  });

  it('... repaired it does not fail: the thread runs there', () => {
    const setting = world({ repair: ['cpu-lock-fails'] }, { plugins: [posix()] });
    const gone = setting.machine.platform.cpus[1];
    if (gone === undefined) throw new Error('no CPU');
    expect(allowed(setting, (thread) => lockCpu(setting.rpal, gone, thread))).toEqual({ cpus: [1], size: 1, locked: true });
  });

  it.each([
    ['loses', [], { cpus: [0], size: 1, locked: false }],
    ['repaired keeps', ['cpu-lock-nests'], { cpus: [0, 2], size: 2, locked: false }],
  ] as const)('%s what the thread had if it is taken twice', (_what, repair, expected) => {
    const setting = world({ repair }, { plugins: [posix()] });
    const cpu = setting.machine.platform.cpus[0];
    if (cpu === undefined) throw new Error('no CPU');
    const twice = allowed(setting, (thread) => {
      lockCpu(setting.rpal, cpu, thread);
      lockCpu(setting.rpal, cpu, thread);
      unlockCpu(setting.rpal, cpu, thread);
    });
    expect(twice).toEqual(expected);
  });

  // By programs this is the end of a nested lock: of two callers of one receiver each comes back by the kernel and unlocks it. What is left of
  // the affinity then is the same as after the first, so it is shown here by itself.
  it.each([
    ['gives back what was kept last', [], { cpus: [0, 2], size: 2, locked: false }],
    ['repaired changes nothing', ['cpu-lock-nests'], { cpus: [0], size: 1, locked: false }],
  ] as const)('an unlock of a thread that is not locked %s', (_what, repair, expected) => {
    const setting = world({ repair }, { plugins: [posix()] });
    const cpu = setting.machine.platform.cpus[0];
    if (cpu === undefined) throw new Error('no CPU');
    const seen = allowed(setting, (thread) => {
      lockCpu(setting.rpal, cpu, thread);
      unlockCpu(setting.rpal, cpu, thread);
      setting.machine.kernel.scheduler.applyAffinity(cpu, thread, setting.rpal.only(cpu));
      unlockCpu(setting.rpal, cpu, thread);
    });
    expect(seen).toEqual(expected);
  });
});
