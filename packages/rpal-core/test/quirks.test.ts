import { executable, type Machine, type Main, type Program, SyscallNumber } from '@rpal/kernel';
import { SchedPolicy } from '@rpal/sched';
import { Epoll, Errno, LinuxCall, Poll, Prctl, Rlimit, SchedCore, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { posix } from '../../posix/src/index.js';
import {
  callState,
  FdmapArg,
  PkuOn,
  type QuirkName,
  quirkNames,
  Rcc,
  ReceiverState,
  RPAL_NR_ID,
  RpalIoctl,
  rpalThread,
  Scc,
  ServiceChange,
} from '../src/index.js';
import { alone, epollReceiver, forged, orCrash, withPeer } from './experiments.js';
import { Control, finish, mustEnd, rpalImage, run, smallProfile, until, type World, world } from './world.js';

function pidOf(machine: Machine, wanted: string): number {
  for (const { name, pid } of machine.kernel.processes) if (name === wanted) return pid;
  throw new Error(`no process is called ${wanted}`);
}

/** One thread makes ENABLE, which lasts with so many others to be told, while another does `rival`. @returns what becomes of the two */
function againstEnable(setting: World, rival: (q: Program, c: Control, page: number) => Generator<void, unknown>): string {
  const { machine } = setting;
  let installing = false;
  let through = 0;
  machine.bus.events.rpalKey.on('test', () => {
    installing = true;
  });
  machine.spawn(
    rpalImage('service', function* (p) {
      const c = yield* Control.open(p);
      const page = yield* c.share();
      for (let i = 0; i < 40; i++) {
        yield* p.clone(function* (q) {
          yield* q.sleep(1e6);
        });
      }
      yield* p.clone(function* (q) {
        yield* q.setAffinity([3]);
        while (!installing) yield* q.compute(100);
        yield* rival(q, c, page);
        through++;
      });
      yield* p.sleep(1e5);
      if ((yield* c.enable()) === 0) through++;
    }),
    0,
  );
  machine.run(machine.platform.now + 1e8);
  return ['both wait for ever', 'one waits for ever', 'both go on'][through] as string;
}

/** The start of the direct mapping of Linux's kernel, as 64-bit numbers come that have their highest bit set. */
const KERNEL_ADDRESS = -0x7780_0000_0000;

/** One experiment for each: what it shows of the series as written, and once that alone is repaired. */
const experiments: Partial<Record<QuirkName, readonly [written: unknown, repaired: unknown, experiment: (setting: World) => unknown]>> = {
  'one-pointer-two-roles': [
    0,
    -Errno.EINVAL,
    (setting) =>
      alone(setting, function* (_p, c) {
        const page = yield* c.share();
        yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page);
        return yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page + 256);
      }),
  ],
  'registration-error-exits': [
    ['1 leaked', 'one-too-many: no service id is free; id -1 is given back and the service object leaks'],
    ['0 leaked', undefined],
    (setting) => {
      const { machine } = setting;
      const { instruments } = setting.rpal;
      let running = 0;
      let over = false;
      const waits: Main = function* (p) {
        running++;
        while (!over) yield* p.sleep(1e6);
      };
      for (let i = 0; i < RPAL_NR_ID; i++) machine.spawn(rpalImage(`service-${i}`, waits), i % 4);
      while (running < RPAL_NR_ID) machine.run(machine.platform.now + 1e7);
      machine.spawn(
        rpalImage('one-too-many', function* (p) {
          yield* p.getpid();
          over = true;
        }),
      );
      finish(machine);
      return [`${instruments.leakedServices} leaked`, instruments.log[0]?.replace(/^\[\d+\] /, '')];
    },
  ],
  'fair-class-unchecked': [
    0,
    -Errno.EINVAL,
    (setting) =>
      alone(setting, function* (p, c) {
        const page = yield* c.share();
        expect(yield* p.setScheduler(0, SchedPolicy.FIFO, 1)).toBe(0);
        return yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page);
      }),
  ],
  'shared-page-leak': [
    [0, 1],
    [0, 0],
    (setting) =>
      alone(setting, function* (p, c) {
        const page = yield* c.share(4);
        const shared = rpalThread(p.context.thread).service?.sharedPages[0];
        const frames = [0, 1].map((i) => shared?.frame(i) as number);
        yield* p.munmap(page, 4 * 4096);
        return frames.map((frame) => setting.machine.kernel.memory.frames.count(frame));
      }),
  ],
  'shared-page-kill': [
    'use after free, patch 7',
    'lives',
    (setting) =>
      orCrash(() =>
        alone(setting, function* (p, c) {
          const page = yield* c.share();
          yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page);
          yield* p.munmap(page, 4096);
          yield* p.sleep(1e6);
          return 'lives';
        }),
      ),
  ],
  'shared-page-split': [
    0,
    1,
    (setting) =>
      alone(setting, function* (p, c) {
        const page = yield* c.share(4);
        yield* p.munmap(page, 4096);
        return rpalThread(p.context.thread).service?.sharedPages.length;
      }),
  ],
  'lock-order-inverted': [
    'both wait for ever',
    'both go on',
    (setting) =>
      againstEnable(setting, function* (q, c) {
        expect(yield* q.mmap(0, 4096, 3, 1, c.fd)).toBeGreaterThan(0);
      }),
  ],
  'read-ignores-count': [
    8,
    0,
    (setting) =>
      withPeer(
        setting,
        function* () {},
        function* (p, c, peer) {
          yield* until(p, () => peer.exit !== null);
          return yield* p.read(c.fd, c.note, 4);
        },
      ),
  ],
  'tlb-range-filter': [
    'stale',
    `killed by ${Signal.SEGV}`,
    (setting) => {
      let target = 0;
      let unmapped = false;
      let filled = false;
      return withPeer(
        setting,
        function* (p, _c, peer) {
          const page = yield* p.allocate(4096);
          yield* p.store64(page, 42);
          target = page;
          yield* until(p, () => filled);
          yield* p.munmap(page, 4096);
          unmapped = true;
          yield* until(p, () => peer.exit !== null);
        },
        function* (p) {
          yield* until(p, () => target !== 0);
          p.wrpkru(0);
          yield* p.load64(target);
          filled = true;
          // In user mode throughout: a switch of address spaces would flush.
          while (!unmapped) yield* p.compute(500);
          yield* p.load64(target);
          return 'stale';
        },
      );
    },
  ],
  // The thread is killed while it makes ENABLE, so it sees no result: what is announced of the service tells.
  'enable-ignores-key-failure': [
    ['key installation begins', 'enabled'],
    ['key installation begins'],
    (setting) => {
      const { machine } = setting;
      const seen: string[] = [];
      const { rpalKey, rpalService } = machine.bus.events;
      rpalKey.on('test', (_cpu, _time, _service, state) => seen.push(state === PkuOn.INIT ? 'key installation begins' : 'key installed'));
      rpalService.on('test', (_cpu, _time, _service, change) => {
        if (change === ServiceChange.ENABLED) seen.push('enabled');
      });
      run(
        setting,
        function* (p) {
          mustEnd(p, { signal: Signal.KILL });
          const c = yield* Control.open(p);
          // PKRU of each is changed before the pages are: time enough to be killed in.
          for (let i = 0; i < 40; i++) {
            yield* p.clone(function* (q) {
              yield* q.sleep(1e9);
            });
          }
          yield* c.enable();
        },
        function* (p) {
          while (seen.length === 0) yield* p.compute(100);
          yield* p.kill(pidOf(machine, 'service-0'), Signal.KILL);
        },
      );
      return seen;
    },
  ],
  'refused-task-stays-waking': [
    'asleep for good, even though the state word allows to wake it',
    'woken by the waker at its next tick',
    (setting) => {
      const { machine } = setting;
      let page = 0;
      let woken = false;
      // The reader sleeps on an idle CPU, so that the writer's CPU only leaves it a note. Before the reader's CPU looks at that,
      // a thread with the page in its memory has stored another state.
      machine.spawn(
        rpalImage('service', function* (p) {
          yield* p.setAffinity([0]);
          const c = yield* Control.open(p);
          page = yield* c.share();
          const output = yield* p.pipe();
          const input = p.second;
          yield* p.clone(function* (q) {
            yield* q.setAffinity([3]);
            yield* q.sleep(1e6);
            yield* q.write(input, c.note, 1);
            yield* q.store32(page + Rcc.receiverState, callState(3, 7));
            yield* q.sleep(5e5);
            yield* q.store32(page + Rcc.receiverState, ReceiverState.WAIT);
          });
          yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
          yield* p.read(output, c.note, 1);
          woken = true;
        }),
        0,
      );
      machine.run(machine.platform.now + 1e8);
      expect(setting.rpal.instruments.refusedWakeUps).toBeGreaterThan(0);
      return woken ? 'woken by the waker at its next tick' : 'asleep for good, even though the state word allows to wake it';
    },
  ],
  // A thread of the same process puts a bit above the state into the word, and then wakes its owner.
  'foreign-bits-hang': [
    'hard lockup, patch 15',
    'woken',
    (setting) =>
      orCrash(() =>
        alone(setting, function* (p, c) {
          const page = yield* c.share();
          const output = yield* p.pipe();
          const input = p.second;
          yield* p.clone(function* (q) {
            yield* q.setAffinity([3]);
            yield* q.sleep(1e6);
            yield* q.store32(page + Rcc.receiverState, ReceiverState.WAIT | 0x100);
            yield* q.write(input, c.note, 1);
          });
          yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
          yield* p.read(output, c.note, 1);
          return 'woken';
        }),
      ),
  ],
  'wake-up-cpu-uninitialised': [
    'uninitialised, patch 15',
    'the pid of the victim',
    (setting) =>
      forged(setting, function* (p) {
        yield* p.sleep(1e6);
        yield* p.kill(yield* p.getpid(), Signal.STOP);
      }),
  ],
  // A receiver that is being called waits on an epoll, and so does a thread behind it.
  'refused-wake-up-consumed': [
    'asleep until its time is up',
    'woken by the event',
    (setting) => {
      let counted = -1;
      alone(setting, function* (p, c) {
        const { page, epfd, fd } = yield* epollReceiver(p, c, { events: Poll.IN | Epoll.ET });
        yield* p.clone(function* (q) {
          yield* q.setAffinity([2]);
          const events = yield* q.allocate(4096);
          counted = yield* q.epollWait(epfd, events, 1, 10);
        });
        yield* p.clone(function* (q) {
          yield* q.setAffinity([3]);
          yield* q.sleep(3e6);
          const one = yield* q.allocate(4096);
          yield* q.store64(one, 1);
          yield* q.store32(page + Rcc.receiverState, callState(3, 7));
          yield* q.write(fd, one, 8);
          yield* q.store32(page + Rcc.receiverState, ReceiverState.WAIT);
        });
        // First in the queue, as the last to come.
        yield* p.sleep(1e6);
        yield* p.epollWait(epfd, c.note, 8, 20);
        yield* p.sleep(20e6);
      });
      return counted === 1 ? 'woken by the event' : 'asleep until its time is up';
    },
  ],
  'fs-base-of-register-cleared': [
    'use after free, patch 17',
    'the own pid',
    (setting) =>
      forged(setting, function* (p, c) {
        const own = p.rdfsbase();
        p.wrfsbase(own + 64);
        expect(yield* c.ioctl(RpalIoctl.UNREGISTER_RECEIVER)).toBe(0);
        p.wrfsbase(own);
        yield* p.sleep(5e6);
      }),
  ],
  'compat-entries-unhooked': [
    'the own pid',
    'the pid of the victim',
    (setting) =>
      forged(
        setting,
        function* (p) {
          yield* p.sleep(5e6);
        },
        (p) => p.compatSyscall(SyscallNumber.getpid),
      ),
  ],
  // ulimit -v is enough.
  'balloon-failure-unchecked': [
    'oops, patch 5',
    `killed by ${Signal.SEGV}`,
    ({ machine }) =>
      orCrash(() => {
        const process = machine.spawn(
          executable('shell', function* (p) {
            yield* p.prlimit(Rlimit.AS, 2 ** 30);
            yield* p.exec(rpalImage('service', function* () {}));
          }),
        );
        machine.run({ deaths: 'report' });
        return `killed by ${process.exit?.signal}`;
      }),
  ],
  'wait-arguments-unchecked': [
    'out of bounds, patch 27',
    -Errno.EFAULT,
    (setting) =>
      orCrash(() =>
        alone(setting, function* (p, c) {
          const { page, epfd } = yield* epollReceiver(p, c, { count: 1 });
          yield* p.store64(page + Rcc.events, KERNEL_ADDRESS);
          return yield* p.epollWait(epfd, c.note, 8, -1);
        }),
      ),
  ],
  'kill-refused': [
    'alive',
    `killed by ${Signal.KILL}`,
    (setting) => {
      let page = 0;
      return withPeer(
        setting,
        function* (p, c) {
          mustEnd(p, { signal: Signal.KILL });
          page = yield* c.share();
          yield* p.store32(page + Rcc.receiverState, callState(3, 7));
          yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
          // Nobody but a timer of its own, which is refused, too, until the word is put right.
          yield* p.sleep(1e6);
        },
        function* (p, _c, peer) {
          yield* p.sleep(5e6);
          yield* p.kill(peer.pid, Signal.KILL);
          yield* p.sleep(20e6);
          const alive = peer.exit === null;
          if (alive) {
            // The peer's memory is its own, once it has opened the key: it puts the word right.
            const own = p.rdpkru();
            p.wrpkru(0);
            yield* p.store32(page + Rcc.receiverState, ReceiverState.RUNNING);
            p.wrpkru(own);
          }
          yield* until(p, () => peer.exit !== null);
          return alive ? 'alive' : `killed by ${peer.exit?.signal}`;
        },
      );
    },
  ],
  'lazy-switch-unchecked': [
    'the pid of the victim',
    'the own pid',
    (setting) =>
      forged(setting, function* (p) {
        yield* p.sleep(5e6);
      }),
  ],
  'fdmap-copy-count': [
    16,
    -Errno.EFAULT,
    (setting) =>
      alone(setting, function* (_p, c) {
        return yield* c.ioctl(RpalIoctl.UDS_FDMAP, 0x1000);
      }),
  ],
  'fdmap-silent-failure': [
    0,
    -Errno.ENOENT,
    (setting) =>
      alone(setting, function* (p, c) {
        yield* p.store32(c.note + FdmapArg.cfd, 99);
        return yield* c.ioctl(RpalIoctl.UDS_FDMAP, c.note);
      }),
  ],
  'fdmap-unverified-waiter': [
    'out of bounds, patch 28',
    0,
    (setting) => {
      return orCrash(() =>
        alone(setting, function* (p, c) {
          const fd = yield* p.socketpair(1);
          const other = p.second;
          const buffer = yield* p.allocate(4096);
          yield* p.clone(function* (q) {
            yield* q.read(other, buffer, 1);
          });
          yield* p.sleep(1e6);
          yield* p.store32(c.note + FdmapArg.cfd, fd);
          const result = yield* c.ioctl(RpalIoctl.UDS_FDMAP, c.note);
          yield* p.write(fd, buffer, 1);
          return result;
        }),
      );
    },
  ],
  // It does not wait but goes round, on a CPU that it does not leave.
  'passed-deadline-spins': [
    'ends with the event of another thread: thousands of looks in a millisecond, asleep 0 times, off its CPU 0 times',
    'ends at once: 1 looks, asleep 0 times, off its CPU 0 times',
    (setting) =>
      alone(setting, function* (p, c) {
        const { epfd, fd } = yield* epollReceiver(p, c);
        yield* p.clone(function* (q) {
          yield* q.setAffinity([3]);
          yield* q.sleep(1.5e6);
          const one = yield* q.allocate(4096);
          yield* q.store64(one, 1);
          yield* q.write(fd, one, 8);
        });
        let looks = 0;
        let sleeps = 0;
        let left = 0;
        const { events } = setting.machine.bus;
        events.rpalReceiverState.on('test', (_cpu, _time, _rcc, row) => {
          if (row === 2) looks++;
          if (row === 3) sleeps++;
        });
        const { cpu } = p.context;
        events.contextSwitch.on('test', (on) => {
          if (on === cpu.id) left++;
        });
        left = 0;
        const begun = cpu.clock;
        // A hundred nanoseconds are over before the wait could begin.
        const count = yield* p.epollPwait2(epfd, c.note, 8, 100);
        const microseconds = (cpu.clock - begun) / cpu.costs.tscPerNs / 1000;
        const roundly = looks > 1000 && microseconds > 1000 ? 'thousands of looks in a millisecond' : `${looks} looks`;
        return `${count === 0 ? 'ends at once' : 'ends with the event of another thread'}: ${roundly}, asleep ${sleeps} times, off its CPU ${left} times`;
      }),
  ],
  // Ten milliseconds of work, with a claim of five days in each. What a tick has charged before the claim is made is not given back.
  'total-time-unchecked': [
    'charged for 2 of ten milliseconds',
    'charged for 10 of ten milliseconds',
    (setting) =>
      alone(setting, function* (p, c) {
        const page = yield* c.share();
        yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page);
        const { thread, cpu } = p.context;
        yield* p.sleep(1e5);
        const before = thread.entity.sumExec;
        for (let i = 0; i < 10; i++) {
          yield* p.compute(1e6 * cpu.costs.tscPerNs);
          yield* p.store64(page + Scc.totalTime, 1e15);
          yield* p.sleep(1e5);
        }
        return `charged for ${Math.round((thread.entity.sumExec - before) / 1e6)} of ten milliseconds`;
      }),
  ],
};

/** Those with a file of their own here. */
const elsewhere: readonly QuirkName[] = [
  'time-slice-misplaced',
  'fred-entries-unhooked',
  'core-pick-unchecked',
  'cpu-lock-nests',
  'cpu-lock-fails',
  'waker-holds-nobody',
];

/** Those that take other CPUs at one moment to show are searched for by the explorer. */
const withExplorer: readonly QuirkName[] = ['fs-base-before-record'];

/** Those that take a call to show are tested with the library. */
const withLibrary: readonly QuirkName[] = [
  // With the explorer: state-tables.test.ts there.
  'wake-up-not-rechecked',
  'refused-wake-up-succeeds',
  'fork-keeps-cpu-count',
  'wait-in-call-hides-switch',
  'recovery-credits-nothing',
  'unregister-in-call',
  'receiver-ends-before-return',
  'sender-id-unchecked',
  'timeout-reread',
  'epoll-without-reference',
  'ret-section-needs-sender',
  'offline-unblocked',
  'quota-rechecked',
  'epoll-file-put-twice',
  'fast-epoll-error-lost',
  'fast-epoll-timer-uninitialised',
  'fdmap-result-uninitialised',
  'released-key-found',
  'sender-slot-bitmap',
  'sender-area-too-small',
  'receiver-area-unchecked',
  'mmap-failure-null',
  'failure-without-code',
  'failed-init-leaks',
  'second-init-forgets',
  'exit-not-forgotten',
  'failed-receiver-takes-number',
  'key-zero-found',
  'refused-sender-as-fault',
  'receiver-id-unchecked',
  'event-bits-not-atomic',
  'modify-drops-pending',
  'dead-callers-record-kept',
  'install-race-loses-record',
  'reference-to-empty-slot',
  'nested-recovery-lost',
  'negative-read-length',
  'read-before-init-faults',
];

/** That of the sample programs is tested with them: rfc-benchmark.test.ts of the benchmark. */
const withBenchmark: readonly QuirkName[] = ['stamp-ends-in-filler'];

describe('behaviour of the series that looks unintended', () => {
  it.each(Object.entries(experiments))('%s: reproduced', (_name, [written, , experiment]) => {
    expect(experiment(world())).toEqual(written);
  });

  it.each(Object.entries(experiments))('%s: repaired alone', (name, [, repaired, experiment]) => {
    expect(experiment(world({ repair: [name as QuirkName] }))).toEqual(repaired);
  });

  it('compat-entries-unhooked: INT 0x80 is no such entry', () => {
    const sleeps = function* (p: Program): Generator<void, void> {
      yield* p.sleep(5e6);
    };
    expect(forged(world(), sleeps, (p) => p.int80(SyscallNumber.getpid))).toBe('the pid of the victim');
  });

  it.each([
    [[], 'the own pid'],
    [['fred-entries-unhooked'], 'the pid of the victim'],
  ] as const)('fred-entries-unhooked, with %j repaired', (repair, expected) => {
    const { features, ...profile } = smallProfile();
    const setting = world({ repair }, { profile: { ...profile, features: { ...features, fred: true } } });
    const pid = forged(setting, function* (p) {
      yield* p.sleep(5e6);
    });
    expect(pid).toBe(expected);
  });

  it.each([
    [[], 'corruption, patch 18'],
    [['core-pick-unchecked'], 'BUG, patch 18'],
  ] as const)('core-pick-unchecked, with %j repaired: a real-time receiver, and core scheduling', (repair, expected) => {
    const { topology, ...profile } = smallProfile();
    const setting = world({ repair }, { profile: { ...profile, topology: { ...topology, threadsPerCore: 2 } }, plugins: [posix()] });
    const seen = forged(setting, function* (p) {
      expect(yield* p.syscall(LinuxCall.prctl, Prctl.SCHED_CORE, SchedCore.CREATE)).toBe(0);
      expect(yield* p.setScheduler(0, SchedPolicy.FIFO, 1)).toBe(0);
      yield* p.sleep(5e6);
    });
    expect(seen).toBe(expected);
  });

  it.each([
    [[], 'both wait for ever'],
    [['lock-order-inverted'], 'both go on'],
  ] as const)('lock-order-inverted, with munmap in place of mmap, with %j repaired', (repair, expected) => {
    const seen = againstEnable(world({ repair }), function* (q, _c, page) {
      expect(yield* q.munmap(page, 4096)).toBe(0);
    });
    expect(seen).toBe(expected);
  });

  it('lock-order-inverted does nothing to munmap of other memory, nor to a process that is no service', () => {
    const other = againstEnable(world(), function* (q) {
      const memory = yield* q.allocate(4096);
      expect(yield* q.munmap(memory, 4096)).toBe(0);
    });
    expect(other).toBe('both go on');
  });

  it('is tested in all its kinds, here, with the library, or with the sample', () => {
    expect([...Object.keys(experiments), ...elsewhere, ...withExplorer, ...withLibrary, ...withBenchmark].sort()).toEqual(
      [...quirkNames].sort(),
    );
  });
});
