import type { AddressSpace, Cpu } from '@rpal/hw-x86';
import { Bandwidth, directedSwitch, SchedStep, type SimulatedTask, Simulation, WaitQueue, WakeAnswer } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MS, US } from './tasks.js';
import { order, record } from './trace.js';

function* hog(task: SimulatedTask): Generator<void, void, void> {
  for (;;) yield task.work(1000 * MS);
}

/** Works a little, asks the scheduler to switch to `target`, and works on. */
function* directs(sim: Simulation, target: () => SimulatedTask, results: number[], task: SimulatedTask): Generator<void, void, void> {
  yield task.work(100 * US);
  yield task.inKernel((cpu) => results.push(sim.scheduler.switchTo(cpu, target())));
  yield task.work(1000 * MS);
}

describe('switchTo', () => {
  it('goes to the named task, whoever would be next', () => {
    const sim = new Simulation();
    const seen = record(sim);
    const results: number[] = [];
    sim.spawn('directs', (task) => directs(sim, () => third, results, task));
    sim.spawn('second', hog);
    const third = sim.spawn('third', hog);
    sim.run(20 * MS);
    expect(results).toEqual([0]);
    expect(order(seen()).slice(0, 3)).toEqual(['directs', 'third', 'second']);
  });

  it('wakes a sleeper, and brings one here that waits for another CPU', () => {
    for (const state of ['asleep', 'waiting'] as const) {
      const sim = new Simulation({ cores: 2 });
      const results: number[] = [];
      const target = sim.spawn(
        'target',
        function* (task) {
          if (state === 'asleep') yield task.wait(new WaitQueue('test'));
          yield* hog(task);
        },
        { cpu: 1, affinity: [1] },
      );
      sim.spawn('busy', hog, { cpu: 1, affinity: [1] });
      sim.run(1 * MS);
      if (sim.scheduler.current(sim.scheduler.cpuOf(1)) === target) sim.run(3 * MS);
      expect(target.onCpu).toBe(false);
      const cpu = sim.scheduler.cpuOf(0);
      sim.scheduler.setAffinity(cpu, target, sim.scheduler.everyCpu);
      sim.spawn('directs', (task) => directs(sim, () => target, results, task), { cpu: 0, affinity: [0] });
      const seen = record(sim);
      sim.run(1 * MS);
      expect(results).toEqual([0]);
      expect(sim.scheduler.current(cpu).name).toBe('target');
      expect(order(seen().filter((stretch) => stretch.cpu === 0))).toEqual(['directs']);
      // What is runnable where adds up: the busy task is alone on its CPU.
      expect(sim.scheduler.runQueues.map(({ running }) => running)).toEqual([2, 1]);
      sim.run(50 * MS);
      expect(sim.scheduler.runQueues.reduce((sum, { running }) => sum + running, 0)).toBe(3);
    }
  });

  it('costs what any switch costs: FPU state is saved, and rseq looked at on the way back', () => {
    const memory: AddressSpace = { activate: () => {}, enterLazy: () => {} };
    /** TSC cycles from the beginning of the switch to its end. */
    const cost = (kind: 'directed' | 'picked'): number => {
      const sim = new Simulation();
      const { scheduler } = sim;
      const tasks = ['a', 'b'].map((name) => Object.assign(sim.spawn(name, hog), { mm: memory }));
      sim.run(1 * MS);
      const cpu = scheduler.cpuOf(0);
      const prev = scheduler.current(cpu) as SimulatedTask;
      const next = tasks.find((task) => task !== prev) as SimulatedTask;
      prev.pauseWork(cpu);
      cpu.wake(cpu.clock);
      if (kind === 'directed') scheduler.switchTo(cpu, next);
      else scheduler.yieldTask(cpu);
      next.switched = false;
      const before = cpu.clock;
      scheduler.preempt(cpu);
      scheduler.queues.completeSwitch(scheduler.runQueue(cpu));
      expect(scheduler.current(cpu).name).toBe(next.name);
      expect([prev.fpuInMemory, next.switched]).toEqual([true, true]);
      return cpu.clock - before;
    };
    const { step } = new Simulation().platform.costs;
    const choice = (step[SchedStep.directedPick] as number) - (step[SchedStep.pickPreempting] as number);
    expect(cost('directed') - cost('picked')).toBeCloseTo(choice, 6);
  });

  it('says why it cannot', () => {
    const sim = new Simulation({ cores: 2 });
    const { scheduler } = sim;
    const zero = scheduler.cpuOf(0);
    const here = sim.spawn('here', hog, { cpu: 0, affinity: [0] });
    const there = sim.spawn('there', hog, { cpu: 1 });
    const bound = sim.spawn('bound', hog, { cpu: 1, affinity: [1] });
    const sleeper = sim.spawn('sleeper', function* (task) {
      yield task.sleep(1e12);
    });
    const ended = sim.spawn('ended', function* () {});
    sim.run(10 * MS);
    const running = [there, bound].find(({ onCpu }) => onCpu) as SimulatedTask;
    expect(scheduler.switchTo(zero, here)).toBe(-Errno.EINVAL);
    expect(scheduler.switchTo(zero, bound)).toBe(-Errno.EINVAL);
    expect(scheduler.switchTo(zero, ended)).toBe(-Errno.EINVAL);
    if (running === there) expect(scheduler.switchTo(zero, there)).toBe(-Errno.EBUSY);
    let asked = 0;
    scheduler.hooks.schedWakePermission.tap('test', () => {
      asked++;
      return WakeAnswer.REFUSE;
    });
    expect(scheduler.switchTo(zero, sleeper)).toBe(-Errno.EAGAIN);
    expect(asked).toBe(1);
  });
});

describe('the hook at the choice of the next task', () => {
  it('lets a plugin choose', () => {
    const sim = new Simulation();
    const tasks = ['a', 'b', 'c'].map((name) => sim.spawn(name, hog));
    const asked: string[] = [];
    // Always the youngest one.
    sim.scheduler.hooks.schedPickNext.tap('youngest', (picked, cpu: Cpu, prev) => {
      asked.push(`${cpu.id}: ${prev.name} > ${picked.name}`);
      return tasks[2] as SimulatedTask;
    });
    const seen = record(sim);
    sim.run(50 * MS);
    expect(order(seen())).toEqual([]);
    expect(sim.scheduler.current(sim.scheduler.cpuOf(0)).name).toBe('c');
    expect(asked[0]).toBe('0: swapper/0 > a');
    expect((tasks[2] as SimulatedTask).entity.sumExec).toBeGreaterThan(49 * MS);
  });

  it('may leave the CPU idle', () => {
    const sim = new Simulation();
    const task = sim.spawn('held back', hog);
    let held = true;
    sim.scheduler.hooks.schedPickNext.tap('gate', (picked, cpu) => (held ? sim.scheduler.runQueue(cpu).idle : picked));
    sim.run(5 * MS);
    expect(task.entity.sumExec).toBe(0);
    held = false;
    sim.spawn('another', hog);
    sim.run(20 * MS);
    expect(task.entity.sumExec).toBeGreaterThan(0);
  });

  it('is not believed if it chooses who cannot run', () => {
    const sim = new Simulation({ cores: 2 });
    const elsewhere = sim.spawn('elsewhere', hog, { cpu: 1, affinity: [1] });
    sim.run(1 * MS);
    sim.scheduler.hooks.schedPickNext.tap('wrong', () => elsewhere);
    sim.spawn('here', hog, { cpu: 0, affinity: [0] });
    expect(() => sim.run(1 * MS)).toThrow(
      `"schedPickNext" (tapped by wrong) chose task ${elsewhere.pid} (elsewhere), which is not runnable on CPU 0`,
    );
  });
});

describe('a switch to a named task', () => {
  it('ends the wait of its group for more run time, and the books stay right', () => {
    const sim = new Simulation({ hz: 1000 });
    const { scheduler } = sim;
    const cpu = scheduler.cpuOf(0);
    const outer = scheduler.createGroup('outer');
    const group = scheduler.createGroup('limited', outer);
    Bandwidth.limit(group, cpu, 5 * MS, 100 * MS);
    const limited = sim.spawn('limited', hog, { group });
    const free = sim.spawn('free', hog);
    sim.run(50 * MS);
    const rq = scheduler.runQueue(cpu);
    expect(group.on(rq).throttled).toBe(true);
    expect([rq.current, rq.running]).toEqual([free, 1]);
    directedSwitch(scheduler.runQueue(cpu), limited);
    expect([rq.current, rq.running, group.on(rq).throttled]).toEqual([limited, 2, false]);
    // Without run time left it stops again as soon as it comes to be picked; the next period starts as ever.
    directedSwitch(scheduler.runQueue(cpu), free);
    sim.run(20 * MS);
    expect([rq.current, rq.running, group.on(rq).throttled]).toEqual([free, 1, true]);
    sim.run(2000 * MS);
    expect(limited.entity.sumExec / (2070 * MS)).toBeCloseTo(0.05, 1);
    expect(rq.running).toBe(group.on(rq).throttled ? 1 : 2);
  });
});
