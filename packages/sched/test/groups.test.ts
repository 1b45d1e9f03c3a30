import { Bandwidth, type SimulatedTask, Simulation, type Task, type TaskGroup } from '@rpal/sched';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MS, US } from './tasks.js';

function* hog(task: SimulatedTask): Generator<void, void, void> {
  for (;;) yield task.work(1000 * MS);
}

const ran = (sim: Simulation, group: TaskGroup | null): number =>
  sim.tasks.filter((task) => task.group === group).reduce((sum, { entity }) => sum + entity.sumExec, 0);

/** Time is conserved, and the counts of runnable tasks are right, whatever groups do. */
function checkBooks(sim: Simulation): void {
  const busy = sim.tasks.reduce((sum, { entity }) => sum + entity.sumExec, 0);
  const idle = sim.scheduler.runQueues.reduce((sum, rq) => sum + rq.idle.entity.sumExec, 0);
  expect(busy + idle).toBe(sim.scheduler.runQueues.reduce((sum, rq) => sum + rq.taskClock, 0));
  const stopped = (task: Task): boolean => {
    for (let { group } = task; group !== null; group = group.parent) {
      if (group.on(sim.scheduler.runQueue(task.cpu)).throttled) return true;
    }
    return false;
  };
  for (const rq of sim.scheduler.runQueues) {
    const runnable = sim.tasks.filter((task) => task.onRq && task.cpu === rq.cpu && !task.entity.delayed && !stopped(task));
    expect(rq.running).toBe(runnable.length);
  }
}

describe('task groups', () => {
  it('share the CPU by their weights, however many tasks each has', () => {
    const sim = new Simulation({ hz: 1000 });
    const many = sim.scheduler.createGroup('many');
    const few = sim.scheduler.createGroup('few');
    few.setWeight(300);
    for (let i = 0; i < 9; i++) sim.spawn(`many ${i}`, hog, { group: many });
    sim.spawn('few', hog, { group: few });
    sim.run(10_000 * MS);
    expect(ran(sim, few) / ran(sim, many)).toBeCloseTo(3, 1);
    for (const { entity, group } of sim.tasks) if (group === many) expect(entity.sumExec / (ran(sim, many) / 9)).toBeCloseTo(1, 1);
    checkBooks(sim);
  });

  it('nest: a share is divided among the groups and tasks below', () => {
    const sim = new Simulation({ hz: 1000 });
    const { scheduler } = sim;
    const outer = scheduler.createGroup('outer');
    const inner = scheduler.createGroup('inner', outer);
    inner.setWeight(200);
    sim.spawn('root task', hog);
    sim.spawn('outer task', hog, { group: outer });
    sim.spawn('inner 1', hog, { group: inner });
    sim.spawn('inner 2', hog, { group: inner });
    sim.run(12_000 * MS);
    // Half for the root's task, half for outer; of that a third for its own task, two thirds for inner.
    const shares = sim.tasks.map(({ entity }) => entity.sumExec / (12_000 * MS));
    for (const [i, share] of [1 / 2, 1 / 6, 1 / 6, 1 / 6].entries()) expect(shares[i]).toBeCloseTo(share, 2);
    checkBooks(sim);
  });

  it('weigh over all CPUs together', () => {
    const sim = new Simulation({ cores: 2, hz: 1000 });
    const a = sim.scheduler.createGroup('a');
    const b = sim.scheduler.createGroup('b');
    for (const cpu of [0, 1]) {
      sim.spawn(`a ${cpu}`, hog, { group: a, cpu, affinity: [cpu] });
      for (let i = 0; i < 3; i++) sim.spawn(`b ${cpu} ${i}`, hog, { group: b, cpu, affinity: [cpu] });
    }
    sim.run(8000 * MS);
    expect(ran(sim, a) / ran(sim, b)).toBeCloseTo(1, 1);
    checkBooks(sim);
  });

  it('change by a move, for running, waiting and sleeping tasks', () => {
    const sim = new Simulation({ hz: 1000 });
    const group = sim.scheduler.createGroup('group');
    for (let i = 0; i < 3; i++) sim.spawn(`t${i}`, hog);
    const sleeper = sim.spawn('sleeper', function* (task) {
      for (;;) {
        yield task.sleep(5 * MS);
        yield task.work(1 * MS);
      }
    });
    sim.run(103 * MS);
    const [stays, ...others] = sim.tasks as [SimulatedTask, ...SimulatedTask[]];
    for (const task of others) sim.scheduler.setGroup(stays.cpu, task, group);
    const before = stays.entity.sumExec;
    sim.run(4000 * MS);
    expect((stays.entity.sumExec - before) / (4000 * MS)).toBeCloseTo(0.5, 1);
    checkBooks(sim);
    for (const task of others) sim.scheduler.setGroup(stays.cpu, task, null);
    sim.run(100 * MS);
    expect(group.queues[0]?.queued).toBe(0);
    expect(sleeper.group).toBeNull();
    checkBooks(sim);
  });

  it('refuse weights that Linux refuses', () => {
    const group = new Simulation().scheduler.createGroup('group');
    for (const weight of [0, 10_001, 1.5]) expect(() => group.setWeight(weight)).toThrow('must be a whole number from 1 to 10000');
  });
});

describe('bandwidth control', () => {
  it('limits a group to its quota, also when nobody else wants the CPU', () => {
    const sim = new Simulation({ hz: 1000 });
    const group = sim.scheduler.createGroup('limited');
    Bandwidth.limit(group, sim.scheduler.cpuOf(0), 20 * MS, 100 * MS);
    for (let i = 0; i < 2; i++) sim.spawn(`t${i}`, hog, { group });
    sim.run(5000 * MS);
    expect(ran(sim, group) / (5000 * MS)).toBeCloseTo(0.2, 1);
    expect(ran(sim, group)).toBeLessThan(0.22 * 5000 * MS);
    expect(sim.scheduler.runQueues[0]?.idle.entity.sumExec).toBeGreaterThan(0.77 * 5000 * MS);
    expect(group.bandwidth?.throttledPeriods).toBeGreaterThan(45);
    checkBooks(sim);
  });

  it('counts all CPUs together', () => {
    const sim = new Simulation({ cores: 4, hz: 1000 });
    const group = sim.scheduler.createGroup('limited');
    Bandwidth.limit(group, sim.scheduler.cpuOf(0), 150 * MS, 100 * MS);
    for (let i = 0; i < 8; i++) sim.spawn(`t${i}`, hog, { group });
    sim.run(4000 * MS);
    expect(ran(sim, group) / (4000 * MS)).toBeGreaterThan(1.4);
    expect(ran(sim, group) / (4000 * MS)).toBeLessThan(1.65);
    checkBooks(sim);
  });

  it('gives what is left to others', () => {
    const sim = new Simulation({ hz: 1000 });
    const group = sim.scheduler.createGroup('limited');
    Bandwidth.limit(group, sim.scheduler.cpuOf(0), 10 * MS, 50 * MS);
    sim.spawn('limited', hog, { group });
    const free = sim.spawn('free', hog);
    sim.run(5000 * MS);
    expect(free.entity.sumExec / (5000 * MS)).toBeGreaterThan(0.77);
    checkBooks(sim);
  });

  it('leaves a group alone that stays below its quota', () => {
    const sim = new Simulation({ hz: 1000 });
    const group = sim.scheduler.createGroup('modest');
    Bandwidth.limit(group, sim.scheduler.cpuOf(0), 50 * MS, 100 * MS);
    sim.spawn(
      'modest',
      function* (task) {
        for (;;) {
          yield task.work(3 * MS);
          yield task.sleep(7 * MS);
        }
      },
      { group },
    );
    sim.run(3000 * MS);
    expect(group.bandwidth?.throttledPeriods).toBe(0);
    expect(ran(sim, group) / (3000 * MS)).toBeCloseTo(0.3, 1);
  });

  it('ends: what was stopped goes on at once, and owes nothing', () => {
    const sim = new Simulation({ cores: 2, hz: 1000 });
    const group = sim.scheduler.createGroup('limited');
    // The administrator's.
    const cpu = sim.scheduler.cpuOf(1);
    Bandwidth.limit(group, cpu, 10 * MS, 1000 * MS);
    sim.spawn('limited', hog, { group, affinity: [0] });
    sim.run(500 * MS);
    expect(group.queues[0]?.throttled).toBe(true);
    const before = ran(sim, group);
    Bandwidth.limit(group, cpu, Number.POSITIVE_INFINITY);
    sim.run(200 * MS);
    expect(ran(sim, group) - before).toBeGreaterThan(199 * MS);
    Bandwidth.limit(group, cpu, 10 * MS, 1000 * MS);
    sim.run(500 * MS);
    expect(group.queues[0]?.throttled).toBe(true);
    Bandwidth.limit(group, cpu, 500 * MS, 1000 * MS);
    const limited = ran(sim, group);
    sim.run(400 * MS);
    expect(ran(sim, group) - limited, 'the new quota from now on, not from the next period').toBeGreaterThan(399 * MS);
    checkBooks(sim);
  });

  it('refuses quotas and periods that Linux refuses', () => {
    const { scheduler } = new Simulation();
    const group = scheduler.createGroup('group');
    for (const [quota, period] of [
      [0.5 * MS, 100 * MS],
      [10 * MS, 0.5 * MS],
      [10 * MS, 1001 * MS],
      [Number.NaN, 100 * MS],
    ] as const) {
      expect(() => Bandwidth.limit(group, scheduler.cpuOf(0), quota, period)).toThrow('at least 1 ms');
    }
  });
});

describe('groups under random load', () => {
  it('keep the books: time is conserved, counts are right, nobody starves', () => {
    const member = fc.record({
      group: fc.nat(4),
      work: fc.integer({ min: 1, max: 20 }),
      sleep: fc.integer({ min: 0, max: 30 }),
      pinned: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(member, { minLength: 2, maxLength: 24 }),
        fc.boolean(),
        (cores, members, limited) => {
          const sim = new Simulation({ cores });
          const { scheduler } = sim;
          const a = scheduler.createGroup('a');
          const b = scheduler.createGroup('b', a);
          const c = scheduler.createGroup('c', a);
          const d = scheduler.createGroup('d');
          c.setWeight(250);
          if (limited) {
            Bandwidth.limit(a, scheduler.cpuOf(0), 30 * MS, 50 * MS);
            Bandwidth.limit(b, scheduler.cpuOf(0), 5 * MS, 40 * MS);
          }
          const groups = [null, a, b, c, d];
          members.forEach(({ group, work, sleep, pinned }, i) => {
            const cpu = i % cores;
            sim.spawn(
              `t${i}`,
              function* (task) {
                for (;;) {
                  yield task.work(work * MS);
                  if (sleep > 0) yield task.sleep(sleep * MS + 50 * US);
                  else yield task.yield();
                }
              },
              { cpu, ...(pinned ? { affinity: [cpu] } : {}), ...(groups[group] === null ? {} : { group: groups[group] as TaskGroup }) },
            );
          });
          const kernelThreads: Task[] = [];
          scheduler.hooks.schedTaskNew.tap('test', (task) => kernelThreads.push(task));
          for (let i = 0; i < 8; i++) {
            sim.run(61 * MS);
            if (kernelThreads.length === 0) checkBooks(sim);
          }
          sim.run(4000 * MS);
          for (const task of sim.tasks) expect(task.entity.sumExec, task.name).toBeGreaterThan(0);
        },
      ),
      { numRuns: 12, seed: 615 },
    );
  });

  it('keep the books while an administrator moves tasks and changes limits', () => {
    const command = fc.record({
      task: fc.nat(),
      group: fc.nat(3),
      quota: fc.constantFrom(2, 10, 30, Number.POSITIVE_INFINITY),
      limits: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(command, { minLength: 5, maxLength: 40 }), (cores, commands) => {
        const sim = new Simulation({ cores });
        const { scheduler } = sim;
        const a = scheduler.createGroup('a');
        const groups = [null, a, scheduler.createGroup('b', a), scheduler.createGroup('c')];
        for (let i = 0; i < 3 * cores; i++) {
          sim.spawn(
            `t${i}`,
            function* (task) {
              for (;;) {
                yield task.work((1 + i) * MS);
                if (i % 3 > 0) yield task.sleep(i * MS + 50 * US);
              }
            },
            { cpu: i % cores, affinity: [i % cores] },
          );
        }
        for (const { task, group, quota, limits } of commands) {
          sim.run(13 * MS);
          const cpu = scheduler.cpuOf(task % cores);
          const chosen = groups[group] as TaskGroup | null;
          if (!limits) scheduler.setGroup(cpu, sim.tasks[task % sim.tasks.length] as SimulatedTask, chosen);
          else if (chosen !== null) Bandwidth.limit(chosen, cpu, quota * MS, 50 * MS);
          checkBooks(sim);
        }
        for (const group of groups) if (group !== null) Bandwidth.limit(group, scheduler.cpuOf(0), Number.POSITIVE_INFINITY);
        const before = sim.tasks.map(({ entity }) => entity.sumExec);
        sim.run(2000 * MS);
        sim.tasks.forEach(({ entity, name }, i) => {
          expect(entity.sumExec, name).toBeGreaterThan(before[i] as number);
        });
        checkBooks(sim);
      }),
      { numRuns: 25, seed: 615 },
    );
  });
});
