import { type Curves, type Experiment, type Mechanism, mpiPingPong, mpiRing, pingPong, verdicts } from '@rpal/compare';
import { defaultProfile } from '@rpal/hw-x86';
import { createMachine, executable, type Machine, type Process, type Program, Time } from '@rpal/kernel';
import { posix } from '@rpal/posix';
import { Errno, MapFlag, Prot, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { ends, finish, smallProfile } from '../../../scripts/testing/run.ts';
import { parallelOn } from '../src/experiments/parallel.js';
import { attachSystem, CopyCall, cma, copyFromProcess, copyToProcess, crossMemoryAttach } from '../src/index.js';
import { cmaTransport } from '../src/mechanism.js';

const PAGE = 4096;
const LONG = 256 * PAGE;

const machineOf = (): Machine => createMachine({ profile: smallProfile(), plugins: [posix(), crossMemoryAttach()] });

/** A child with `bytes` full of 7 that waits until its parent is through; its parent knows both. */
function* beside(
  p: Program,
  bytes: number,
  then: (child: { readonly pid: number; readonly at: number; readonly process: Process }) => Generator<void, void>,
  as: (q: Program) => Generator<void, void> = function* () {},
): Generator<void, void> {
  let at = 0;
  let over = false;
  let process: Process | null = null;
  const pid = yield* p.fork(function* (q) {
    yield* q.setAffinity([1]);
    const room = yield* q.allocate(bytes);
    yield* q.memset(room, 7, bytes);
    process = q.context.thread.process;
    yield* as(q);
    at = room;
    while (!over) yield* q.sleep(10 * Time.us);
  });
  while (at === 0) yield* p.sleep(10 * Time.us);
  yield* then({ pid, at, process: process as unknown as Process });
  over = true;
  yield* p.wait();
}

function run(main: (p: Program) => Generator<void, void>): Machine {
  const machine = machineOf();
  machine.spawn(
    executable('program', function* (p) {
      yield* p.setAffinity([0]);
      yield* main(p);
    }),
  );
  finish(machine);
  return machine;
}

describe('copy_from_process and copy_to_process', () => {
  it('copy what lies anywhere, into what lies anywhere', () => {
    run(function* (p) {
      const own = yield* p.allocate(4 * PAGE);
      yield* beside(p, 4 * PAGE, function* ({ pid, at }) {
        for (const [from, to, length] of [
          [0, 0, 1],
          [5, 4090, 20],
          [4090, 7, 2 * PAGE],
          [1, 1, 4 * PAGE - 1],
        ] as const) {
          yield* p.memset(own, 3, 4 * PAGE);
          expect(yield* copyFromProcess(p, pid, at + from, length, own + to)).toBe(length);
          const seen = new Uint8Array(4 * PAGE);
          yield* p.loadBytes(own, seen);
          expect(seen.every((byte, i) => byte === (i >= to && i < to + length ? 7 : 3))).toBe(true);
        }
        yield* p.memset(own, 9, 100);
        expect(yield* copyToProcess(p, pid, at + 4090, 100, own)).toBe(100);
        expect(yield* copyFromProcess(p, pid, at + 4089, 102, own)).toBe(102);
        expect([yield* p.load8(own), yield* p.load8(own + 1), yield* p.load8(own + 100), yield* p.load8(own + 101)]).toEqual([7, 9, 9, 7]);
      });
    });
  });

  it('write where the other process may, and give it a page of its own', () => {
    run(function* (p) {
      const shared = yield* p.allocate(PAGE);
      yield* p.memset(shared, 5, PAGE);
      const own = yield* p.allocate(PAGE);
      yield* p.memset(own, 6, PAGE);
      yield* beside(p, PAGE, function* ({ pid }) {
        // Both have the page since the fork: writing makes a copy, and leaves the caller's alone.
        expect(yield* copyToProcess(p, pid, shared, 8, own)).toBe(8);
        expect(yield* copyFromProcess(p, pid, shared, 8, own + 100)).toBe(8);
        expect([yield* p.load8(shared), yield* p.load8(own + 100)]).toEqual([5, 6]);
      });
      const sealed = yield* p.mmap(0, PAGE, Prot.READ, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
      yield* beside(p, PAGE, function* ({ pid }) {
        expect(yield* copyToProcess(p, pid, sealed, 8, own)).toBe(-Errno.EFAULT);
        expect(yield* copyFromProcess(p, pid, sealed, 8, own)).toBe(8);
      });
    });
  });

  it('end where memory ends on either side, and say how far they came', () => {
    run(function* (p) {
      const own = yield* p.allocate(4 * PAGE);
      yield* p.munmap(own + 2 * PAGE, 2 * PAGE);
      yield* beside(p, 4 * PAGE, function* ({ pid, at }) {
        expect(yield* copyFromProcess(p, pid, at, 4 * PAGE, own + 10)).toBe(2 * PAGE - 10);
        expect(yield* copyFromProcess(p, pid, own, PAGE, own + 2 * PAGE)).toBe(-Errno.EFAULT);
        expect(yield* copyFromProcess(p, pid, 0x1000, 5, own)).toBe(-Errno.EFAULT);
        expect(yield* copyToProcess(p, pid, 0x1000, 5, own)).toBe(-Errno.EFAULT);
        expect(yield* copyFromProcess(p, pid, own + PAGE, 2 * PAGE, own)).toBe(PAGE);
      });
    });
  });

  it('refuse whom they do not know, and lengths below zero; nothing is nothing, and flags are not looked at', () => {
    run(function* (p) {
      const own = yield* p.allocate(PAGE);
      expect(yield* copyFromProcess(p, 4000, own, 1, own)).toBe(-Errno.ESRCH);
      expect(yield* copyFromProcess(p, -1, own, 1, own)).toBe(-Errno.ESRCH);
      const self = yield* p.getpid();
      expect(yield* copyFromProcess(p, self, own, -1, own)).toBe(-Errno.EINVAL);
      expect(yield* copyToProcess(p, self, 0, 0, 0)).toBe(0);
      yield* p.store8(own, 8);
      expect(yield* p.syscall(CopyCall.copy_from_process, self, own, 1, own + 1, 77)).toBe(1);
      expect(yield* p.load8(own + 1)).toBe(8);
      const gone = yield* p.fork(function* () {});
      yield* p.sleep(Time.ms);
      expect(yield* copyFromProcess(p, gone, own, 1, own)).toBe(-Errno.ESRCH);
      yield* p.wait();
    });
  });
});

describe('permission, by the rule of 2010 and by that of now (process_vm_readv)', () => {
  const { EPERM } = Errno;
  /** Who the child becomes, and what its parent, user 1000 unless it stays root, may then. */
  it.each([
    ['the same user', [1000, 1000, 1000], 1, 1000, [8, 8]],
    ['another user', [1001, 1001, 1001], 1, 1000, [-EPERM, -EPERM]],
    ['another user, read by root', [1001, 1001, 1001], 1, 0, [8, 8]],
    ['root', [0, 0, 0], 1, 1000, [-EPERM, -EPERM]],
    ['the same user, as whom a set-user-ID program runs', [1000, 0, 0], 1, 1000, [-EPERM, -EPERM]],
    ['the same user, who could become another again', [1000, 1000, 1001], 1, 1000, [-EPERM, -EPERM]],
    ['the same user, not dumpable', [1000, 1000, 1000], 0, 1000, [8, -EPERM]],
    ['another user, not dumpable, read by root', [1001, 1001, 1001], 0, 0, [8, 8]],
  ] as const)('%s', (_who, ids, dumpable, uid, [then, now]) => {
    run(function* (p) {
      const own = yield* p.allocate(PAGE);
      yield* beside(
        p,
        PAGE,
        function* ({ pid, at }) {
          if (uid !== 0) expect(yield* p.setuid(uid)).toBe(0);
          yield* p.memset(own, 0, 16);
          expect(yield* copyFromProcess(p, pid, at, 8, own)).toBe(then);
          expect(yield* copyToProcess(p, pid, at, 8, own)).toBe(then);
          expect(yield* p.load8(own)).toBe(then === 8 ? 7 : 0);
          expect(yield* p.processVmReadv(pid, [{ address: own, length: 8 }], [{ address: at, length: 8 }])).toBe(now);
          expect(yield* p.processVmWritev(pid, [{ address: own, length: 8 }], [{ address: at, length: 8 }])).toBe(now);
        },
        function* (q) {
          const SETRESUID = 117;
          const SET_DUMPABLE = 4;
          const PRCTL = 157;
          expect(yield* q.syscall(SETRESUID, ...ids)).toBe(0);
          expect(yield* q.syscall(PRCTL, SET_DUMPABLE, dumpable)).toBe(0);
        },
      );
    });
  });

  it('by that of now a process with a capability that the caller lacks is refused, too', () => {
    run(function* (p) {
      const own = yield* p.allocate(PAGE);
      yield* beside(
        p,
        PAGE,
        function* ({ pid, at }) {
          expect(yield* p.setuid(1000)).toBe(0);
          expect(yield* copyFromProcess(p, pid, at, 8, own)).toBe(8);
          expect(yield* p.processVmReadv(pid, [{ address: own, length: 8 }], [{ address: at, length: 8 }])).toBe(-EPERM);
        },
        function* (q) {
          const [PRCTL, SET_KEEPCAPS, SET_DUMPABLE] = [157, 8, 4];
          expect(yield* q.syscall(PRCTL, SET_KEEPCAPS, 1)).toBe(0);
          expect(yield* q.setuid(1000)).toBe(0);
          expect(yield* q.syscall(PRCTL, SET_DUMPABLE, 1)).toBe(0);
        },
      );
    });
  });
});

describe('in the middle of a copy', () => {
  /** A third process does something once the copy has begun: a mebibyte takes longer than that. */
  function* during(p: Program, act: (q: Program) => Generator<void, void>): Generator<void, void> {
    yield* p.fork(function* (q) {
      yield* q.setAffinity([2]);
      yield* q.sleep(60 * Time.us);
      yield* act(q);
    });
    yield* p.sleep(20 * Time.us);
  }

  it('the death of the other process takes nothing away: all comes, and its memory goes with the copy', () => {
    const machine = machineOf();
    let framesBefore = 0;
    let framesAfter = 0;
    machine.spawn(
      executable('program', function* (p) {
        yield* p.setAffinity([0]);
        const own = yield* p.allocate(LONG);
        yield* p.memset(own, 1, LONG);
        for (const round of [0, 1]) {
          framesBefore = framesAfter;
          let ready = 0;
          const pid = yield* p.fork(
            ends({ signal: Signal.KILL }, function* (q) {
              yield* q.setAffinity([1]);
              const room = yield* q.allocate(LONG);
              yield* q.memset(room, 7, LONG);
              ready = room;
              for (;;) yield* q.sleep(Time.ms);
            }),
          );
          while (ready === 0) yield* p.sleep(10 * Time.us);
          const { mm } = machine.kernel.processes.get(pid)!;
          yield* during(p, function* (q) {
            expect(yield* q.kill(pid, Signal.KILL)).toBe(0);
            yield* q.sleep(20 * Time.us);
            // It is gone, and still held.
            expect([machine.kernel.processes.get(pid)?.threads.length ?? 0, mm.dead]).toEqual([0, false]);
          });
          expect(yield* copyFromProcess(p, pid, ready, LONG, own)).toBe(LONG);
          expect(mm.dead).toBe(true);
          expect([yield* p.load8(own), yield* p.load8(own + LONG - 1)]).toEqual([7, 7]);
          yield* p.wait();
          yield* p.wait();
          framesAfter = p.context.cpu.memory.framesInUse;
          expect(round === 0 || framesAfter === framesBefore).toBe(true);
        }
      }),
    );
    finish(machine);
  });

  it('so does its exec: what is copied is what it was', () => {
    run(function* (p) {
      const own = yield* p.allocate(LONG);
      yield* p.memset(own, 1, LONG);
      let go = false;
      let ready = 0;
      const pid = yield* p.fork(function* (q) {
        yield* q.setAffinity([1]);
        const room = yield* q.allocate(LONG);
        yield* q.memset(room, 7, LONG);
        ready = room;
        while (!go) yield* q.sleep(10 * Time.us);
        yield* q.exec(executable('another', function* () {}));
      });
      while (ready === 0) yield* p.sleep(10 * Time.us);
      yield* during(p, function* (q) {
        go = true;
        yield* q.compute(1);
      });
      expect(yield* copyFromProcess(p, pid, ready, LONG, own)).toBe(LONG);
      expect(yield* p.load8(own + LONG - 1)).toBe(7);
      yield* p.wait();
      yield* p.wait();
    });
  });

  it('the death of the caller leaves what has been written, lets go of the other memory, and costs the other process nothing', () => {
    run(function* (p) {
      yield* beside(p, LONG, function* ({ pid, at, process }) {
        const copier = yield* p.fork(
          ends({ signal: Signal.KILL }, function* (q) {
            const own = yield* q.allocate(LONG);
            yield* q.memset(own, 1, LONG);
            yield* copyToProcess(q, pid, at, LONG, own);
            // A killed caller does not come back from the call.
            expect('went on').toBe('did not');
          }),
        );
        const seen = yield* p.allocate(LONG);
        yield* p.memset(seen, 0, LONG);
        yield* p.setAffinity([2]);
        while (process.mm.users === 1) yield* p.sleep(5 * Time.us);
        yield* p.sleep(20 * Time.us);
        yield* p.kill(copier, Signal.KILL);
        yield* p.wait();
        expect(process.mm.users).toBe(1);
        expect(yield* copyFromProcess(p, pid, at, LONG, seen)).toBe(LONG);
        const bytes = new Uint8Array(LONG);
        yield* p.loadBytes(seen, bytes);
        const written = bytes.indexOf(7);
        expect(written).toBeGreaterThan(0);
        // Whole pages, from the beginning on.
        expect(bytes.every((byte, i) => byte === (i < written ? 1 : 7))).toBe(true);
      });
    });
  });

  it('comes to the same twice', () => {
    const once = (): string =>
      run(function* (p) {
        const own = yield* p.allocate(LONG);
        yield* beside(p, LONG, function* ({ pid, at }) {
          yield* during(p, function* (q) {
            yield* q.compute(5000);
          });
          yield* copyFromProcess(p, pid, at, LONG, own);
          yield* p.wait();
        });
      }).fingerprint();
    expect(once()).toBe(once());
  });
});

describe('messages by cma', () => {
  it.each([
    [32, [0, 1], 'sleep'],
    [5000, [0, 0], 'poll'],
    [70_000, [0, 1], 'sleep'],
  ] as const)('bring every byte there and back, and every cycle is booked: %d bytes on CPUs %j, sides that %s', (size, cpus, waiting) => {
    const options = { machine: { profile: smallProfile() }, size, cpus, waiting, messages: 5, warmUp: 10 };
    const { there, back, roundTrip } = pingPong(cma as Mechanism, options);
    for (const trip of [there, back]) expect(trip.booked).toBe(trip.totalCycles);
    expect(there.totalCycles + back.totalCycles).toBe(roundTrip.totalCycles);
  });

  it('are what ranks of a parallel program send, in rings and in pairs', () => {
    const options = { machine: { profile: smallProfile(6) }, transport: cmaTransport, ranks: 4, size: 40_000, rounds: 2 };
    for (const workload of [mpiRing, mpiPingPong]) expect(workload(options).bandwidth).toBeGreaterThan(0);
  });
});

describe('rpal-bench os cma', () => {
  const [experiment] = attachSystem.experiments as [Experiment];
  /** A 32nd of the server's cache and of HPCC's messages, and no more cores than are used. */
  const { topology, cache } = defaultProfile;
  const small = {
    ...defaultProfile,
    topology: { ...topology, sockets: 2, coresPerSocket: 16, coresPerCache: 16, threadsPerCore: 1, memoryPerSocket: 1 },
    cache: { ...cache, l3: { ...cache.l3, bytes: cache.l3.bytes / 32 } },
  };

  it('has each published ratio, from the bandwidths that it comes from', () => {
    const figures = experiment.published.flatMap(({ id, value }) => (typeof value === 'number' ? [[id, Number(value.toFixed(2))]] : []));
    expect(Object.fromEntries(figures)).toEqual({
      'CMA-1 4': 3.84,
      'CMA-1 8': 4.03,
      'CMA-1 16': 3.18,
      'CMA-1 32': 1.68,
      'CMA-2 4': 3.8,
      'CMA-2 8': 3.89,
      'CMA-2 16': 3.1,
      'CMA-2 32': 1.72,
      'CMA-3': 3.89,
    });
  });

  it('finds that one copy gains over two, and less where memory has no more to give; each miss has its reason', () => {
    const outcome = parallelOn(small, 62_500, { costs: 'central', seed: 1 });
    const rows = verdicts(experiment, outcome);
    const gains = rows.flatMap(({ published, here }) => (published.kind === 'figure' ? [here as number] : []));
    expect(Math.min(...gains)).toBeGreaterThan(1);
    expect(rows.find(({ published }) => published.id === 'decline')?.verdict).toBe('holds');
    expect(rows.filter(({ verdict, why }) => verdict === 'misses' && why === '')).toEqual([]);
    const [, , bySize] = outcome.curves as [Curves, Curves, Curves];
    const pays = bySize.points.map(({ values: [two, one] }) => (one as number) < (two as number));
    // Below some size a call costs more than the second copy.
    expect([pays[0], pays.at(-1), pays]).toEqual([false, true, [...pays].sort((a, b) => Number(a) - Number(b))]);
  });
});
