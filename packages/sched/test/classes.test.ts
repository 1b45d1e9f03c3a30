import type { Cpu } from '@rpal/hw-x86';
import {
  type ClassQueue,
  type RunQueue,
  type RunQueues,
  type SchedClass,
  SchedPolicy,
  type SimulatedTask,
  Simulation,
  type Task,
} from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MS, US } from './tasks.js';
import { order, record } from './trace.js';

function* hog(task: SimulatedTask): Generator<void, void, void> {
  for (;;) yield task.work(1000 * MS);
}

function* once(task: SimulatedTask): Generator<void, void, void> {
  yield task.work(3 * MS);
}

const { FIFO, RR, IDLE, BATCH, NORMAL, EXT } = SchedPolicy;

describe('SCHED_FIFO', () => {
  it('runs before anything fair, for as long as it likes', () => {
    const sim = new Simulation();
    const fair = sim.spawn('fair', hog);
    const fifo = sim.spawn('fifo', hog, { policy: FIFO, priority: 1 });
    sim.run(500 * MS);
    expect(fifo.entity.sumExec).toBeGreaterThan(499 * MS);
    expect(fair.entity.sumExec).toBeLessThan(1 * MS);
  });

  it('runs by priority, and within one priority in the order of arrival to the end', () => {
    const sim = new Simulation();
    const trace = record(sim);
    for (const [name, priority] of [
      ['b1', 20],
      ['a1', 10],
      ['b2', 20],
      ['c1', 30],
      ['a2', 10],
    ] as const) {
      sim.spawn(name, once, { policy: FIFO, priority });
    }
    expect(sim.run(100 * MS)).toBe('stopped');
    expect(order(trace())).toEqual(['c1', 'b1', 'b2', 'a1']);
    expect(sim.tasks.every(({ ended }) => ended)).toBe(true);
  });

  it('preempts the moment it wakes, and gives way only to a higher priority', () => {
    const sim = new Simulation();
    let latency = 0;
    sim.spawn('low', hog, { policy: FIFO, priority: 5 });
    sim.spawn(
      'high',
      function* (task) {
        for (let i = 0; i < 10; i++) {
          const due = sim.now + 3.3 * MS;
          yield task.sleep(3.3 * MS);
          latency = Math.max(latency, sim.now - due);
          yield task.work(100 * US);
        }
      },
      { policy: FIFO, priority: 6 },
    );
    sim.run(100 * MS);
    expect(latency).toBeLessThan(10 * US);
  });

  it('yields to its own priority only', () => {
    const sim = new Simulation();
    const trace = record(sim);
    const polite = function* (task: SimulatedTask): Generator<void, void, void> {
      for (let i = 0; i < 2; i++) {
        yield task.work(1 * MS);
        yield task.yield();
      }
    };
    sim.spawn('a', polite, { policy: FIFO, priority: 2 });
    sim.spawn('b', polite, { policy: FIFO, priority: 2 });
    sim.spawn('low', once, { policy: FIFO, priority: 1 });
    sim.spawn('fair', hog);
    sim.run(50 * MS);
    expect(order(trace())).toEqual(['a', 'b', 'a', 'b', 'a', 'b', 'low']);
  });

  it('wakes where a less urgent task runs, and takes over what waits elsewhere when a CPU becomes free', () => {
    const sim = new Simulation({ cores: 2 });
    sim.spawn('urgent', hog, { policy: FIFO, priority: 50, cpu: 0, affinity: [0] });
    const woken = sim.spawn(
      'woken',
      function* (task) {
        yield task.work(10 * US);
        yield task.sleep(1 * MS);
        yield task.work(1 * MS);
      },
      { policy: FIFO, priority: 40, cpu: 0 },
    );
    sim.run(20 * MS);
    expect(woken.ended).toBe(true);
    expect(woken.cpu.id).toBe(1);

    const other = new Simulation({ cores: 2 });
    for (const cpu of [0, 1]) {
      other.spawn(
        `urgent ${cpu}`,
        function* (task) {
          yield task.work(cpu === 1 ? 5 * MS : 500 * MS);
        },
        { policy: FIFO, priority: 50, cpu, affinity: [cpu] },
      );
    }
    const waiting = other.spawn('waiting', once, { policy: FIFO, priority: 40, cpu: 0 });
    other.run(20 * MS);
    expect(waiting.ended).toBe(true);
    // The move costs what any move costs, once.
    const [stayed, took] = [0, 1].map((cpu) =>
      other.scheduler.cpuOf(cpu).ownLedger.entries.find(({ step }) => step.name.endsWith(':migrate')),
    );
    expect([stayed?.count, took?.count]).toEqual([undefined, 1]);
  });
});

describe('SCHED_RR', () => {
  it('shares one priority in slices of 100 ms', () => {
    const sim = new Simulation();
    const trace = record(sim);
    sim.spawn('a', hog, { policy: RR, priority: 3 });
    sim.spawn('b', hog, { policy: RR, priority: 3 });
    sim.run(1000 * MS);
    expect(order(trace()).slice(0, 4)).toEqual(['a', 'b', 'a', 'b']);
    for (const { from, to } of trace().slice(1)) expect(to - from).toBeCloseTo(100_000, -3);
  });

  it('is FIFO to other priorities', () => {
    const sim = new Simulation();
    const low = sim.spawn('low', hog, { policy: RR, priority: 3 });
    sim.spawn('high', hog, { policy: RR, priority: 4 });
    sim.run(500 * MS);
    expect(low.entity.sumExec).toBeLessThan(1 * MS);
  });
});

describe('SCHED_IDLE and SCHED_BATCH', () => {
  it('idle tasks get a weight of 3 against 1024', () => {
    const sim = new Simulation();
    const idle = sim.spawn('idle', hog, { policy: IDLE });
    const normal = sim.spawn('normal', hog);
    sim.run(10_000 * MS);
    expect(idle.entity.sumExec / normal.entity.sumExec).toBeCloseTo(3 / 1024, 2);
    expect(idle.entity.sumExec).toBeGreaterThan(0);
  });

  it('a normal task preempts an idle one at once, whatever its lag; an idle one preempts nobody', () => {
    const latency = (runs: number, wakes: number): number => {
      const sim = new Simulation();
      let worst = 0;
      sim.spawn('runs', hog, { policy: runs });
      sim.spawn(
        'wakes',
        function* (task) {
          for (let i = 0; i < 20; i++) {
            const due = sim.now + 1.3 * MS;
            yield task.sleep(1.3 * MS);
            worst = Math.max(worst, sim.now - due);
            yield task.work(2 * MS);
          }
        },
        { policy: wakes },
      );
      sim.run(400 * MS);
      return worst;
    };
    expect(latency(IDLE, NORMAL)).toBeLessThan(20 * US);
    expect(latency(IDLE, BATCH)).toBeLessThan(20 * US);
    expect(latency(NORMAL, IDLE)).toBeGreaterThan(1 * MS);
  });
});

describe('the stop class', () => {
  it('preempts even the most urgent real-time task', () => {
    const sim = new Simulation({ cores: 2 });
    sim.spawn('rt', hog, { policy: FIFO, priority: 99, cpu: 1, affinity: [1] });
    sim.run(5 * MS);
    const ran: [string, number][] = [];
    sim.spawn('asks', function* (task) {
      yield task.inKernel((cpu) =>
        sim.scheduler.stopCpu(cpu, sim.scheduler.cpuOf(1), (on) => ran.push([sim.scheduler.current(on).name, sim.now])),
      );
      yield task.work(1 * MS);
    });
    const before = sim.now;
    sim.run(1 * MS);
    expect(ran.map(([name]) => name)).toEqual(['migration/1']);
    expect((ran[0]?.[1] ?? 0) - before).toBeLessThan(50 * US);
  });
});

describe('sched_setscheduler', () => {
  it('moves a task between classes while it runs, waits or sleeps', () => {
    const sim = new Simulation();
    const runs = sim.spawn('runs', hog);
    const waits = sim.spawn('waits', hog);
    const sleeps = sim.spawn('sleeps', function* (task) {
      yield task.sleep(20 * MS);
      for (;;) yield task.work(1000 * MS);
    });
    sim.run(10 * MS);
    const { cpu } = runs;
    const { scheduler } = sim;
    expect(scheduler.setScheduler(cpu, waits, FIFO, 10)).toBe(0);
    expect(scheduler.setScheduler(cpu, sleeps, FIFO, 20)).toBe(0);
    sim.run(5 * MS);
    expect(scheduler.current(cpu).name).toBe('waits');
    sim.run(20 * MS);
    expect(scheduler.current(cpu).name).toBe('sleeps');
    expect(scheduler.setScheduler(cpu, sleeps, NORMAL)).toBe(0);
    sim.run(5 * MS);
    expect(scheduler.current(cpu).name).toBe('waits');
    expect(scheduler.setScheduler(cpu, waits, NORMAL)).toBe(0);
    const before = sim.tasks.map(({ entity }) => entity.sumExec);
    sim.run(3000 * MS);
    for (const [i, { entity }] of sim.tasks.entries()) expect((entity.sumExec - (before[i] ?? 0)) / MS).toBeCloseTo(1000, -2);
  });

  it('refuses what Linux refuses', () => {
    const sim = new Simulation();
    const task = sim.spawn('task', hog);
    const set = (policy: number, priority: number): number => sim.scheduler.setScheduler(task.cpu, task, policy, priority);
    expect(set(FIFO, 0)).toBe(-Errno.EINVAL);
    expect(set(FIFO, 100)).toBe(-Errno.EINVAL);
    expect(set(NORMAL, 1)).toBe(-Errno.EINVAL);
    expect(set(4, 0)).toBe(-Errno.EINVAL);
    expect(set(EXT, 0)).toBe(-Errno.EINVAL);
    expect(set(RR, 99)).toBe(0);
  });

  it('a nice value that makes the running task weaker lets the scheduler choose again; one that makes it stronger does not', () => {
    const sim = new Simulation();
    for (const name of ['a', 'b']) sim.spawn(name, hog);
    sim.run(300 * US);
    const { current } = sim.scheduler.runQueue(sim.scheduler.cpuOf(0));
    sim.scheduler.setNice(current.cpu, current, -5);
    expect(current.needResched).toBe(false);
    sim.scheduler.setNice(current.cpu, current, 5);
    expect(current.needResched).toBe(true);
  });

  it('a policy that changes the weight of a task leaves its deadline as far away in real time', () => {
    const sim = new Simulation();
    for (const name of ['a', 'b']) sim.spawn(name, hog);
    sim.run(300 * US);
    const waiting = sim.tasks.find(({ onCpu }) => !onCpu) as SimulatedTask;
    const { entity } = waiting;
    const ahead = entity.deadline - entity.vruntime;
    expect(ahead).toBeGreaterThan(0);
    expect(sim.scheduler.setScheduler(waiting.cpu, waiting, IDLE)).toBe(0);
    // 1024 is the weight of nice 0, 3 that of SCHED_IDLE.
    expect(entity.deadline - entity.vruntime).toBe(Math.trunc((ahead * 1024) / 3));
  });

  it('a nice value takes effect at once, and the share follows', () => {
    const sim = new Simulation({ hz: 1000 });
    const a = sim.spawn('a', hog);
    const b = sim.spawn('b', hog);
    sim.run(1000 * MS);
    sim.scheduler.setNice(a.cpu, a, 5);
    const before = [a.entity.sumExec, b.entity.sumExec] as const;
    sim.run(10_000 * MS);
    const ratio = (b.entity.sumExec - before[1]) / (a.entity.sumExec - before[0]);
    expect(ratio / (1024 / 335)).toBeGreaterThan(0.99);
    expect(ratio / (1024 / 335)).toBeLessThan(1.01);
  });
});

/** A class from outside the package, in the spirit of the simplest sched_ext example: one queue for all CPUs, first come first. */
class GlobalFifo implements SchedClass {
  readonly name = 'global-fifo';
  readonly takesAll: boolean;
  readonly waiting: Task[] = [];
  picks = 0;

  constructor(takesAll: boolean) {
    this.takesAll = takesAll;
  }

  createQueue(rq: RunQueue): ClassQueue {
    return new GlobalFifoQueue(this, rq);
  }

  selectCpu(queues: RunQueues, _cpu: Cpu, task: Task): Cpu {
    return queues.idleNear(task.cpu, task.affinity) ?? task.cpu;
  }
}

class GlobalFifoQueue implements ClassQueue {
  readonly #fifo: GlobalFifo;
  readonly #rq: RunQueue;
  #ranFor = 0;

  constructor(fifo: GlobalFifo, rq: RunQueue) {
    this.#fifo = fifo;
    this.#rq = rq;
  }

  enqueue(task: Task): void {
    this.#fifo.waiting.push(task);
  }

  dequeue(task: Task): void {
    const at = this.#fifo.waiting.indexOf(task);
    if (at >= 0) this.#fifo.waiting.splice(at, 1);
  }

  pick(): Task | null {
    this.#fifo.picks++;
    const { current } = this.#rq;
    const { waiting } = this.#fifo;
    const at = waiting.findIndex((task) => task.affinity.has(this.#rq.cpu.id) && !task.onCpu);
    if (at >= 0) return waiting.splice(at, 1)[0] as Task;
    return current.schedClass === this.#fifo && current.onRq ? current : null;
  }

  setNext(): void {
    this.#ranFor = 0;
  }

  putPrevious(task: Task): void {
    if (task.onRq && !this.#fifo.waiting.includes(task)) this.#fifo.waiting.push(task);
  }

  tick(): boolean {
    return ++this.#ranFor >= 5 && this.#fifo.waiting.length > 0;
  }

  preempts(): boolean {
    return false;
  }

  yield(): void {}
}

describe('a class from outside', () => {
  function machine(takesAll: boolean, cores: number): { sim: Simulation; fifo: GlobalFifo } {
    const sim = new Simulation({ cores });
    const fifo = new GlobalFifo(takesAll);
    sim.scheduler.seams.slots.schedExt.provide('global-fifo', fifo);
    return { sim, fifo };
  }

  it('runs everything, if it takes over from the fair class', () => {
    const { sim, fifo } = machine(true, 2);
    for (let i = 0; i < 6; i++) {
      sim.spawn(`t${i}`, function* (task) {
        for (;;) {
          yield task.work(7 * MS);
          yield task.sleep(3 * MS);
        }
      });
    }
    sim.run(6000 * MS);
    expect(fifo.picks).toBeGreaterThan(1000);
    const total = sim.tasks.reduce((sum, { entity }) => sum + entity.sumExec, 0);
    expect(total).toBeGreaterThan(0.97 * 2 * 6000 * MS);
    for (const { entity } of sim.tasks) expect(entity.sumExec / (total / 6)).toBeCloseTo(1, 1);
    for (const { fair } of sim.scheduler.runQueues) expect(fair.queued).toBe(0);
  });

  it('moves its tasks between CPUs as it likes, and the counts of runnable tasks follow', () => {
    const { sim } = machine(true, 3);
    const used = new Set<string>();
    sim.scheduler.events.contextSwitch.on('test', (cpu, _time, _prev, next) => {
      if (next.name === 't0') used.add(`CPU ${cpu}`);
    });
    for (let i = 0; i < 5; i++) sim.spawn(`t${i}`, hog);
    for (let i = 0; i < 20; i++) {
      sim.run(17 * MS);
      for (const rq of sim.scheduler.runQueues) {
        expect(rq.running).toBe(sim.tasks.filter((task) => task.onRq && task.cpu === rq.cpu).length);
      }
    }
    expect(used.size).toBe(3);
  });

  it('gets only SCHED_EXT tasks otherwise, after all fair ones', () => {
    const { sim } = machine(false, 1);
    const ext = sim.spawn('ext', hog, { policy: EXT });
    const fair = sim.spawn('fair', function* (task) {
      for (;;) {
        yield task.work(6 * MS);
        yield task.sleep(4 * MS);
      }
    });
    sim.run(1000 * MS);
    expect(fair.entity.sumExec / MS).toBeCloseTo(600, -1.5);
    expect(ext.entity.sumExec / MS).toBeCloseTo(400, -1.5);
  });

  it('is missing by default, and its policy refused', () => {
    const sim = new Simulation();
    expect(() => sim.spawn('x', hog, { policy: EXT })).toThrow('policy: 7 has no scheduling class on this machine');
  });
});
