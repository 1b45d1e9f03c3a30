import { CpuSet, type SimulatedTask, Simulation } from '@rpal/sched';
import { describe, expect, it } from 'vitest';
import { pullTask } from '../src/placement/balance.js';
import { MS } from './tasks.js';

function* hog(task: SimulatedTask): Generator<void, void, void> {
  for (;;) yield task.work(1000 * MS);
}

/** A machine with so many hogs on each CPU, which may not leave it. */
function loaded(hogs: readonly number[]): Simulation {
  const sim = new Simulation({ cores: hogs.length });
  for (const [cpu, count] of hogs.entries()) {
    for (let i = 0; i < count; i++) sim.spawn(`CPU ${cpu}, ${i}`, hog, { cpu, affinity: [cpu] });
  }
  sim.run(9 * MS);
  return sim;
}

/** The waiting tasks of a CPU may run on `also`, too. */
function free(sim: Simulation, cpu: number, also: number): void {
  const affinity = new CpuSet(sim.platform.cpus.length, [cpu, also]);
  for (const task of sim.tasks) if (task.cpu.id === cpu && !task.onCpu) sim.scheduler.setAffinity(task.cpu, task, affinity);
}

/** How many tasks move at each moment at which some do, from now on. */
function moves(sim: Simulation): () => number[] {
  const counts = new Map<number, number>();
  sim.scheduler.events.taskMigrate.on('test', (cpu) => {
    const tick = Math.floor(sim.scheduler.runQueue(sim.scheduler.cpuOf(cpu)).now / sim.scheduler.tickNs);
    counts.set(tick, (counts.get(tick) ?? 0) + 1);
  });
  return () => [...counts.values()];
}

describe('a CPU that runs out of work', () => {
  it('takes a task of the busiest queue, wherever that is in the order of CPUs', () => {
    for (const [hogs, from] of [
      [[4, 2, 3], 0],
      [[2, 4, 3], 1],
      [[2, 3, 4], 2],
    ] as const) {
      const sim = loaded([...hogs, 0]);
      for (const cpu of hogs.keys()) free(sim, cpu, 3);
      const taken = pullTask(sim.scheduler.runQueue(sim.scheduler.cpuOf(3)));
      expect(taken?.name).toMatch(`CPU ${from},`);
      expect(taken?.cpu.id).toBe(3);
    }
  });

  it('takes nothing from a CPU that is in the middle of a switch: its queue is locked', () => {
    const sim = loaded([3, 0]);
    free(sim, 0, 1);
    const idle = sim.scheduler.runQueue(sim.scheduler.cpuOf(1));
    const during: unknown[] = [];
    sim.scheduler.events.contextSwitch.on('test', (cpu) => {
      if (cpu === 0 && during.length === 0) during.push(pullTask(idle));
    });
    sim.run(5 * MS);
    expect(during).toEqual([null]);
  });
});

describe('a busy CPU', () => {
  it('takes as many tasks of a busier one as even the load out', () => {
    const sim = loaded([9, 1]);
    free(sim, 0, 1);
    const moved = moves(sim);
    sim.run(200 * MS);
    // 9 and 1 have 10 together: 4 go.
    expect(moved()[0]).toBe(4);
    expect(sim.scheduler.runQueues.map(({ running }) => running)).toEqual([5, 5]);
  });

  it('takes no more than 32 at a time', () => {
    const sim = loaded([99, 1]);
    free(sim, 0, 1);
    const moved = moves(sim);
    sim.run(400 * MS);
    expect(moved().slice(0, 2)).toEqual([32, 17]);
    expect(sim.scheduler.runQueues.map(({ running }) => running)).toEqual([50, 50]);
  });
});
