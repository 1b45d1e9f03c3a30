import type { Cpu } from '@rpal/hw-x86';
import {
  Completion,
  DelayedWork,
  FUTEX_MATCH_ANY,
  FutexTable,
  FutexWaiter,
  Mutex,
  SchedPolicy,
  type SimulatedTask,
  Simulation,
  SleepTimer,
  WaitEntry,
  WaitQueue,
  Wake,
  Workqueue,
} from '@rpal/sched';
import { describe, expect, it } from 'vitest';
import { MS, US } from './tasks.js';

/** Tasks that sleep, for what waits and is woken by hand. */
function sleepers(sim: Simulation, count: number, priority = 0): SimulatedTask[] {
  const tasks = Array.from({ length: count }, (_, i) =>
    sim.spawn(
      `sleeper ${i}`,
      function* (task) {
        for (;;) yield task.sleep(1e15);
      },
      priority === 0 ? {} : { policy: SchedPolicy.FIFO, priority },
    ),
  );
  sim.run(1 * MS);
  return tasks;
}

/** The names of the tasks that `action` wakes, in order. */
function wokenBy(sim: Simulation, action: (cpu: Cpu) => void): string[] {
  const names: string[] = [];
  const undo = sim.scheduler.events.wakeUp.on('test', (_cpu, _time, task) => names.push(task.name));
  const cpu = sim.scheduler.cpuOf(0);
  action(cpu);
  undo();
  cpu.wake(cpu.clock);
  return names;
}

describe('a wait queue', () => {
  /** Tasks that wait, some exclusively: who is woken by `wake`? */
  function woken(exclusive: readonly boolean[], wake: (queue: WaitQueue, cpu: Cpu) => void): string[] {
    const sim = new Simulation();
    const queue = new WaitQueue('test');
    exclusive.forEach((isExclusive, i) => {
      sim.spawn(`w${i}`, function* (task) {
        yield task.wait(queue, isExclusive);
      });
    });
    sim.run(1 * MS);
    return wokenBy(sim, (cpu) => wake(queue, cpu)).sort();
  }

  it('wakes everybody who waits shared, and one of those who wait exclusively, first come first', () => {
    expect(woken([true, true, true], (queue, cpu) => queue.wakeOne(cpu))).toEqual(['w0']);
    expect(woken([true, false, true, false], (queue, cpu) => queue.wakeOne(cpu))).toEqual(['w0', 'w1', 'w3']);
    expect(woken([true, true, false, true], (queue, cpu) => queue.wakeOneSync(cpu))).toEqual(['w0', 'w2']);
  });

  it('wakes everybody if asked to', () => {
    expect(woken([true, false, true], (queue, cpu) => queue.wakeAll(cpu))).toEqual(['w0', 'w1', 'w2']);
  });

  it('is empty after everybody has gone', () => {
    const sim = new Simulation();
    const queue = new WaitQueue('test');
    sim.spawn('waits', function* (task) {
      yield task.wait(queue);
    });
    sim.run(1 * MS);
    expect(queue.active).toBe(true);
    queue.wakeOne(sim.scheduler.cpuOf(0));
    expect(queue.active).toBe(false);
  });

  it('tells wake functions what happened and whether the waker is about to sleep', () => {
    const sim = new Simulation();
    const cpu = sim.scheduler.cpuOf(0);
    const queue = new WaitQueue('test');
    const told: [number, boolean][] = [];
    queue.add(cpu, new WaitEntry((_cpu, _entry, key, sync) => told.push([key, sync])));
    queue.wakeOne(cpu, 1);
    queue.wakeOneSync(cpu, 4);
    queue.wakeAll(cpu);
    expect(told).toEqual([
      [1, false],
      [4, true],
      [0, false],
    ]);
  });

  it('costs a waker nothing while nobody waits, unless it walks all the same', () => {
    const sim = new Simulation();
    const cpu = sim.scheduler.cpuOf(0);
    const queue = new WaitQueue('test');
    const before = cpu.clock;
    queue.wakeOne(cpu);
    queue.wakeOneSync(cpu);
    queue.wakeAll(cpu);
    expect(cpu.clock).toBe(before);
    queue.walk(cpu, Wake.ONE);
    expect(cpu.clock).toBeGreaterThan(before);
  });
});

describe('a mutex', () => {
  it('lets one in at a time, in the order of arrival', () => {
    const sim = new Simulation({ cores: 4 });
    const mutex = new Mutex(sim.scheduler, 'test');
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
    expect(mutex.owner).toBe(null);
  });

  it('may be taken while it is free, past a waiter that has been woken; that waiter gets it next', () => {
    const sim = new Simulation();
    const [first, waiter, late] = sleepers(sim, 3) as [SimulatedTask, SimulatedTask, SimulatedTask];
    const mutex = new Mutex(sim.scheduler, 'test');
    const cpu = sim.scheduler.cpuOf(0);
    expect(mutex.lock(cpu, first)).toBe(true);
    expect(mutex.lock(cpu, waiter)).toBe(false);
    expect(wokenBy(sim, () => mutex.unlock(cpu))).toEqual([waiter.name]);
    expect(mutex.lock(cpu, late)).toBe(true);
    expect(mutex.lock(cpu, waiter)).toBe(false);
    expect(wokenBy(sim, () => mutex.unlock(cpu))).toEqual([waiter.name]);
    expect(mutex.owner).toBe(waiter);
    expect(mutex.lock(cpu, late)).toBe(false);
    expect(mutex.lock(cpu, waiter)).toBe(true);
    mutex.unlock(cpu);
    // The hand-over was for once.
    expect(mutex.owner).toBe(null);
  });

  it('names who locks it twice, and is not unlocked twice', () => {
    const sim = new Simulation();
    const [task] = sleepers(sim, 1) as [SimulatedTask];
    const mutex = new Mutex(sim.scheduler, 'test');
    const cpu = sim.scheduler.cpuOf(0);
    expect(() => mutex.unlock(cpu)).toThrow('a mutex is unlocked that nobody holds (mutex test)');
    mutex.lock(cpu, task);
    expect(() => mutex.lock(cpu, task)).toThrow(`a task locks a mutex that it holds already (mutex test, pid ${task.pid}, task sleeper 0)`);
  });
});

describe('futex queues', () => {
  const WORD = { space: 7, offset: 0x1000 };

  /** A table with a waiter for each of `tasks`, in this order. */
  function waiting(sim: Simulation, tasks: readonly SimulatedTask[], bitsets: readonly number[] = []): FutexTable {
    const table = new FutexTable(sim.scheduler, 1, sim.scheduler.handovers.open('futex'));
    const cpu = sim.scheduler.cpuOf(0);
    tasks.forEach((task, i) => {
      table.wait(cpu, new FutexWaiter(task), WORD.space, WORD.offset, bitsets[i] ?? FUTEX_MATCH_ANY);
    });
    return table;
  }

  it('wake equals in the order of arrival', () => {
    const sim = new Simulation();
    const tasks = sleepers(sim, 3);
    const table = waiting(sim, tasks);
    expect(wokenBy(sim, (cpu) => table.wake(cpu, WORD.space, WORD.offset, 2))).toEqual(['sleeper 0', 'sleeper 1']);
    expect(wokenBy(sim, (cpu) => table.wake(cpu, WORD.space, WORD.offset, 2))).toEqual(['sleeper 2']);
  });

  it('wake a real-time task first, by priority', () => {
    const sim = new Simulation();
    const [fair] = sleepers(sim, 1) as [SimulatedTask];
    const [low] = sleepers(sim, 1, 10) as [SimulatedTask];
    const [high] = sleepers(sim, 1, 20) as [SimulatedTask];
    const table = waiting(sim, [fair, low, high]);
    const order: number[] = [];
    sim.scheduler.events.wakeUp.on('test', (_cpu, _time, task) => order.push(task.pid));
    expect(table.wake(sim.scheduler.cpuOf(0), WORD.space, WORD.offset, 3)).toBe(3);
    expect(order).toEqual([high.pid, low.pid, fair.pid]);
  });

  it('wake only whose bitset and key fit', () => {
    const sim = new Simulation();
    const tasks = sleepers(sim, 3);
    const table = waiting(sim, tasks, [1, 2, 3]);
    expect(wokenBy(sim, (cpu) => table.wake(cpu, WORD.space, WORD.offset + 4, 3))).toEqual([]);
    expect(wokenBy(sim, (cpu) => table.wake(cpu, WORD.space + 1, WORD.offset, 3))).toEqual([]);
    expect(wokenBy(sim, (cpu) => table.wake(cpu, WORD.space, WORD.offset, 3, 2))).toEqual(['sleeper 1', 'sleeper 2']);
    expect(table.hasWaiters(WORD.space, WORD.offset)).toBe(true);
    expect(table.hasWaiters(WORD.space, WORD.offset + 4)).toBe(false);
  });

  it('know waiters of one address space from those of another at the same offset, though they share a bucket', () => {
    const sim = new Simulation();
    const table = waiting(sim, sleepers(sim, 1));
    // With 256 buckets, some of so many spaces have that of the waiter.
    const others = Array.from({ length: 4096 }, (_, i) => WORD.space + 1 + i);
    expect(others.filter((space) => table.hasWaiters(space, WORD.offset))).toEqual([]);
    expect(table.hasWaiters(WORD.space, WORD.offset)).toBe(true);
  });

  it('move waiters to another word, where they keep their order', () => {
    const sim = new Simulation();
    const tasks = sleepers(sim, 4);
    const table = waiting(sim, tasks);
    const other = { space: 7, offset: 0x2000 };
    const requeue = (cpu: Cpu): number => table.requeue(cpu, WORD.space, WORD.offset, 1, 2, other.space, other.offset);
    expect(wokenBy(sim, requeue)).toEqual(['sleeper 0']);
    const { entries } = sim.scheduler.cpuOf(0).ownLedger;
    expect(entries.find(({ step }) => step.name === '@rpal/sched:futexRequeue')?.count).toBe(2);
    expect(wokenBy(sim, (cpu) => table.wake(cpu, other.space, other.offset, 9))).toEqual(['sleeper 1', 'sleeper 2']);
    expect(wokenBy(sim, (cpu) => table.wake(cpu, WORD.space, WORD.offset, 9))).toEqual(['sleeper 3']);
  });

  it('take a waiter out once', () => {
    const sim = new Simulation();
    const [task] = sleepers(sim, 1) as [SimulatedTask];
    const cpu = sim.scheduler.cpuOf(0);
    const table = new FutexTable(sim.scheduler, 1, sim.scheduler.handovers.open('futex'));
    const waiter = new FutexWaiter(task);
    table.wait(cpu, waiter, WORD.space, WORD.offset, FUTEX_MATCH_ANY);
    expect(table.cancel(cpu, waiter)).toBe(true);
    expect(table.cancel(cpu, waiter)).toBe(false);
    expect(table.wake(cpu, WORD.space, WORD.offset, 1)).toBe(0);
  });
});

describe('a sleeping task', () => {
  it('says what it waits for, and since when', () => {
    const sim = new Simulation();
    const { scheduler } = sim;
    const queue = new WaitQueue('pipe readers');
    const mutex = new Mutex(scheduler, 'service');
    const completion = new Completion(scheduler);
    const futexes = new FutexTable(scheduler, 1, scheduler.handovers.open('futex'));
    const start = (name: string, wait: (task: SimulatedTask, cpu: Cpu) => boolean): SimulatedTask =>
      sim.spawn(name, function* (task) {
        yield task.waitFor((cpu) => wait(task, cpu));
      });
    const holder = sim.spawn('holder', function* (task) {
      yield task.inKernel((cpu) => mutex.lock(cpu, task));
      yield task.wait(queue);
    });
    const timed = sim.spawn('timed', function* (task) {
      yield task.sleep(1e12);
    });
    const forLock = start('for the lock', (task, cpu) => mutex.lock(cpu, task));
    const forEnd = start('for the end', (task, cpu) => completion.wait(cpu, task));
    const forWord = start('for the word', (task, cpu) => {
      futexes.wait(cpu, new FutexWaiter(task), 3, 0x7f00, FUTEX_MATCH_ANY);
      return false;
    });
    sim.run(1 * MS);
    expect(holder.waitingOn?.describe()).toBe('wait queue "pipe readers"');
    expect(forLock.waitingOn?.describe()).toBe(`mutex "service", held by task ${holder.pid} (holder)`);
    expect(forEnd.waitingOn?.describe()).toBe('completion');
    expect(forWord.waitingOn?.describe()).toBe('futex word at 0x7f00 of address space 3');
    expect(timed.waitingOn?.describe()).toMatch(/^timer due at cycle \d+$/);
    const asleep = [holder, timed, forLock, forEnd, forWord].map(({ waitingSince }) => waitingSince);
    expect(asleep).toEqual([...asleep].sort((a, b) => a - b));
    expect(Math.min(...asleep)).toBeGreaterThan(0);
    expect(Math.max(...asleep)).toBeLessThanOrEqual(sim.platform.now);
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

  it('wakes its thread, which sleeps between times, whenever there is work again', () => {
    const sim = new Simulation();
    const workqueue = new Workqueue(sim.scheduler);
    const ran: number[] = [];
    const work = new DelayedWork(workqueue, sim.scheduler, () => ran.push(sim.now));
    sim.spawn('queues', function* (task) {
      for (let i = 0; i < 3; i++) {
        yield task.inKernel((cpu) => workqueue.queue(cpu, work));
        yield task.sleep(5 * MS);
      }
    });
    sim.run(20 * MS);
    expect(ran.length).toBe(3);
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
