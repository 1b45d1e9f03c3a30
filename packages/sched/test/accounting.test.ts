import { cpuTime, LatencyHistogram, SchedStatistics, type SimulatedTask, Simulation, stealTime } from '@rpal/sched';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MS, US } from './tasks.js';

function* hog(task: SimulatedTask): Generator<void, void, void> {
  for (;;) yield task.work(1000 * MS);
}

describe('utime and stime', () => {
  it('add up to the precise run time, divided as ticks found the task', () => {
    const sim = new Simulation({ hz: 1000 });
    const worker = sim.spawn('worker', hog);
    const caller = sim.spawn('caller', function* (task) {
      for (;;) {
        yield task.work(300 * US);
        // 700 us in the kernel.
        yield task.inKernel((cpu) => cpu.chargeCycles(0, Math.round(700 * US * cpu.costs.tscPerNs)));
      }
    });
    sim.run(4000 * MS);
    const { user, system } = cpuTime(caller);
    expect(user + system).toBe(caller.entity.sumExec);
    expect(cpuTime(worker)).toEqual({ user: worker.entity.sumExec, system: 0 });
    expect(system).toBeGreaterThan(0);
  });
});

describe('steal time', () => {
  it('is what a plugin takes out of the task clock; without one there is none', () => {
    const sim = new Simulation();
    sim.spawn('hog', hog);
    sim.run(100 * MS);
    expect(sim.scheduler.runQueues.map(stealTime)).toEqual([0]);

    const robbed = new Simulation();
    robbed.scheduler.hooks.schedTaskClock.tap('thief', (delta) => Math.floor(delta / 2));
    const task = robbed.spawn('hog', hog);
    robbed.run(100 * MS);
    const [steal] = robbed.scheduler.runQueues.map(stealTime) as [number];
    expect(steal / MS).toBeCloseTo(50, 0);
    expect(task.entity.sumExec / MS).toBeCloseTo(50, 0);
  });
});

describe('statistics', () => {
  it('say how long woken tasks waited for a CPU', () => {
    const sim = new Simulation();
    const statistics = new SchedStatistics(sim.scheduler);
    const sleeper = sim.spawn('sleeper', function* (task) {
      for (let i = 0; i < 100; i++) {
        yield task.sleep(1 * MS);
        yield task.work(10 * US);
      }
    });
    sim.run(200 * MS);
    const { latency, timeslices, runDelay } = statistics.of(sleeper);
    expect(latency.count).toBe(100);
    expect(timeslices).toBe(101);
    expect(latency.max).toBeLessThan(10 * US);
    expect(latency.mean).toBeGreaterThan(0);
    expect(runDelay).toBeGreaterThanOrEqual(latency.total);
    expect(statistics.latency.count).toBe(100);
  });

  it('count the time that preempted tasks wait: with run and sleep time it makes up all of the time', () => {
    const sim = new Simulation();
    const statistics = new SchedStatistics(sim.scheduler);
    for (let i = 0; i < 3; i++) sim.spawn(`t${i}`, hog);
    sim.run(3000 * MS);
    for (const task of sim.tasks) {
      const { runDelay, waitingSince } = statistics.of(task);
      const still = waitingSince < 0 ? 0 : (sim.platform.now - waitingSince) / sim.platform.costs.tscPerNs;
      expect((task.entity.sumExec + runDelay + still) / (3000 * MS)).toBeCloseTo(1, 2);
    }
  });

  it('cost the run nothing, and stop when told to', () => {
    const run = (watch: boolean): string => {
      const sim = new Simulation({ cores: 2 });
      if (watch) new SchedStatistics(sim.scheduler);
      for (let i = 0; i < 3; i++) sim.spawn(`t${i}`, hog);
      sim.run(50 * MS);
      return sim.platform.fingerprint().digest();
    };
    expect(run(true)).toBe(run(false));
  });
});

describe('a latency histogram', () => {
  it('bounds every quantile from above, by less than a factor of two', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 2 ** 40 }), { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const histogram = new LatencyHistogram();
          for (const value of values) histogram.add(value);
          const sorted = [...values].sort((a, b) => a - b);
          const exact = sorted[Math.max(0, Math.ceil(q * values.length) - 1)] as number;
          expect(histogram.quantile(q)).toBeGreaterThanOrEqual(exact);
          if (q > 0) expect(histogram.quantile(q)).toBeLessThanOrEqual(2 * exact);
          expect(histogram.max).toBe(sorted.at(-1));
          expect(histogram.total).toBe(values.reduce((a, b) => a + b, 0));
        },
      ),
    );
  });
});
