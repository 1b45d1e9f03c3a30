import { Epoll, Poll, Signal, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { posix } from '../../posix/src/index.js';
import { executable, type Program, SyscallNumber } from '../src/index.js';
import { finish, instructions, smallMachine } from './support.js';

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
  'pipe 32 B round trip, no wake-up preemption': 12_997,
  'pipe 32 B round trip': 10_996,
  'eventfd round trip, no wake-up preemption': 10_929,
  'eventfd round trip, two processes': 9176,
  'process_vm_readv 32 B': 2876,
  'signal to self: kill, handler, sigreturn': 4074,
} as const;

type Operation = keyof typeof COUNTED;

/** Instructions that one call of `body` books on CPU 0, as the average of `times` after one to warm up. */
function perOperation(prepare: (p: Program) => Generator<void, () => Iterable<void, unknown>>, times = 8): number {
  const machine = smallMachine({ plugins: [posix()] });
  let result = 0;
  machine.spawn(
    executable('counted', function* (p) {
      const body = yield* prepare(p);
      yield* body();
      const booked = () => instructions(p.context.cpu);
      const before = booked();
      for (let i = 0; i < times; i++) yield* body();
      result = (booked() - before) / times;
    }),
  );
  finish(machine);
  return result;
}

function* socketInEpoll(p: Program) {
  const a = yield* p.socketpair(SocketType.STREAM);
  const b = p.second;
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

  it('process_vm_readv', () => {
    const measured = perOperation(function* (p) {
      const { buffer } = yield* socketInEpoll(p);
      const self = yield* p.getpid();
      return () => p.processVmReadv(self, [{ address: buffer, length: 32 }], [{ address: buffer + 1024, length: 32 }]);
    });
    within('process_vm_readv 32 B', measured, 0.02);
  });

  it('signal to self, with a handler that does nothing', () => {
    const measured = perOperation(function* (p) {
      const self = yield* p.getpid();
      yield* p.sigaction(Signal.USR1, function* () {});
      return () => p.kill(self, Signal.USR1);
    });
    within('signal to self: kill, handler, sigreturn', measured, 0.05);
  });

  it.each([
    [
      'unix stream 32 B round trip, epoll on both sides',
      'unix stream 32 B round trip, epoll on both sides, no wake-up preemption',
      overSockets,
    ],
    ['pipe 32 B round trip', 'pipe 32 B round trip, no wake-up preemption', overPipes],
    ['eventfd round trip, two processes', 'eventfd round trip, no wake-up preemption', overEventfds],
  ] as const)('%s, on one CPU: between the two sequences that were counted', (preempting, notPreempting, connect) => {
    const trips = 50;
    const marks: number[] = [];
    const machine = smallMachine();
    machine.spawn(
      executable('echo', function* (p) {
        yield* p.setAffinity([0]);
        const [near, far] = yield* connect(p);
        const { cpu } = p.context;
        yield* p.fork(function* (child) {
          const end = yield* far(child);
          for (let i = 0; i < trips; i++) {
            yield* end.receive();
            yield* end.send();
          }
        });
        const end = yield* near(p);
        for (let i = 0; i < trips; i++) {
          yield* end.send();
          yield* end.receive();
          if (i === 9 || i === trips - 1) marks.push(instructions(cpu));
        }
      }),
    );
    finish(machine);
    expect(machine.kernel.scheduler.runQueues[0]?.switches).toBeGreaterThan(trips);
    const measured = ((marks[1] as number) - (marks[0] as number)) / (trips - 10);
    const report = `${measured} modelled, ${COUNTED[preempting]} and ${COUNTED[notPreempting]} counted`;
    expect(measured, report).toBeGreaterThan(0.98 * COUNTED[preempting]);
    expect(measured, report).toBeLessThan(1.02 * COUNTED[notPreempting]);
  });
});

/** What one side of a round trip does. */
interface End {
  send(): Iterable<void, number>;
  receive(): Iterable<void, number>;
}

/** Makes one end, in the process that uses it. */
type MakeEnd = (p: Program) => Generator<void, End>;

function* overSockets(p: Program): Generator<void, [MakeEnd, MakeEnd]> {
  const a = yield* p.socketpair(SocketType.STREAM);
  const b = p.second;
  const end = (fd: number) =>
    function* (side: Program): Generator<void, End> {
      const epfd = yield* side.epollCreate();
      const buffer = yield* touched(side);
      yield* side.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN);
      return {
        send: () => side.write(fd, buffer, 32),
        *receive() {
          yield* side.epollWait(epfd, buffer + 2048, 8, -1);
          return yield* side.read(fd, buffer, 32);
        },
      };
    };
  return [end(a), end(b)];
}

function* overPipes(p: Program): Generator<void, [MakeEnd, MakeEnd]> {
  const there = yield* p.pipe();
  const thereTo = p.second;
  const back = yield* p.pipe();
  return [plainEnd(back, thereTo, 32), plainEnd(there, p.second, 32)];
}

function* overEventfds(p: Program): Generator<void, [MakeEnd, MakeEnd]> {
  const there = yield* p.eventfd();
  const back = yield* p.eventfd();
  return [plainEnd(back, there, 8), plainEnd(there, back, 8)];
}

function plainEnd(from: number, to: number, size: number): MakeEnd {
  return function* (side) {
    const buffer = yield* touched(side);
    return { send: () => side.write(to, buffer, size), receive: () => side.read(from, buffer, size) };
  };
}

function* touched(p: Program): Generator<void, number> {
  const buffer = yield* p.allocate(4096);
  yield* p.store8(buffer, 1);
  return buffer;
}
