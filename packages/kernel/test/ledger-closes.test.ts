import { Epoll, Errno, MapFlag, OpenFlag, Poll, Prot, Signal, SignalMask, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { posix } from '../../posix/src/index.js';
import { type Exchange, type Machine, type Measurement, measure, type Program, type Trip, Trips } from '../src/index.js';
import { smallMachine } from './support.js';

/** How the readers wait, and where the two sides run. */
interface Situation {
  readonly polling: boolean;
  readonly cpus: readonly [number, number];
}

/** A side's descriptors or addresses, and a page of its own. */
interface End {
  from: number;
  to: number;
  buffer: number;
  epfd: number;
  /** Whom to send signals to. */
  peer: number;
  /** Values that have come, for signals and words in shared memory. */
  seen: number;
}

type Result = Generator<void, number>;
type Channel = (situation: Situation) => Exchange<End>;

function end(from: number, to: number): End {
  return { from, to, buffer: 0, epfd: -1, peer: 0, seen: 0 };
}

/** Between two looks a reader that polls lets others run: on one CPU the writer could not write otherwise. */
function* untilThere(p: Program, { polling, cpus: [a, b] }: Situation, look: () => Result): Result {
  for (;;) {
    const result = yield* look();
    if (!polling || (result !== -Errno.EAGAIN && result !== 0)) return result;
    if (a === b) yield* p.schedYield();
    else yield* p.compute(50);
  }
}

/** Messages of eight bytes by read and write. */
function byFiles(open: (p: Program, flags: number) => Generator<void, [End, End]>): Channel {
  return (situation) => ({
    open: (p) => open(p, situation.polling ? OpenFlag.NONBLOCK : 0),
    *prepare(p, own) {
      own.buffer = yield* p.allocate(4096);
      yield* p.store64(own.buffer, 1);
    },
    *send(p, { to, buffer }) {
      return yield* p.write(to, buffer, 8);
    },
    *receive(p, { from, buffer }) {
      return yield* untilThere(p, situation, function* () {
        return yield* p.read(from, buffer, 8);
      });
    },
  });
}

/** The same, announced by an epoll instance on each side. */
function byEpoll(open: (p: Program, flags: number) => Generator<void, [End, End]>): Channel {
  return (situation) => {
    const plain = byFiles(open)(situation);
    return {
      ...plain,
      *prepare(p, own) {
        yield* plain.prepare!(p, own);
        own.epfd = yield* p.epollCreate();
        return yield* p.epollCtl(own.epfd, Epoll.CTL_ADD, own.from, Poll.IN | Epoll.ET);
      },
      *receive(p, { epfd, from, buffer }) {
        yield* untilThere(p, situation, function* () {
          return yield* p.epollWait(epfd, buffer + 64, 4, situation.polling ? 0 : -1);
        });
        return yield* p.read(from, buffer, 8);
      },
    };
  };
}

function* pipes(p: Program, flags: number): Generator<void, [End, End]> {
  const there = yield* p.pipe(flags);
  const thereEnd = p.second;
  const back = yield* p.pipe(flags);
  return [end(back, thereEnd), end(there, p.second)];
}

function* eventfds(p: Program, flags: number): Generator<void, [End, End]> {
  const there = yield* p.eventfd(0, flags);
  const back = yield* p.eventfd(0, flags);
  return [end(back, there), end(there, back)];
}

function sockets(type: number) {
  return function* (p: Program, flags: number): Generator<void, [End, End]> {
    const a = yield* p.socketpair(type | flags);
    const b = p.second;
    return [end(a, a), end(b, b)];
  };
}

/** Two words of a page that both have mapped: the own one is counted up, the other one watched. */
const wordsInSharedMemory: Pick<Exchange<End>, 'open'> = {
  *open(p) {
    const page = yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS);
    yield* p.store32(page, 0);
    return [end(page + 64, page), end(page, page + 64)];
  },
};

const sharedMemory: Channel = (situation) => ({
  ...wordsInSharedMemory,
  *send(p, own) {
    return yield* p.store32(own.to, (yield* p.load32(own.to)) + 1);
  },
  *receive(p, own) {
    own.seen++;
    return yield* untilThere(p, { ...situation, polling: true }, function* () {
      return (yield* p.load32(own.from)) === own.seen ? 1 : 0;
    });
  },
});

const futex: Channel = (situation) => ({
  ...wordsInSharedMemory,
  *send(p, own) {
    yield* p.store32(own.to, (yield* p.load32(own.to)) + 1);
    return yield* p.futexWake(own.to, 1, 0);
  },
  *receive(p, own) {
    own.seen++;
    yield* untilThere(p, { ...situation, polling: true }, function* () {
      if (!situation.polling) yield* p.futexWait(own.from, own.seen - 1, -1, 0);
      return (yield* p.load32(own.from)) === own.seen ? 1 : 0;
    });
  },
});

const messageQueue: Channel = (situation) => ({
  *open(p) {
    const flags = OpenFlag.RDWR | OpenFlag.CREAT | (situation.polling ? OpenFlag.NONBLOCK : 0);
    const attributes = { maxMessages: 4, messageSize: 64 };
    const there = yield* p.mqOpen('/there', flags, attributes);
    const back = yield* p.mqOpen('/back', flags, attributes);
    return [end(back, there), end(there, back)];
  },
  *prepare(p, own) {
    own.buffer = yield* p.allocate(4096);
    yield* p.store64(own.buffer, 1);
  },
  *send(p, { to, buffer }) {
    return yield* p.mqSend(to, buffer, 8);
  },
  *receive(p, { from, buffer }) {
    return yield* untilThere(p, situation, function* () {
      return yield* p.mqReceive(from, buffer, 64);
    });
  },
});

/** SIGUSR1: waited for by sigwait, or by a handler while the program computes. */
const signal: Channel = (situation) => {
  const pids: number[] = [];
  const ends = [end(0, 1), end(1, 0)] as const;
  return {
    *open(p) {
      pids[0] = yield* p.getpid();
      return ends;
    },
    *prepare(p, own) {
      pids[own.from] = yield* p.getpid();
      if (!situation.polling) return yield* p.sigprocmask(SignalMask.BLOCK, 1 << (Signal.USR1 - 1));
      return yield* p.sigaction(Signal.USR1, function* (handler) {
        own.seen++;
        yield* handler.compute(1);
      });
    },
    *send(p, own) {
      return yield* p.kill(pids[own.to] as number, Signal.USR1);
    },
    *receive(p, own) {
      if (!situation.polling) return yield* p.sigwait(1 << (Signal.USR1 - 1));
      const seen = yield* untilThere(p, situation, function* () {
        yield* p.compute(1);
        return own.seen;
      });
      own.seen--;
      return seen;
    },
  };
};

const channels: readonly [string, Channel][] = [
  ['a pipe', byFiles(pipes)],
  ['an eventfd', byFiles(eventfds)],
  ['a Unix stream socket', byFiles(sockets(SocketType.STREAM))],
  ['a Unix datagram socket', byFiles(sockets(SocketType.DGRAM))],
  ['a Unix seqpacket socket', byFiles(sockets(SocketType.SEQPACKET))],
  ['epoll over a pipe', byEpoll(pipes)],
  ['epoll over an eventfd', byEpoll(eventfds)],
  ['epoll over a stream socket', byEpoll(sockets(SocketType.STREAM))],
  ['epoll over a datagram socket', byEpoll(sockets(SocketType.DGRAM))],
  ['epoll over a seqpacket socket', byEpoll(sockets(SocketType.SEQPACKET))],
  ['a futex', futex],
  ['a POSIX message queue', messageQueue],
  ['a signal', signal],
];

const situations: readonly [string, Situation][] = [
  ['readers that sleep, on two CPUs', { polling: false, cpus: [0, 1] }],
  ['readers that sleep, on one CPU', { polling: false, cpus: [0, 0] }],
  ['readers that poll, on two CPUs', { polling: true, cpus: [0, 1] }],
  ['readers that poll, on one CPU', { polling: true, cpus: [0, 0] }],
];

const ROUNDS = 20;

describe('The ledger of the critical path closes', () => {
  for (const [how, situation] of situations) {
    it.each(channels)(`for %s with ${how}`, (_name, channel) => {
      closes(measure(smallMachine({ plugins: [posix()] }), channel(situation), { rounds: ROUNDS, cpus: situation.cpus }));
    });
  }

  it.each([
    ['two CPUs', [0, 1]],
    ['one CPU', [0, 0]],
  ] as const)('for shared memory that is watched, on %s', (_where, cpus) => {
    closes(measure(smallMachine(), sharedMemory({ polling: true, cpus }), { rounds: ROUNDS, cpus }));
  });
});

describe('A measurement', () => {
  const tenRounds = (channel: Channel, situation: Situation, counted: number) => {
    const machine = smallMachine({ plugins: [posix()] });
    measure(machine, channel(situation), { rounds: counted, warmUp: 10 - counted, cpus: situation.cpus });
    // What is booked where is what differs.
    const { cpus } = machine.platform;
    return {
      cpus: cpus.map(({ clock, linesMoved, interruptsTaken }) => [clock, linesMoved, interruptsTaken]),
      switches: switches(machine),
    };
  };

  it.each([...channels, ['shared memory', sharedMemory] as const])('changes nothing about the run, for %s', (_name, channel) => {
    for (const polling of [false, true]) {
      const situation: Situation = { polling, cpus: [0, 1] };
      expect(tenRounds(channel, situation, 10)).toEqual(tenRounds(channel, situation, 1));
    }
  });

  it('shows where the time went: what a sleeping reader costs more than one that is awake is switches and wake-ups', () => {
    const byPipe = byFiles(pipes);
    const [asleep, awake] = [false, true].map((polling) => {
      const { there } = measure(smallMachine(), byPipe({ polling, cpus: [0, 1] }), { rounds: ROUNDS });
      return there;
    }) as [Trip, Trip];
    expect(asleep.cycles).toBeGreaterThan(awake.cycles);
    expect([...asleep.causes.keys()]).toEqual(expect.arrayContaining(['wake-up', 'switch', 'idle', 'socket', 'copy', 'entry']));
    expect(awake.causes.get('switch')).toBeUndefined();
    expect(asleep.steps[0]).toMatchObject({ name: '@rpal/hw-x86:idleExit', cause: 'idle', count: 0 });
    expect(asleep.toString()).toContain('in all');
  });

  it('says what failed, and what its options should be', () => {
    const broken: Exchange<End> = {
      ...byFiles(pipes)(situations[0]![1]),
      *send(p) {
        return yield* p.write(77, 0, 8);
      },
    };
    expect(() => measure(smallMachine(), broken)).toThrow('send of the client failed: EBADF');
    expect(() => measure(smallMachine(), broken, { rounds: 0 })).toThrow('rounds: 0 is not a whole number above 0');
    expect(() => measure(smallMachine(), broken, { warmUp: 0.5 })).toThrow('warmUp: 0.5 is not a whole number, 0 or more');
    expect(() => new Trips(smallMachine().kernel).there).toThrow('no message has come to the end of this trip');
  });
});

function switches({ kernel }: Machine): number[] {
  return kernel.scheduler.runQueues.map((rq) => rq.switches);
}

function closes({ there, back, roundTrip }: Measurement): void {
  for (const trip of [there, back, roundTrip]) {
    expect(trip.count).toBe(ROUNDS);
    expect(trip.booked).toBe(trip.totalCycles);
    expect(trip.steps.reduce((sum, { cycles }) => sum + cycles, 0)).toBeCloseTo(trip.cycles, 6);
  }
  expect(there.totalCycles + back.totalCycles).toBe(roundTrip.totalCycles);
}
