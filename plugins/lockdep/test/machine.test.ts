import { type Mechanism, mechanisms, pingPong } from '@rpal/compare';
import { LockKind } from '@rpal/hw-x86';
import { createMachine, executable, type Program } from '@rpal/kernel';
import { type LibRpal, librpal, rpalExecutable } from '@rpal/librpal';
import { posix } from '@rpal/posix';
import { type RpalOptions, rpal, ServiceChange } from '@rpal/rpal-core';
import type { Task } from '@rpal/sched';
import { MapFlag, Prot, Signal } from '@rpal/uapi';
import { beforeAll, describe, expect, it } from 'vitest';
import { ends, finish, smallMachine, smallProfile } from '../../../scripts/testing/run.ts';
import { LockOrder, LockProblem, lockdep, lockOrderOf, reportText, type Taken } from '../src/index.js';

const linux = mechanisms.filter(({ plugins }) => plugins === undefined);

/** Exchanges messages by each way that Linux has, between two CPUs and on one: who wakes a task of his own CPU takes its run queue. */
function exchange(): LockOrder[] {
  const places = [
    [0, 1],
    [0, 0],
  ] as const;
  const situations = linux.flatMap((mechanism) => places.map((cpus) => ({ mechanism, cpus })));
  return situations.map(({ mechanism, cpus }) => {
    let order: LockOrder | null = null;
    const size = Math.min(Math.max(64, mechanism.sizes[0]), mechanism.sizes[1]);
    const watched: Mechanism = {
      ...mechanism,
      start(machine, meeting) {
        order = lockOrderOf(machine);
        mechanism.start(machine, meeting);
      },
    };
    const [waiting = 'sleep'] = mechanism.waits;
    pingPong(watched, { machine: { profile: smallProfile(), plugins: [lockdep()] }, size, cpus, waiting, messages: 1, warmUp: 10 });
    return order as unknown as LockOrder;
  });
}

/** Processes come and go, on four CPUs, with memory that is mapped, copied, changed, shared and unmapped. */
function* family(p: Program): Generator<void, void> {
  const memory = yield* p.allocate(16 * 4096);
  yield* p.memset(memory, 1, 16 * 4096);
  let last = 0;
  for (let i = 0; i < 4; i++) {
    last = yield* p.fork(
      ends({ signal: i === 3 ? Signal.KILL : 0 }, function* (q) {
        yield* q.store64(memory, i);
        yield* q.mprotect(memory + 4096, 4096, Prot.READ);
        yield* q.madvise(memory, 4096, 4);
        yield* q.brk((yield* q.brk(0)) + 4096);
        yield* q.clone(function* (r) {
          yield* r.setNice(0, 5);
          yield* r.sleep(1000);
          yield* r.munmap(memory + 8192, 4096);
        });
        yield* q.sleep(1e5);
        if (i === 3) yield* q.pause();
      }),
    );
  }
  yield* p.mremap(memory, 16 * 4096, 32 * 4096, 1);
  for (let i = 0; i < 3; i++) yield* p.wait();
  yield* p.kill(last, Signal.KILL);
  yield* p.wait();
}

describe('plain Linux', () => {
  let orders: readonly LockOrder[] = [];
  beforeAll(() => {
    orders = exchange();
  }, 60_000);

  it('gives no report, whichever way programs exchange messages', () => {
    expect(orders.flatMap(({ reports }) => reports).map(reportText)).toEqual([]);
    expect(orders.length).toBeGreaterThan(12);
  });

  it('takes locks under others: wait queues, run queues, what epoll and eventfds have', () => {
    expect([...new Set(orders.flatMap(({ classes }) => classes))]).toEqual(
      expect.arrayContaining(['eventfd', 'ready list of an epoll', 'run queue', 'waiters: Unix socket', 'waiters: epoll']),
    );
  });

  it('gives none while processes fork, map memory, are killed and waited for', () => {
    const machine = smallMachine({ plugins: [posix(), lockdep()] });
    machine.spawn(executable('family', family));
    finish(machine);
    expect(lockOrderOf(machine).reports.map(reportText)).toEqual([]);
  });
});

/** Runs a service; `body` after `rpal_init`. */
function service(body: (p: Program, lib: LibRpal) => Generator<void, unknown>, options: RpalOptions = {}): LockOrder {
  const machine = createMachine({ profile: smallProfile(), plugins: [rpal(options), lockdep()] });
  machine.spawn(
    rpalExecutable('service', function* (p) {
      const lib = librpal(p);
      yield* lib.init(1);
      yield* body(p, lib);
    }),
  );
  finish(machine);
  return lockOrderOf(machine);
}

describe('RPAL', () => {
  it('takes the mutex of a service and the lock of its memory in opposite orders (patches 7, 11 and 26)', () => {
    // Nothing but rpal_init: shared pages are mapped, then the service is enabled, which installs its key.
    const { reports } = service(function* () {});
    expect(reports.map(({ problem }) => problem)).toEqual([LockProblem.CIRCULAR]);
    expect(reports.map(reportText)).toEqual([
      [
        'possible circular locking dependency',
        '  task 1 (service) takes "mmap_lock" in ioctl, at rpal_pkey_setup (patch 26)',
        '    holding "RPAL service" since ioctl, at ENABLE_SERVICE (patch 10)',
        '  and before, task 1 (service) took "RPAL service" in mmap, at rpal_mmap (patch 7)',
        '    holding "mmap_lock" since mmap',
      ].join('\n'),
    ]);
  });

  // ENABLE has shown it before: of each order of two classes the first is kept. So this begins to watch when both services are enabled.
  it('takes them so in REQUEST, too, which stores its results in user memory under the mutex (patch 11)', () => {
    const machine = createMachine({ profile: smallProfile(), plugins: [rpal()] });
    const { events } = machine.bus;
    const { scheduler } = machine.kernel;
    const order = new LockOrder();
    const held = new Map<object, Taken[]>();
    const current = (cpu: number): Task => scheduler.current(scheduler.cpuOf(cpu));
    let enabled = 0;
    events.rpalService.on('test', (_cpu, _time, _service, change) => {
      if (change === ServiceChange.ENABLED) enabled++;
    });
    events.lockTaken.on('test', (cpu, time, lock, site) => {
      if (lock.kind === LockKind.SPIN) return;
      const task = current(cpu);
      const locks = held.get(task) ?? [];
      held.set(task, locks);
      const taken = { lock, where: site === '' ? 'mmap' : site };
      if (enabled === 2) order.add(locks, taken, task.name, time);
      locks.push(taken);
    });
    events.lockReleased.on('test', (cpu, _time, lock) => {
      const locks = held.get(current(cpu)) ?? [];
      const at = locks.map((one) => one.lock).lastIndexOf(lock);
      if (at >= 0) locks.splice(at, 1);
    });
    const keys: number[] = [];
    let requested = 0;
    const services = ['first', 'second'].map((name, me) =>
      machine.spawn(
        rpalExecutable(name, function* (p) {
          const lib = librpal(p);
          yield* lib.init(1);
          keys[me] = lib.process.key;
          while (enabled < 2 || keys[1 - me] === undefined) yield* p.sleep(1e5);
          expect(yield* lib.requestService(keys[1 - me] as number)).toBe(0);
          requested++;
          while (requested < 2) yield* p.sleep(1e6);
        }),
      ),
    );
    finish(machine);
    expect(services.map(({ exit }) => exit?.code)).toEqual([0, 0]);
    expect(order.reports.map(reportText)).toEqual([
      [
        'possible circular locking dependency',
        '  second takes "mmap_lock" in access to user memory',
        '    holding "RPAL service" since REQUEST_SERVICE (patch 11)',
        '  and before, second took "RPAL service" in rpal_mmap (patch 7)',
        '    holding "mmap_lock" since mmap',
      ].join('\n'),
    ]);
  });

  it('gives no report once that is repaired', () => {
    const mapping = function* (p: Program, { process }: LibRpal): Generator<void, void> {
      const more = yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED, process.rpalFd);
      yield* p.munmap(more, 4096);
    };
    expect(service(mapping, { repair: ['lock-order-inverted'] }).reports.map(reportText)).toEqual([]);
  });

  it('takes no lock twice where pages are unmapped by what is mapped in their place', () => {
    const { reports } = service(function* (p, { process }) {
      const more = yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED, process.rpalFd);
      yield* p.mmap(more, 4096, Prot.READ, MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.FIXED, -1);
    });
    expect(reports.map(({ problem }) => problem)).toEqual([LockProblem.CIRCULAR]);
  });

  it('is found whatever comes first, as nobody has to wait for it', () => {
    const { dependencies } = service(function* (p, { process }) {
      const more = yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED, process.rpalFd);
      yield* p.munmap(more, 4096);
    });
    const [mutex, memory] = ['RPAL service', 'mmap_lock'];
    expect(dependencies.filter(({ held, taken }) => held.lock.name === mutex && taken.lock.name === memory)).toHaveLength(1);
    expect(dependencies.filter(({ held, taken }) => held.lock.name === memory && taken.lock.name === mutex)).toHaveLength(1);
  });
});

describe('the observer', () => {
  it('takes no part: the machine comes out the same without it', () => {
    const run = (watched: boolean): string => {
      const machine = smallMachine({ plugins: watched ? [posix(), lockdep()] : [posix()] });
      machine.spawn(executable('family', family));
      finish(machine);
      return machine.fingerprint();
    };
    expect(run(true)).toBe(run(false));
  });

  it('is asked for on a machine that has it', () => {
    expect(() => lockOrderOf(smallMachine())).toThrow(/without @rpal\/lockdep; add lockdep\(\)/);
  });

  it('says sleeping in atomic context of a spin lock that is held over a sleep, and of user memory that is reached under one', () => {
    const machine = smallMachine({ plugins: [lockdep()] });
    const { lock } = machine.kernel.scheduler.runQueue(machine.platform.cpus[1] as never);
    machine.spawn(
      executable('sleeper', function* (p) {
        const memory = yield* p.allocate(4096);
        const [read] = [yield* p.eventfd(1)];
        yield* p.compute(1);
        lock.acquire(p.context.cpu);
        yield* p.read(read, memory, 8);
        yield* p.sleep(1000);
        lock.release(p.context.cpu);
      }),
      0,
    );
    finish(machine);
    const { reports } = lockOrderOf(machine);
    expect(reports.map(({ problem }) => problem)).toEqual([LockProblem.ATOMIC, LockProblem.ATOMIC]);
    expect(reports.map(reportText)).toEqual([
      expect.stringContaining('takes "mmap_lock" in read, at access to user memory\n    holding "run queue" since'),
      expect.stringContaining('takes "sleep" in nanosleep'),
    ]);
  });
});
