import { CpuSet, type SimulatedTask, Simulation } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MS } from './tasks.js';

function* hog(task: SimulatedTask): Generator<void, void, void> {
  for (;;) yield task.work(1000 * MS);
}

describe('a CPU that is taken out of use', () => {
  it('loses its tasks to those that are left, and gets them back', () => {
    const sim = new Simulation({ cores: 2 });
    const { hotplug } = sim.scheduler;
    const [zero, one] = [sim.scheduler.cpuOf(0), sim.scheduler.cpuOf(1)];
    const free = sim.spawn('anywhere', hog, { cpu: 1 });
    const tied = sim.spawn('tied', hog, { cpu: 1, affinity: [1] });
    sim.run(20 * MS);
    hotplug.deactivate(one);
    for (const task of [free, tied]) expect(hotplug.vacate(zero, one, task)).toBe(true);
    sim.run(20 * MS);
    expect([free.cpu.id, tied.cpu.id]).toEqual([0, 0]);
    expect(sim.scheduler.setAffinity(zero, free, new CpuSet(2, [1]))).toBe(-Errno.EINVAL);
    hotplug.activate(zero, one, [free, tied]);
    // One that could run nowhere else has lost its affinity for good, as in Linux.
    expect([free.affinity.size, tied.affinity.first]).toEqual([2, 0]);
    sim.run(20 * MS);
    expect(new Set([free.cpu.id, tied.cpu.id])).toEqual(new Set([0, 1]));
  });

  it('keeps a task that a plugin holds there', () => {
    const sim = new Simulation({ cores: 2 });
    const [zero, one] = [sim.scheduler.cpuOf(0), sim.scheduler.cpuOf(1)];
    const task = sim.spawn('task', hog, { cpu: 1, affinity: [1] });
    let held = true;
    sim.scheduler.hooks.schedVacate.tap('test', () => (held ? false : undefined));
    sim.scheduler.hotplug.deactivate(one);
    expect(sim.scheduler.hotplug.vacate(zero, one, task)).toBe(false);
    held = false;
    expect(sim.scheduler.hotplug.vacate(zero, one, task)).toBe(true);
    sim.run(10 * MS);
    expect(task.cpu.id).toBe(0);
  });
});

describe('a change of policy', () => {
  it('can be refused by a plugin', () => {
    const sim = new Simulation();
    const task = sim.spawn('task', hog);
    sim.scheduler.hooks.schedPolicy.tap('test', (_task, policy) => (policy === 1 ? -Errno.EPERM : undefined));
    expect(sim.scheduler.setScheduler(task.cpu, task, 1, 5)).toBe(-Errno.EPERM);
    expect(task.policy).toBe(0);
    expect(sim.scheduler.setScheduler(task.cpu, task, 2, 5)).toBe(0);
  });
});
