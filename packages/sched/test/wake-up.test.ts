import { CpuSet, SchedPolicy, type SimulatedTask, Simulation, TaskState } from '@rpal/sched';
import { describe, expect, it } from 'vitest';
import { MS, US } from './tasks.js';
import { order, record } from './trace.js';

/** Works for ever. */
function* hog(task: SimulatedTask): Generator<void, void, void> {
  for (;;) yield task.work(100 * MS);
}

describe('wake-up preemption', () => {
  function sleeperAgainstHog(policy: number): { latency: number; ticks: number } {
    const sim = new Simulation();
    sim.spawn('hog', hog);
    let latency = 0;
    sim.spawn(
      'sleeper',
      function* (task) {
        yield task.work(50 * US);
        for (let i = 0; i < 20; i++) {
          // Not at a tick, which would hide a missing preemption.
          const due = sim.now + 20.5 * MS;
          yield task.sleep(20.5 * MS);
          latency = Math.max(latency, sim.now - due);
          yield task.work(50 * US);
        }
      },
      { policy },
    );
    sim.run(500 * MS);
    return { latency, ticks: sim.scheduler.tickNs };
  }

  it('lets a sleeper that is owed time run at once', () => {
    expect(sleeperAgainstHog(SchedPolicy.NORMAL).latency).toBeLessThan(20 * US);
  });

  it('is not for batch tasks, which wait for the running slice to end', () => {
    const { latency, ticks } = sleeperAgainstHog(SchedPolicy.BATCH);
    expect(latency).toBeGreaterThan(1 * MS);
    expect(latency).toBeLessThan(2 * ticks);
  });

  it('does not help a task that has had more than its share', () => {
    const sim = new Simulation();
    sim.spawn('hog', hog);
    const greedy = sim.spawn('greedy', function* (task) {
      for (;;) {
        yield task.work(3 * MS);
        yield task.sleep(100 * US);
      }
    });
    sim.run(2000 * MS);
    // It would use nearly the whole CPU if every wake-up preempted.
    expect(greedy.entity.sumExec).toBeLessThan(0.52 * 2000 * MS);
  });
});

describe('the tick', () => {
  it('takes the CPU from a task whose slice is over, and gives it to the other in turn', () => {
    const sim = new Simulation({ hz: 250 });
    const trace = record(sim);
    sim.spawn('a', hog);
    sim.spawn('b', hog);
    sim.run(100 * MS);
    const stretches = trace();
    expect(order(stretches).slice(0, 6)).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
    // The base slice of one CPU, 0.7 ms, is shorter than a tick, so a tick it is. The first stretch ends at the first tick.
    for (const { from, to } of stretches.slice(1)) expect(to - from).toBeCloseTo(4000, -2);
  });

  it('leaves a task alone that nobody competes with', () => {
    const sim = new Simulation();
    const task = sim.spawn('alone', hog);
    sim.run(100 * MS);
    expect(task.involuntarySwitches).toBe(0);
  });

  it('is stopped while a CPU idles', () => {
    const sim = new Simulation({ cores: 2 });
    sim.spawn('pinned', hog, { affinity: [0] });
    sim.run(50 * MS);
    expect(sim.scheduler.runQueues[1]?.tick.armed).toBe(false);
    expect(sim.platform.cpus[1]?.interruptsTaken).toBe(0);
    expect(sim.platform.cpus[0]?.interruptsTaken).toBeGreaterThanOrEqual(12);
  });
});

describe('the choice of a CPU', () => {
  /** One task wakes another that slept on `previous`; where does it run? `busy` CPUs run something else. */
  function target(options: {
    waker: number;
    previous: number;
    busy?: number[];
    sync?: boolean;
    allowed?: number[];
    perCache?: number;
  }): number {
    const { waker, previous, busy = [], sync = false, allowed, perCache = 8 } = options;
    const sim = new Simulation({ cores: 8, coresPerCache: perCache });
    for (const cpu of busy) sim.spawn(`busy ${cpu}`, hog, { cpu, affinity: [cpu] });
    const sleeper = sim.spawn(
      'sleeper',
      function* (task) {
        yield task.work(10 * US);
        yield task.sleep(1000 * MS);
        yield task.work(1 * MS);
      },
      { cpu: previous, affinity: [previous] },
    );
    sim.spawn(
      'waker',
      function* (task) {
        yield task.work(20 * MS);
        yield task.inKernel((cpu) => {
          const set = allowed === undefined ? sim.scheduler.everyCpu : new CpuSet(8, allowed);
          sim.scheduler.applyAffinity(cpu, sleeper, set);
          sim.scheduler.wakeUp(cpu, sleeper, TaskState.INTERRUPTIBLE, sync);
        });
        yield task.work(3 * MS);
      },
      { cpu: waker, affinity: [waker] },
    );
    sim.run(20.5 * MS);
    return sleeper.cpu.id;
  }

  it('is the previous one while that idles', () => {
    expect(target({ waker: 0, previous: 3 })).toBe(3);
    expect(target({ waker: 0, previous: 3, busy: [1, 2, 4] })).toBe(3);
  });

  it('is an idle one under the same cache if the previous one is busy', () => {
    expect(target({ waker: 0, previous: 3, busy: [3] })).toBe(4);
    expect(target({ waker: 0, previous: 7, busy: [7], perCache: 4 })).toBe(4);
  });

  it('is the waker for a synchronous wake-up, if the waker is alone there and shares no cache with an idle previous one', () => {
    expect(target({ waker: 0, previous: 7, sync: true, perCache: 4 })).toBe(0 + 1);
  });

  it('is one that the task may use', () => {
    expect(target({ waker: 0, previous: 3, allowed: [5] })).toBe(5);
    expect([5, 6]).toContain(target({ waker: 0, previous: 3, allowed: [5, 6], busy: [5] }));
  });
});

describe('two wakers of one task', () => {
  it('wake it once, though the second comes while a tap considers the first', () => {
    const sim = new Simulation({ cores: 2 });
    const { scheduler } = sim;
    const sleeper = sim.spawn(
      'sleeper',
      function* (task) {
        yield task.sleep(1000 * MS);
        yield task.work(50 * US);
      },
      { cpu: 1, affinity: [1] },
    );
    const woken: boolean[] = [];
    let nested = false;
    scheduler.hooks.schedWakePermission.tap('test', (cpu, task) => {
      if (task !== sleeper || nested) return undefined;
      nested = true;
      woken.push(scheduler.wakeUp(cpu, task));
      return undefined;
    });
    sim.spawn('waker', function* (task) {
      yield task.work(1 * MS);
      yield task.inKernel((cpu) => {
        woken.push(scheduler.wakeUp(cpu, sleeper));
      });
    });
    sim.run(10 * MS);
    expect(woken).toEqual([true, false]);
  });
});
