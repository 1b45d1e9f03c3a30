import { SchedPolicy, type SimulatedTask, Simulation } from '@rpal/sched';
import { describe, expect, it } from 'vitest';
import { MS, US } from './tasks.js';

const { FIFO } = SchedPolicy;

function* hog(task: SimulatedTask): Generator<void, void, void> {
  for (;;) yield task.work(1000 * MS);
}

/** What a CPU runs: a real-time task of this priority, a fair one, or nothing. */
type Runs = number | 'fair' | 'nothing';

/** The CPU on which a real-time task wakes that slept on CPU 0. */
function wakesOn(priority: number, cpus: readonly Runs[], affinity?: readonly number[]): number {
  const sim = new Simulation({ cores: cpus.length });
  const sleeper = sim.spawn(
    'sleeper',
    function* (task) {
      yield task.sleep(1000 * MS);
      yield task.work(1 * MS);
    },
    { policy: FIFO, priority, cpu: 0, ...(affinity === undefined ? {} : { affinity }) },
  );
  sim.run(1 * MS);
  for (const [cpu, runs] of cpus.entries()) {
    const place = { cpu, affinity: [cpu] };
    if (runs !== 'nothing') sim.spawn(`busy ${cpu}`, hog, runs === 'fair' ? place : { ...place, policy: FIFO, priority: runs });
  }
  sim.run(1 * MS);
  sim.scheduler.wakeUp(sim.scheduler.cpuOf(0), sleeper);
  sim.run(100 * US);
  return sleeper.cpu.id;
}

describe('a real-time task that wakes', () => {
  it('stays where it was and preempts what is less urgent, though another CPU idles', () => {
    expect(wakesOn(10, ['fair', 'nothing'])).toBe(0);
    expect(wakesOn(10, [5, 'nothing'])).toBe(0);
  });

  it('goes to an idle CPU if something as urgent runs where it was', () => {
    expect(wakesOn(10, [10, 'nothing'])).toBe(1);
  });

  it('goes, if none idles, to the least urgent CPU that it may use', () => {
    expect(wakesOn(40, [50, 30, 10])).toBe(2);
    expect(wakesOn(40, [50, 30, 10], [0, 1])).toBe(1);
  });

  it('waits where it was if everybody is as urgent', () => {
    expect(wakesOn(10, [50, 10, 20])).toBe(0);
  });

  it('does not preempt its equal, which does not even go through the scheduler', () => {
    const sim = new Simulation();
    sim.spawn('first', hog, { policy: FIFO, priority: 5 });
    sim.run(1 * MS);
    let passes = 0;
    sim.scheduler.hooks.schedEnter.tap('test', () => {
      passes++;
    });
    const second = sim.spawn('second', hog, { policy: FIFO, priority: 5 });
    sim.run(10 * MS);
    expect(second.entity.sumExec).toBe(0);
    expect(passes).toBe(0);
    sim.spawn('urgent', hog, { policy: FIFO, priority: 6 });
    sim.run(10 * MS);
    expect(passes).toBe(1);
  });
});
