import { allSteps, type LedgerEntry, spread } from '@rpal/hw-x86';
import { Epoll, Poll, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { executable, type Program, SyscallNumber } from '../src/index.js';
import { smallMachine } from './support.js';

/**
 * Instructions per operation of a real kernel: Debian 12's backported 6.12.95, mitigations off, every executed instruction
 * recorded under an emulator; median of 200 runs. Sums over user and kernel mode. The model books the same operations
 * as steps, and the instructions of the steps must come to the same, but for what each row says.
 */
const COUNTED = {
  'null system call (getppid)': 328,
  'epoll_ctl ADD (unix stream socket)': 1410,
  'epoll_ctl DEL': 1114,
  'epoll_ctl MOD': 676,
  'epoll_wait, nothing ready, timeout 0': 397,
  'epoll_wait, one ready': 791,
  'unix stream 32 B round trip, epoll on both sides, no wake-up preemption': 19_777,
  'unix stream 32 B round trip, epoll on both sides': 17_575,
} as const;

type Operation = keyof typeof COUNTED;

/** Instructions of what a ledger books. */
function instructions(entries: readonly LedgerEntry[]): number {
  return entries.reduce((sum, { step, count }) => sum + count * spread(step.instructions ?? 0)[1], 0);
}

/** Instructions that one call of `body` books on CPU 0, as the average of `times` after one to warm up. */
function perOperation(prepare: (p: Program) => Generator<void, () => Iterable<void, unknown>>, times = 8): number {
  const machine = smallMachine();
  let result = 0;
  machine.spawn(
    executable('counted', function* (p) {
      const body = yield* prepare(p);
      yield* body();
      const booked = () => instructions(p.context.cpu.ownLedger.entries);
      const before = booked();
      for (let i = 0; i < times; i++) yield* body();
      result = (booked() - before) / times;
    }),
  );
  machine.run();
  return result;
}

function* socketInEpoll(p: Program) {
  const a = yield* p.socketpair(SocketType.STREAM);
  const b = p.context.a5;
  const epfd = yield* p.epollCreate();
  const buffer = yield* p.allocate(4096);
  yield* p.store8(buffer, 1);
  return { a, b, epfd, buffer };
}

describe('instructions per operation, against those counted on Linux 6.12', () => {
  const within = (operation: Operation, measured: number, tolerance: number) => {
    const counted = COUNTED[operation];
    expect(Math.abs(measured / counted - 1), `${operation}: ${measured} modelled, ${counted} counted`).toBeLessThanOrEqual(tolerance);
  };

  it('null system call', () => {
    const measured = perOperation(function* (p) {
      return () => p.syscall(SyscallNumber.getppid);
    });
    within('null system call (getppid)', measured, 0.005);
  });

  it('epoll_ctl', () => {
    const both = perOperation(function* (p) {
      const { epfd, b } = yield* socketInEpoll(p);
      return function* () {
        yield* p.epollCtl(epfd, Epoll.CTL_ADD, b, Poll.IN);
        yield* p.epollCtl(epfd, Epoll.CTL_DEL, b);
      };
    });
    const deletion = both - COUNTED['epoll_ctl ADD (unix stream socket)'];
    within('epoll_ctl DEL', deletion, 0.01);
    const modification = perOperation(function* (p) {
      const { epfd, b } = yield* socketInEpoll(p);
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, b, Poll.IN);
      return () => p.epollCtl(epfd, Epoll.CTL_MOD, b, Poll.IN);
    });
    within('epoll_ctl MOD', modification, 0.01);
  });

  it('epoll_wait that does not block', () => {
    const nothing = perOperation(function* (p) {
      const { epfd, b, buffer } = yield* socketInEpoll(p);
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, b, Poll.IN);
      return () => p.epollWait(epfd, buffer, 8, 0);
    });
    within('epoll_wait, nothing ready, timeout 0', nothing, 0.01);
    const one = perOperation(function* (p) {
      const { epfd, a, b, buffer } = yield* socketInEpoll(p);
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, b, Poll.IN);
      yield* p.write(a, buffer, 8);
      return () => p.epollWait(epfd, buffer, 8, 0);
    });
    within('epoll_wait, one ready', one, 0.015);
  });

  it('round trip over a Unix stream socket with epoll on both sides, on one CPU', () => {
    const machine = smallMachine();
    const trips = 50;
    let measured = 0;
    const side = (p: Program, fd: number, first: boolean, done: () => void) =>
      (function* () {
        const epfd = yield* p.epollCreate();
        const buffer = yield* p.allocate(4096);
        yield* p.store8(buffer, 1);
        yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN);
        for (let i = 0; i < trips; i++) {
          if (first) yield* p.write(fd, buffer, 32);
          yield* p.epollWait(epfd, buffer + 2048, 8, -1);
          yield* p.read(fd, buffer, 32);
          if (!first) yield* p.write(fd, buffer, 32);
          if (i === 9 || i === trips - 1) done();
        }
      })();
    machine.spawn(
      executable('echo', function* (p) {
        yield* p.setAffinity([0]);
        const a = yield* p.socketpair(SocketType.STREAM);
        const b = p.context.a5;
        yield* p.fork((child) => side(child, b, false, () => {}));
        const { ownLedger } = p.context.cpu;
        const marks: number[] = [];
        yield* side(p, a, true, () => marks.push(instructions(ownLedger.entries)));
        measured = ((marks[1] as number) - (marks[0] as number)) / (trips - 10);
      }),
    );
    machine.run();
    expect(machine.kernel.scheduler.runQueues[0]?.switches).toBeGreaterThan(trips);
    // Which of the two sequences of the real kernel it is depends on wake-up preemption.
    const low = COUNTED['unix stream 32 B round trip, epoll on both sides'];
    const high = COUNTED['unix stream 32 B round trip, epoll on both sides, no wake-up preemption'];
    expect(measured).toBeGreaterThan(0.97 * low);
    expect(measured).toBeLessThan(1.03 * high);
  });

  it('every counted step says where its count is from', () => {
    const counted = allSteps().filter(({ status, parts }) => status === 'counted' && parts === undefined);
    expect(counted.length).toBeGreaterThan(40);
    for (const { name, source, instructions: count } of counted) expect(source, name).toMatch(count === undefined ? /./ : /counted|6\.1/);
  });
});
