import {
  Completion,
  CpuSet,
  DelayedWork,
  Mutex,
  Scheduler,
  type SimulatedTask,
  Simulation,
  SleepTimer,
  TaskState,
  WaitQueue,
  Workqueue,
} from '@rpal/sched';
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
    sim.scheduler.events.contextSwitch.on((_cpu, _time, prev, next) => switches.push(`${prev.name} > ${next.name}`));
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

  it('is refused by name if the processor has no such state', () => {
    const { platform } = new Simulation();
    expect(() => new Scheduler(platform, { idle: 'C9' as 'C1' })).toThrow(/no idle state "C9"; it has .*C1E/);
  });
});

describe('a wait queue', () => {
  /** Tasks that wait, some exclusively; who was woken by `wake`? */
  function woken(exclusive: readonly boolean[], count: number): string[] {
    const sim = new Simulation();
    const queue = new WaitQueue();
    const names: string[] = [];
    exclusive.forEach((isExclusive, i) => {
      sim.spawn(`w${i}`, function* (task) {
        yield task.wait(queue, isExclusive);
        names.push(task.name);
      });
    });
    sim.run(1 * MS);
    const cpu = sim.scheduler.cpuOf(0);
    queue.wake(cpu, count, 0, false);
    cpu.wake(cpu.clock);
    sim.run(5 * MS);
    return names.sort();
  }

  it('wakes everybody who waits shared, and as many as asked of those who wait exclusively, first come first', () => {
    expect(woken([true, true, true], 1)).toEqual(['w0']);
    expect(woken([true, false, true, false], 1)).toEqual(['w0', 'w1', 'w3']);
    expect(woken([true, true, false, true], 2)).toEqual(['w0', 'w1', 'w2']);
    expect(woken([true, true, true], 0)).toEqual(['w0', 'w1', 'w2']);
  });

  it('is empty after everybody has gone', () => {
    const sim = new Simulation();
    const queue = new WaitQueue();
    sim.spawn('waits', function* (task) {
      yield task.wait(queue);
    });
    sim.run(1 * MS);
    expect(queue.active).toBe(true);
    queue.wake(sim.scheduler.cpuOf(0), 1, 0, false);
    expect(queue.active).toBe(false);
  });
});

describe('a mutex', () => {
  it('lets one in at a time, in the order of arrival', () => {
    const sim = new Simulation({ cores: 4 });
    const mutex = new Mutex(sim.scheduler);
    const entered: string[] = [];
    let inside = 0;
    for (let i = 0; i < 4; i++) {
      sim.spawn(
        `t${i}`,
        function* (task) {
          yield task.sleep((i + 1) * 100 * US);
          yield task.waitFor((cpu) => mutex.lock(cpu, task));
          expect(++inside).toBe(1);
          entered.push(task.name);
          yield task.work(1 * MS);
          inside--;
          yield task.inKernel((cpu) => mutex.unlock(cpu));
        },
        { cpu: i },
      );
    }
    expect(sim.run(20 * MS)).toBe('stopped');
    expect(entered).toEqual(['t0', 't1', 't2', 't3']);
  });
});

describe('a completion', () => {
  it('lets as many pass as were completed, or all', () => {
    const sim = new Simulation({ cores: 4 });
    const completion = new Completion(sim.scheduler);
    const passed: string[] = [];
    for (let i = 0; i < 4; i++) {
      sim.spawn(
        `t${i}`,
        function* (task) {
          yield task.sleep((i + 1) * 100 * US);
          yield task.waitFor((cpu) => completion.wait(cpu, task));
          passed.push(task.name);
        },
        { cpu: i },
      );
    }
    sim.run(5 * MS);
    expect(passed).toEqual([]);
    const cpu = sim.scheduler.cpuOf(0);
    cpu.wake(cpu.clock);
    completion.complete(cpu);
    sim.run(5 * MS);
    expect(passed).toEqual(['t0']);
    cpu.wake(sim.platform.now);
    completion.completeAll(cpu);
    sim.run(5 * MS);
    expect(passed.sort()).toEqual(['t0', 't1', 't2', 't3']);
    expect(completion.wait(cpu, sim.tasks[0] as SimulatedTask)).toBe(true);
    completion.reinit();
    expect(completion.done).toBe(0);
  });
});

describe('a timer', () => {
  it('runs its callback when it is due, on the CPU that armed it', () => {
    const sim = new Simulation({ cores: 2 });
    const fired: [number, number][] = [];
    const timer = new SleepTimer(sim.scheduler, (cpu) => fired.push([cpu.id, Math.round(sim.now / US)]));
    sim.spawn(
      'arms',
      function* (task) {
        yield task.work(100 * US);
        yield task.inKernel((cpu) => timer.start(cpu, 300 * US));
        yield task.work(1 * MS);
      },
      { cpu: 1, affinity: [1] },
    );
    sim.run(2 * MS);
    expect(fired.length).toBe(1);
    expect(fired[0]?.[0]).toBe(1);
    expect(fired[0]?.[1]).toBeGreaterThanOrEqual(400);
    expect(fired[0]?.[1]).toBeLessThan(410);
  });

  it('that was stopped does not run', () => {
    const sim = new Simulation();
    let fired = 0;
    const timer = new SleepTimer(sim.scheduler, () => fired++);
    sim.spawn('arms', function* (task) {
      yield task.inKernel((cpu) => timer.start(cpu, 300 * US));
      yield task.work(100 * US);
      yield task.inKernel(() => timer.stop());
      yield task.work(1 * MS);
    });
    sim.run(2 * MS);
    expect(fired).toBe(0);
  });
});

describe('a workqueue', () => {
  it('runs delayed work in a kernel thread of the CPU, once, not before its time', () => {
    const sim = new Simulation({ cores: 2 });
    const workqueue = new Workqueue(sim.scheduler);
    const ran: [string, number][] = [];
    const work = new DelayedWork(workqueue, sim.scheduler, (cpu) => ran.push([sim.scheduler.current(cpu).name, sim.now]));
    sim.spawn(
      'queues',
      function* (task) {
        yield task.inKernel((cpu) => {
          workqueue.queueDelayed(cpu, work, 2 * MS);
          workqueue.queueDelayed(cpu, work, 1 * MS);
        });
        yield task.work(5 * MS);
      },
      { cpu: 1, affinity: [1] },
    );
    sim.run(10 * MS);
    expect(ran.map(([name]) => name)).toEqual(['kworker/1']);
    expect(ran[0]?.[1]).toBeGreaterThan(2 * MS);
    expect(ran[0]?.[1]).toBeLessThan(2.2 * MS);
  });

  it('forgets work that is cancelled in time', () => {
    const sim = new Simulation();
    const workqueue = new Workqueue(sim.scheduler);
    let ran = 0;
    const work = new DelayedWork(workqueue, sim.scheduler, () => ran++);
    sim.spawn('queues', function* (task) {
      yield task.inKernel((cpu) => workqueue.queueDelayed(cpu, work, 1 * MS));
      yield task.work(500 * US);
      yield task.inKernel(() => workqueue.cancel(work));
      yield task.work(3 * MS);
    });
    sim.run(10 * MS);
    expect(ran).toBe(0);
  });
});

describe('wake-up permission', () => {
  it('is asked of plugins; refused, the sleeper sleeps on and the waker is told', () => {
    const sim = new Simulation();
    const sleeper = sim.spawn('sleeper', function* (task) {
      yield task.sleep(100 * MS);
    });
    sim.run(1 * MS);
    let allowed = false;
    sim.scheduler.hooks.schedWakePermission.tap('test', () => allowed);
    const cpu = sim.scheduler.cpuOf(0);
    expect(sim.scheduler.wakeUp(cpu, sleeper)).toBe(false);
    expect(sleeper.state).toBe(TaskState.INTERRUPTIBLE);
    allowed = true;
    expect(sim.scheduler.wakeUp(cpu, sleeper)).toBe(true);
  });
});

describe('a simulation', () => {
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
