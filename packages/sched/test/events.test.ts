import { CpuSet, type SimulatedTask, Simulation, TaskState, WaitQueue } from '@rpal/sched';
import { describe, expect, it } from 'vitest';
import { MS, US } from './tasks.js';

function* hog(task: SimulatedTask): Generator<void, void, void> {
  for (;;) yield task.work(1000 * MS);
}

/** What happens from now on, one line each, in order; idle tasks left out. */
function record(sim: Simulation): string[] {
  const seen: string[] = [];
  const { events } = sim.scheduler;
  let last = 0;
  const note = (cpu: number, time: number, text: string): void => {
    if (sim.platform.cpus.length === 1) expect(time).toBeGreaterThanOrEqual(last);
    last = time;
    seen.push(`CPU ${cpu}: ${text}`);
  };
  events.taskNew.on('test', (cpu, time, task, target) => note(cpu, time, `${task.name} is new on ${target}`));
  events.wakeUp.on('test', (cpu, time, task, target) => note(cpu, time, `${task.name} wakes on ${target}`));
  events.taskBlock.on('test', (cpu, time, task, state) => note(cpu, time, `${task.name} blocks in state ${state}`));
  events.taskMigrate.on('test', (cpu, time, task, from, to) => note(cpu, time, `${task.name} goes from ${from} to ${to}`));
  events.contextSwitch.on('test', (cpu, time, prev, next) => note(cpu, time, `${prev.name} > ${next.name}`));
  events.idleEnter.on('test', (cpu, time, state) => note(cpu, time, `idle in ${state.name}`));
  events.idleExit.on('test', (cpu, time, state) => note(cpu, time, `out of ${state.name}`));
  events.timerExpire.on('test', (cpu, time, timer) => {
    expect(time).toBeGreaterThanOrEqual(timer.soft);
    note(cpu, time, 'a timer');
  });
  return seen;
}

describe('events', () => {
  it('tell the life of a task, and what its CPU does without it', () => {
    const sim = new Simulation();
    // Without it the simulation would stop with the last task, before that has left.
    sim.spawn('stays', function* (self) {
      yield self.sleep(1e12);
    });
    sim.run(1 * MS);
    const seen = record(sim);
    const task = sim.spawn('task', function* (self) {
      yield self.work(10 * US);
      yield self.sleep(300 * US);
      yield self.work(10 * US);
    });
    sim.run(5 * MS);
    expect(task.ended).toBe(true);
    expect(seen).toEqual([
      'CPU 0: task is new on 0',
      'CPU 0: out of C1E',
      'CPU 0: swapper/0 > task',
      `CPU 0: task blocks in state ${TaskState.INTERRUPTIBLE}`,
      'CPU 0: task > swapper/0',
      'CPU 0: idle in C1E',
      'CPU 0: out of C1E',
      'CPU 0: a timer',
      'CPU 0: task wakes on 0',
      'CPU 0: swapper/0 > task',
      `CPU 0: task blocks in state ${TaskState.DEAD}`,
      'CPU 0: task > swapper/0',
      'CPU 0: idle in C1E',
    ]);
  });

  it('name the CPU on which a woken task will run, not the one on which it slept', () => {
    const sim = new Simulation({ cores: 2 });
    const queue = new WaitQueue('test');
    const sleeper = sim.spawn('sleeper', function* (task) {
      yield task.wait(queue);
      yield* hog(task);
    });
    sim.run(1 * MS);
    expect(sleeper.cpu.id).toBe(0);
    sim.spawn('busy', hog, { cpu: 0, affinity: [0] });
    sim.run(1 * MS);
    const seen = record(sim);
    const [zero, one] = [sim.scheduler.cpuOf(0), sim.scheduler.cpuOf(1)];
    one.wake(zero.clock);
    queue.wakeOne(one);
    sim.run(1 * MS);
    expect(seen.slice(0, 2)).toEqual(['CPU 1: sleeper wakes on 1', 'CPU 1: sleeper goes from 0 to 1']);
  });

  it('tell every move to another CPU: for affinity, by the balancer, by class', () => {
    const sim = new Simulation({ cores: 2 });
    const tasks = ['a', 'b', 'c'].map((name) => sim.spawn(name, hog, { cpu: 0, affinity: [0] }));
    sim.run(5 * MS);
    const moves: string[] = [];
    sim.scheduler.events.taskMigrate.on('test', (_cpu, _time, task, from, to) => {
      expect(task.cpu.id).toBe(from);
      moves.push(`${task.name}: ${from} > ${to}`);
    });
    const waiting = tasks.find(({ onCpu }) => !onCpu) as SimulatedTask;
    sim.scheduler.setAffinity(sim.scheduler.cpuOf(0), waiting, new CpuSet(2, [1]));
    expect(moves).toEqual([`${waiting.name}: 0 > 1`]);
    sim.run(5 * MS);
    for (const task of tasks) if (task !== waiting) sim.scheduler.setAffinity(sim.scheduler.cpuOf(0), task, sim.scheduler.everyCpu);
    sim.run(500 * MS);
    expect(moves.length).toBeGreaterThan(1);
    // What was told adds up to where everybody is.
    for (const task of tasks) {
      const last = moves.filter((move) => move.startsWith(`${task.name}:`)).at(-1);
      expect(task.cpu.id).toBe(last === undefined ? 0 : Number(last.at(-1)));
    }
  });

  it('that nobody listens to change nothing', () => {
    const run = (listen: boolean): number[] => {
      const sim = new Simulation({ cores: 2, seed: 5 });
      if (listen) record(sim);
      for (const name of ['a', 'b', 'c']) {
        sim.spawn(name, function* (task) {
          for (;;) {
            yield task.work(300 * US);
            yield task.sleep(500 * US);
          }
        });
      }
      sim.run(50 * MS);
      return [...sim.tasks.map(({ entity }) => entity.sumExec), ...sim.platform.cpus.map(({ clock }) => clock)];
    };
    expect(run(true)).toEqual(run(false));
  });
});
