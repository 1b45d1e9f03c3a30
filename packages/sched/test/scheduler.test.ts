import { CpuSet, Scheduler, type SimulatedTask, Simulation, TaskState, WakeAnswer } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MS, US } from './tasks.js';
import { order, record } from './trace.js';

function* hog(task: SimulatedTask): Generator<void, void, void> {
  for (;;) yield task.work(100 * MS);
}

describe('a context switch', () => {
  it('goes from task to task, and to the idle task when nobody is left', () => {
    const sim = new Simulation();
    const switches: string[] = [];
    sim.scheduler.events.contextSwitch.on('test', (_cpu, _time, prev, next) => switches.push(`${prev.name} > ${next.name}`));
    sim.spawn('a', function* (task) {
      yield task.work(10 * US);
    });
    sim.spawn('b', function* (task) {
      yield task.work(10 * US);
      yield task.sleep(100 * US);
    });
    sim.run(1 * MS);
    expect(switches).toEqual(['swapper/0 > a', 'a > b', 'b > swapper/0', 'swapper/0 > b']);
  });

  it('is voluntary when the task sleeps, involuntary when it is preempted', () => {
    const sim = new Simulation();
    const sleeper = sim.spawn('sleeper', function* (task) {
      for (let i = 0; i < 10; i++) {
        yield task.work(10 * US);
        yield task.sleep(30 * MS);
      }
    });
    const worker = sim.spawn('hog', hog);
    sim.run(400 * MS);
    expect(sleeper.voluntarySwitches).toBe(11);
    expect(sleeper.involuntarySwitches).toBe(0);
    expect(worker.voluntarySwitches).toBe(0);
    expect(worker.involuntarySwitches).toBeGreaterThanOrEqual(9);
  });

  it('is either, not both, also when a sleeper stays on the queue because it owes time', () => {
    const sim = new Simulation();
    sim.spawn('hog', hog);
    const greedy = sim.spawn('greedy', function* (task) {
      for (;;) {
        yield task.work(3 * MS);
        yield task.sleep(100 * US);
      }
    });
    let [blocks, leaves, delayed] = [0, 0, 0];
    sim.scheduler.events.taskBlock.on('test', (_cpu, _time, task) => {
      if (task === greedy) blocks++;
    });
    sim.scheduler.events.contextSwitch.on('test', (_cpu, _time, prev) => {
      if (prev !== greedy) return;
      leaves++;
      if (greedy.entity.delayed) delayed++;
    });
    sim.run(500 * MS);
    expect(delayed).toBeGreaterThan(0);
    expect(greedy.voluntarySwitches).toBe(blocks);
    expect(greedy.voluntarySwitches + greedy.involuntarySwitches).toBe(leaves);
  });

  it('asks nobody who shares the machine: time is conserved exactly', () => {
    const sim = new Simulation({ cores: 3 });
    for (let i = 0; i < 7; i++) {
      sim.spawn(`t${i}`, function* (task) {
        for (;;) {
          yield task.work((i + 1) * 300 * US);
          yield task.sleep((7 - i) * 200 * US);
        }
      });
    }
    sim.run(200 * MS);
    const { runQueues } = sim.scheduler;
    const busy = sim.tasks.reduce((sum, { entity }) => sum + entity.sumExec, 0);
    const idle = runQueues.reduce((sum, rq) => sum + rq.idle.entity.sumExec, 0);
    const elapsed = runQueues.reduce((sum, rq) => sum + rq.taskClock, 0);
    expect(busy + idle).toBe(elapsed);
    expect(elapsed).toBeGreaterThanOrEqual(3 * 200 * MS);
  });

  it('gives the same run twice', () => {
    const run = (): string => {
      const sim = new Simulation({ cores: 2 });
      for (let i = 0; i < 5; i++) {
        sim.spawn(`t${i}`, function* (task) {
          for (;;) {
            yield task.work(i * 170 * US + 1);
            yield task.sleep(90 * US);
          }
        });
      }
      sim.run(50 * MS);
      return sim.platform.fingerprint().digest();
    };
    expect(run()).toBe(run());
  });
});

describe('affinity', () => {
  it('moves a running task when it next passes the scheduler, and a waiting one at once', () => {
    const sim = new Simulation({ cores: 2 });
    const running = sim.spawn('running', hog, { affinity: [0] });
    const waiting = sim.spawn('waiting', hog, { affinity: [0] });
    sim.run(1 * MS);
    const cpu = running.cpu;
    expect(sim.scheduler.setAffinity(cpu, waiting, new CpuSet(2, [1]))).toBe(0);
    expect(waiting.cpu.id).toBe(1);
    expect(sim.scheduler.setAffinity(cpu, running, new CpuSet(2, [1]))).toBe(0);
    expect(running.cpu.id).toBe(0);
    sim.run(5 * MS);
    expect(running.cpu.id).toBe(1);
    expect(sim.scheduler.runQueues[0]?.isIdle).toBe(true);
  });

  it('must name a CPU of the machine', () => {
    const sim = new Simulation({ cores: 2 });
    const task = sim.spawn('task', hog);
    expect(sim.scheduler.setAffinity(task.cpu, task, new CpuSet(2))).toBe(-Errno.EINVAL);
    expect(sim.scheduler.setAffinity(task.cpu, task, new CpuSet(64, [40]))).toBe(-Errno.EINVAL);
  });

  it('may be refused for the moment by a plugin', () => {
    const sim = new Simulation({ cores: 2 });
    const task = sim.spawn('task', hog);
    sim.scheduler.hooks.schedAffinity.tap('test', () => false);
    expect(sim.scheduler.setAffinity(task.cpu, task, new CpuSet(2, [1]))).toBe(-Errno.EAGAIN);
    expect(task.affinity.size).toBe(2);
  });

  it('holds for every moment of a run', () => {
    const sim = new Simulation({ cores: 4 });
    const trace = record(sim);
    const allowed = [[0], [1, 2], [3], [0, 3], [2]];
    allowed.forEach((affinity, i) => {
      sim.spawn(
        `t${i}`,
        function* (task) {
          for (;;) {
            yield task.work((i + 1) * 90 * US);
            yield task.sleep(70 * US);
          }
        },
        { cpu: affinity[0] ?? 0, affinity },
      );
    });
    sim.run(40 * MS);
    for (const { name, cpu } of trace()) if (name.startsWith('t')) expect(allowed[Number(name.slice(1))]).toContain(cpu);
    expect(trace().length).toBeGreaterThan(200);
  });
});

describe('an idle CPU', () => {
  it('sleeps in the state that the machine was built with, and wakes with its latency', () => {
    const latency = (idle: 'poll' | 'C1' | 'C6'): number => {
      const sim = new Simulation({ idle });
      let worst = 0;
      sim.spawn('sleeper', function* (task) {
        for (let i = 0; i < 5; i++) {
          const due = sim.now + 100 * US;
          yield task.sleep(100 * US);
          worst = Math.max(worst, sim.now - due);
        }
      });
      sim.run(10 * MS);
      return worst;
    };
    expect(latency('poll')).toBeLessThan(latency('C1'));
    expect(latency('C1')).toBeLessThan(latency('C6'));
  });

  it('is woken to take over one of two tasks of a busy CPU, once they may come to it', () => {
    const sim = new Simulation({ cores: 2 });
    const tasks = ['a', 'b'].map((name) => sim.spawn(name, hog, { cpu: 0, affinity: [0] }));
    sim.run(50 * MS);
    expect(tasks.map(({ cpu }) => cpu.id)).toEqual([0, 0]);
    for (const task of tasks) sim.scheduler.setAffinity(sim.scheduler.cpuOf(0), task, sim.scheduler.everyCpu);
    sim.run(10 * MS);
    expect(new Set(tasks.map(({ cpu }) => cpu.id))).toEqual(new Set([0, 1]));
  });

  it('is refused by name if the processor has no such state', () => {
    const { platform } = new Simulation();
    expect(() => new Scheduler(platform, { idle: 'C9' as 'C1' })).toThrow(/no idle state "C9"; it has .*C1E/);
  });
});

describe('wake-up permission', () => {
  it.each([
    [WakeAnswer.REFUSE, 'is told', false],
    [WakeAnswer.REFUSE_UNNOTICED, 'believes that it was woken', true],
  ])('is asked of plugins; refused (%i), the sleeper sleeps on and the waker %s', (refusal, _what, result) => {
    const sim = new Simulation();
    const sleeper = sim.spawn('sleeper', function* (task) {
      yield task.sleep(100 * MS);
    });
    sim.run(1 * MS);
    let answer: WakeAnswer = refusal;
    sim.scheduler.hooks.schedWakePermission.tap('test', () => answer);
    const cpu = sim.scheduler.cpuOf(0);
    expect(sim.scheduler.wakeUp(cpu, sleeper)).toBe(result);
    expect(sleeper.state).toBe(TaskState.INTERRUPTIBLE);
    answer = WakeAnswer.ALLOW;
    expect(sim.scheduler.wakeUp(cpu, sleeper)).toBe(true);
  });
});

describe('a simulation', () => {
  it('goes on where the last run ended, even if all its tasks sleep for long', () => {
    const sim = new Simulation();
    const sleeper = sim.spawn('sleeper', function* (task) {
      yield task.sleep(1000 * MS);
    });
    expect(sim.run(1 * MS)).toBe('until');
    expect(sim.now).toBeCloseTo(1 * MS, 0);
    let began = 0;
    sim.spawn('late', function* (task) {
      yield task.work(10 * US);
      began = sim.now;
      yield task.sleep(1 * MS);
    });
    sim.run(5 * MS);
    expect(sim.now).toBeCloseTo(6 * MS, 0);
    expect(began).toBeLessThan(1.1 * MS);
    expect(sleeper.ended).toBe(false);
  });

  it('runs tasks in turn and ends when the last one has ended', () => {
    const sim = new Simulation();
    const trace = record(sim);
    for (const name of ['a', 'b']) {
      sim.spawn(name, function* (task) {
        yield task.work(6 * MS);
      });
    }
    expect(sim.run(1000 * MS)).toBe('stopped');
    expect(sim.now).toBeLessThan(13 * MS);
    expect(order(trace())).toEqual(['a', 'b', 'a']);
  });

  it('says what is wrong with its options', () => {
    expect(() => new Simulation({ cores: 0 })).toThrow('cores: 0 must be a whole number, at least 1');
    expect(() => new Simulation({ cores: 6, coresPerCache: 4 })).toThrow('coresPerCache: 4 does not divide the 6 cores');
    const sim = new Simulation({ cores: 2 });
    expect(() => sim.spawn('x', hog, { cpu: 2 })).toThrow('cpu: 2 is not one of the CPUs 0 to 1');
    expect(() => sim.spawn('x', hog, { nice: 20 })).toThrow('nice: 20 must be a whole number from -20 to 19');
    expect(() => sim.spawn('x', hog, { affinity: [] })).toThrow('at least one CPU');
  });
});
