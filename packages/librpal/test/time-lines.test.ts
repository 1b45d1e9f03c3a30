import { LazySwitch, Rcc, ReceiverState, RPAL_EP_POLL_MAGIC, Scc } from '@rpal/rpal-core';
import { Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { type Callee, type Caller, call, mustEnd, pair, serve, type World, world } from './pair.js';

type Routine<T = unknown> = Generator<void, T>;

/** What happened between two marks, in order: rows of the receiver's table, and of the sender's (with an s). */
class Recorder {
  readonly #setting: World;
  rows: string[] = [];
  #undo: readonly (() => void)[] = [];

  constructor(setting: World) {
    this.#setting = setting;
  }

  start(): void {
    this.rows = [];
    const { rpalReceiverState, rpalSenderState } = this.#setting.machine.bus.events;
    this.#undo = [
      rpalReceiverState.on('test', (_cpu, _time, _rcc, row) => this.rows.push(`${row}`)),
      rpalSenderState.on('test', (_cpu, _time, _rcc, row) => this.rows.push(`s${row}`)),
    ];
  }

  stop(): string {
    for (const undo of this.#undo) undo();
    return this.rows.join(' ');
  }
}

/** Runs `body` in the caller under the recorder; the callee works on each word as `work` says. */
function timeLine(
  work: (end: Callee, word: number) => Routine,
  body: (end: Caller, setting: World) => Routine = (end) => call(end, 1),
): { rows: string; setting: World } {
  const setting = world({ repair: 'all' });
  const recorder = new Recorder(setting);
  let rows = '';
  pair(
    setting,
    (end) => serve(end, (word) => work(end, word)),
    function* (end) {
      // The receiver sleeps in its first wait by now.
      yield* end.p.sleep(1e6);
      recorder.start();
      yield* body(end, setting);
      rows = recorder.stop();
    },
  );
  return { rows, setting };
}

const nothing = function* () {};

describe('time lines of a call', () => {
  it('A. pure call: WAIT, CALL, WAIT, and no kernel', () => {
    const { rows, setting } = timeLine(nothing);
    expect(rows).toBe('10 s1 s2 11');
    // Those of the end of the connection.
    expect(setting.rpal.instruments.kernelReturns).toBe(0);
  });

  it('B. the callee makes a system call: LAZY_SWITCH, and back by READY_LS to WAIT', () => {
    const { rows } = timeLine(function* ({ p }) {
      yield* p.getpid();
    });
    expect(rows).toBe('10 s1 13 s2 15 17');
  });

  it("C. a tick during the callee: as B, and the tick is the receiver's", () => {
    const { rows } = timeLine(function* ({ p }) {
      yield* p.compute(9.3e6);
    });
    expect(rows).toBe('10 s1 13 s2 15 17');
  });

  it.each([
    [true, '10 s1 13 s2 15 17'],
    [false, '10 s1 s2 11'],
  ])(
    "C. another thread of the caller unmaps memory during the callee (%s): a flush interrupt is the receiver's, as any other",
    (unmaps, expected) => {
      let during = false;
      const { rows } = timeLine(
        function* ({ p }) {
          during = true;
          yield* p.compute(4e5);
          during = false;
        },
        function* (end) {
          const { p } = end;
          const memory = yield* p.allocate(4096);
          yield* p.store64(memory, 1);
          let over = false;
          yield* p.clone(function* (q) {
            yield* q.setAffinity([2]);
            while (!during) yield* q.compute(1000);
            if (unmaps) yield* q.munmap(memory, 4096);
            expect(during).toBe(true);
            over = true;
          });
          yield* p.sleep(2e6);
          yield* call(end, 1);
          while (!over) yield* p.compute(1000);
        },
      );
      expect(rows).toBe(expected);
    },
  );

  it('D. the callee runs longer than its turn: the sender comes back by the kernel', () => {
    const { rows, setting } = timeLine(function* ({ p }) {
      yield* p.compute(1e8);
    });
    expect(rows).toBe('10 s1 13 s3');
    expect(setting.rpal.instruments.kernelReturns).toBe(1);
  });

  it('D. ... and the receiver, which finds KERNEL_RET, simply waits', () => {
    const { rows } = timeLine(
      function* ({ p }) {
        yield* p.compute(1e8);
      },
      function* (end) {
        yield* call(end, 1);
        yield* end.p.sleep(200e6);
      },
    );
    expect(rows).toBe('10 s1 13 s3 2 3');
  });

  it.each([
    ['asleep in its wait: its handler runs before the wait returns', 0],
    ['in a call that the kernel knows nothing of: its handler runs after the call', 4e5],
  ])('a signal for a receiver that is %s', (_what, computes) => {
    const setting = world({ repair: 'all' });
    const seen: string[] = [];
    pair(
      setting,
      function* (end) {
        const { p, lib, epfd, memory } = end;
        yield* p.sigaction(Signal.USR1, function* (q) {
          seen.push('handler');
          yield* q.compute(1000);
          yield* q.getpid();
          seen.push('its end');
        });
        if (computes === 0) {
          const result = yield* lib.epollWait(epfd, memory, 8, -1);
          seen.push(`wait: ${result}`);
        }
        yield* serve(end, function* (word) {
          seen.push(`word ${word}`);
          yield* p.compute(computes);
          seen.push('worked');
        });
      },
      function* (end) {
        const { p } = end;
        const callee = [...setting.machine.kernel.processes].find(({ name }) => name === 'callee')?.pid as number;
        yield* p.sleep(1e6);
        if (computes === 0) {
          yield* p.kill(callee, Signal.USR1);
          yield* p.sleep(1e6);
        } else {
          yield* p.clone(function* (q) {
            yield* q.setAffinity([2]);
            while (!seen.includes('word 1')) yield* q.compute(1000);
            yield* q.kill(callee, Signal.USR1);
          });
        }
        yield* call(end, 1);
        seen.push('returned');
        yield* p.sleep(1e6);
      },
    );
    const asleep = ['handler', 'its end', 'wait: -4', 'word 1', 'worked', 'returned'];
    const called = ['word 1', 'worked', 'returned', 'handler', 'its end'];
    expect(seen).toEqual(computes === 0 ? asleep : called);
  });

  it('a sender that is killed in its call: the receiver can be called again', () => {
    const setting = world({ repair: 'all' });
    const recorder = new Recorder(setting);
    let rows = '';
    pair(
      setting,
      function* (end) {
        yield* serve(end, function* () {
          yield* end.p.compute(4e6);
        });
      },
      function* (end) {
        const { p } = end;
        mustEnd(p, { signal: Signal.KILL });
        const own = p.context.thread.process.pid;
        yield* p.fork(function* (q) {
          yield* q.setAffinity([2]);
          yield* q.sleep(1e6);
          yield* q.kill(own, Signal.KILL);
        });
        yield* p.sleep(1.5e5);
        recorder.start();
        yield* call(end, 1);
        rows = 'came back';
      },
    );
    rows ||= recorder.stop();
    expect(rows).toMatch(/^10 s1 13 /);
  });
});

describe('a fork in a call (patch 23)', () => {
  it('gives the child the affinity that the callee had before it was tied to the CPU of its caller', () => {
    const allowed: number[] = [];
    pair(
      world({ repair: 'all' }),
      function* (end) {
        const { p } = end;
        yield* p.setAffinity([0, 2]);
        yield* serve(end, function* () {
          yield* p.fork(function* (q) {
            for (let id = 0; id < 4; id++) if (q.context.thread.affinity.has(id)) allowed.push(id);
            yield* q.getpid();
          });
        });
      },
      function* (end) {
        yield* call(end, 1);
        yield* end.p.sleep(5e6);
      },
    );
    expect(allowed).toEqual([0, 2]);
  });
});

describe('the time of a call (patch 33)', () => {
  it('is credited to both sides when the kernel takes up the receiver', () => {
    const WORK = 200_000;
    const setting = world({ repair: 'all' });
    const { bus, platform } = setting.machine;
    const credited: (readonly [sender: number, receiver: number])[] = [];
    let watched = false;
    bus.events.rpalLazySwitch.on('test', (_cpu, _time, from, to, direction) => {
      if (!watched || direction !== LazySwitch.TO_RECEIVER) return;
      const { memory } = platform;
      credited.push([memory.read64(from.rpal.role.scc + Scc.totalTime), memory.read64(to.rpal.role.rcc + Rcc.totalTime)]);
    });
    pair(
      setting,
      (end) =>
        serve(end, function* () {
          if (watched) yield* end.p.compute(WORK);
          yield* end.p.getpid();
        }),
      function* (end) {
        // Pages are faulted in before.
        yield* call(end, 1);
        yield* end.p.sleep(1e6);
        watched = true;
        yield* call(end, 2);
        watched = false;
      },
    );
    expect(credited).toHaveLength(1);
    for (const [sender, receiver] of credited) {
      expect(sender).toBeGreaterThanOrEqual(WORK);
      expect(sender).toBeLessThan(WORK + 20_000);
      expect(receiver).toBe(sender);
    }
  });
});

describe('PKRU through a call', () => {
  it('is what the table says at each moment', () => {
    const seen: Record<string, number> = {};
    const keys = { caller: 0, callee: 0 };
    const hex = (pkru: number): string => (pkru >>> 0).toString(16);
    const only = (key: number): number => ~(3 << (2 * key));
    const setting = world({ repair: 'all' });
    pair(
      setting,
      function* (end) {
        keys.callee = end.lib.process.pkey;
        seen.idle = end.p.rdpkru();
        yield* serve(end, function* () {
          seen['receiver after its wait'] = end.p.rdpkru();
          yield* end.p.getpid();
          seen['after a lazy switch'] = end.p.rdpkru();
        });
      },
      function* (end) {
        keys.caller = end.lib.process.pkey;
        seen['sender before'] = end.p.rdpkru();
        const { bus, platform } = setting.machine;
        const pkru = (cpu: number) => platform.cpus[cpu]?.mmu.pkru ?? -1;
        const undo = [
          bus.events.rpalReceiverState.on('test', (cpu, _time, _rcc, row) => {
            if (row === 10) seen['sender inside'] = pkru(cpu);
          }),
          bus.events.rpalSenderState.on('test', (cpu, _time, _rcc, row) => {
            if (row === 2) seen['receiver deciding'] = pkru(cpu);
          }),
        ];
        yield* call(end, 1);
        for (const stop of undo) stop();
        seen['sender after'] = end.p.rdpkru();
      },
    );
    const both = only(keys.caller) & only(keys.callee);
    expect(Object.fromEntries(Object.entries(seen).map(([moment, pkru]) => [moment, hex(pkru)]))).toEqual({
      idle: hex(only(keys.callee)),
      'sender before': hex(only(keys.caller)),
      'sender inside': hex(both),
      'receiver after its wait': hex(only(keys.callee)),
      'after a lazy switch': hex(only(keys.callee)),
      'receiver deciding': hex(only(keys.callee)),
      'sender after': hex(only(keys.caller)),
    });
  });
});

it('a receiver that a lazy switch parks is the first in the queue of its epoll: events go to it, and not to who waited before', () => {
  const woken: string[] = [];
  let parked = false;
  pair(
    world(),
    function* ({ p, lib, fd, epfd, memory }) {
      yield* p.clone(function* (q) {
        yield* q.setAffinity([2]);
        yield* q.sleep(2e6);
        const events = yield* q.allocate(4096);
        if ((yield* q.epollWait(epfd, events, 1, -1)) > 0) woken.push('who waited before');
      });
      for (;;) {
        yield* lib.epollWait(epfd, memory, 1, -1);
        if (parked) break;
        yield* lib.readPtrs(fd, memory + 4096, 32);
        yield* p.getpid();
      }
      woken.push('receiver');
      yield* p.exit(0);
    },
    function* (end) {
      yield* end.p.sleep(4e6);
      yield* call(end, 1);
      parked = true;
      yield* end.p.write(end.fd, end.words, 1);
      yield* end.p.sleep(1e6);
    },
  );
  expect(woken).toEqual(['receiver']);
});

it('a lazily switched receiver that sleeps in an epoll_wait of its own is in WAIT, as any other: the switch does not ask who called it', () => {
  let state = -1;
  pair(
    world({ repair: ['wait-in-call-hides-switch'] }),
    function* ({ p, lib, fd, epfd, memory }) {
      const { receiverContexts } = lib.process;
      yield* lib.epollWait(epfd, memory, 8, -1);
      yield* lib.readPtrs(fd, memory + 4096, 32);
      yield* p.clone(function* (q) {
        yield* q.setAffinity([2]);
        yield* q.sleep(1e6);
        state = yield* q.load32(receiverContexts + Rcc.receiverState);
      });
      const empty = yield* p.epollCreate();
      yield* p.store32(receiverContexts + Rcc.epPollMagic, RPAL_EP_POLL_MAGIC);
      yield* p.epollWait(empty, memory, 1, 3);
      yield* p.store32(receiverContexts + Rcc.epPollMagic, 0);
      yield* p.exit(0);
    },
    function* (end) {
      yield* call(end, 1);
      yield* end.p.sleep(10e6);
    },
  );
  expect(state).toBe(ReceiverState.WAIT);
});
