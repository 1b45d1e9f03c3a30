import { done, exactly, type Program } from '@rpal/kernel';
import { SchedPolicy } from '@rpal/sched';
import { SignalMask, SocketType } from '@rpal/uapi';
import { type Operation, touched } from './operation.js';
import { SIZES } from './transfer-operations.js';

/** A datagram of more does not fit into a send buffer of the usual size. */
const LARGEST_DATAGRAM = 65_536;

/** The descriptors of both sides: what each reads from, and writes to. */
interface Line {
  readonly near: readonly [from: number, to: number];
  readonly far: readonly [from: number, to: number];
}

function* pipes(p: Program): Generator<void, Line> {
  const there = done('pipe', yield* p.pipe());
  const thereTo = p.second;
  const back = done('pipe', yield* p.pipe());
  return { near: [back, thereTo], far: [there, p.second] };
}

function sockets(type: number) {
  return function* (p: Program): Generator<void, Line> {
    const a = done('socketpair', yield* p.socketpair(type));
    const b = p.second;
    return { near: [a, a], far: [b, b] };
  };
}

function* send(p: Program, fd: number, buffer: number, size: number): Generator<void, void> {
  for (let sent = 0; sent < size; ) sent += done('write', yield* p.write(fd, buffer + sent, size - sent));
}

function* receive(p: Program, fd: number, buffer: number, size: number): Generator<void, void> {
  for (let got = 0; got < size; ) got += done('read', yield* p.read(fd, buffer, size - got));
}

/** A message to another process on the same CPU, and one back. No wake-up preempts the waker: both sides sleep in every trip. */
function trip(way: string, connect: (p: Program) => Generator<void, Line>, size: number): Operation {
  return {
    name: `${way}: round trip of ${size} B, both sleep`,
    *prepare(p) {
      const { near, far } = yield* connect(p);
      exactly('sched_setscheduler', yield* p.setScheduler(0, SchedPolicy.BATCH), 0);
      done(
        'fork',
        yield* p.fork(function* (other) {
          const buffer = yield* touched(other, size);
          for (;;) {
            yield* receive(other, far[0], buffer, size);
            yield* send(other, far[1], buffer, size);
          }
        }),
      );
      const buffer = yield* touched(p, size);
      return {
        *body() {
          yield* send(p, near[1], buffer, size);
          yield* receive(p, near[0], buffer, size);
        },
      };
    },
  };
}

/** The first real-time signal that the C library leaves to programs, and its bit in the second word of a set. */
const SIGNAL = 34;
const BIT = 1 << (SIGNAL - 33);

/** A queued signal to another process on the same CPU, and one back, likewise. */
const signals: Operation = {
  name: 'signal: round trip by sigqueue, both sleep',
  *prepare(p) {
    done('sched_setscheduler', yield* p.setScheduler(0, SchedPolicy.BATCH));
    done('rt_sigprocmask', yield* p.sigprocmask(SignalMask.BLOCK, 0, BIT));
    const here = done('getpid', yield* p.getpid());
    const there = done(
      'fork',
      yield* p.fork(function* (other) {
        for (;;) {
          exactly('rt_sigtimedwait', yield* other.sigwait(0, BIT, -1), SIGNAL);
          done('rt_sigqueueinfo', yield* other.sigqueue(here, SIGNAL, 0));
        }
      }),
    );
    return {
      *body() {
        done('rt_sigqueueinfo', yield* p.sigqueue(there, SIGNAL, 0));
        exactly('rt_sigtimedwait', yield* p.sigwait(0, BIT, -1), SIGNAL);
      },
    };
  },
};

/** Messages to and fro, through pipes and sockets of the usual size: large ones are sent in parts, by turns; and signals. */
export const tripOperations: readonly Operation[] = [
  ...SIZES.map((size) => trip('pipe', pipes, size)),
  ...SIZES.map((size) => trip('stream', sockets(SocketType.STREAM), size)),
  ...SIZES.filter((size) => size <= LARGEST_DATAGRAM).map((size) => trip('dgram', sockets(SocketType.DGRAM), size)),
  signals,
];
