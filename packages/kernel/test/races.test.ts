import { Epoll, MessageFlag, OpenFlag, Poll, SocketType } from '@rpal/uapi';
import { afterAll, describe, expect, it } from 'vitest';
import type { Call } from './real/calls.js';
import { type Interleaving, orders } from './real/interleaving.js';
import { ModelWorkers } from './real/model-workers.js';
import { RealKernel } from './real/real-kernel.js';

/** Calls of which the last starts a race, and all that can come of it: what each process that goes on is answered. */
interface Race {
  readonly name: string;
  readonly calls: readonly Call[];
  readonly outcomes: readonly string[];
}

const call = (process: number, name: string, ...args: number[]): Call => ({ process, call: name, args });
const { ET, CTL_ADD } = Epoll;
const fork = [call(0, 'fork', 1), call(0, 'fork', 2)];

const races: readonly Race[] = [
  {
    name: 'two readers of an eventfd, which are both woken: one takes the count, the other waits on',
    calls: [call(0, 'eventfd', 0, 0), ...fork, call(1, 'read', 0, 8), call(2, 'read', 0, 8), call(0, 'count', 0, 0, 1)],
    outcomes: ['+ 1 8', '+ 2 8'],
  },
  {
    name: 'two readers of an eventfd that counts down by one: each gets one of two',
    calls: [call(0, 'eventfd', 0, 1), ...fork, call(1, 'read', 0, 8), call(2, 'read', 0, 8), call(0, 'count', 0, 0, 2)],
    outcomes: ['+ 1 8 | + 2 8'],
  },
  {
    name: 'a reader and an edge-triggered epoll waiter of one pipe: the waiter may come too late for the edge',
    calls: [
      call(0, 'pipe', 0),
      call(0, 'epoll'),
      call(0, 'ctl', 2, CTL_ADD, 0, Poll.IN | ET, 7),
      ...fork,
      call(1, 'wait', 2, 4, -1),
      call(2, 'read', 0, 100),
      call(0, 'write', 1, 5, 1),
    ],
    outcomes: ['+ 1 1 7:1 | + 2 5', '+ 2 5'],
  },
  {
    name: 'a reader and a poller of one socket: the poller may find it empty again',
    calls: [
      call(0, 'socketpair', SocketType.STREAM),
      ...fork,
      call(1, 'poll', 0, Poll.IN, -1),
      call(2, 'read', 0, 100),
      call(0, 'write', 1, 5, 1),
    ],
    outcomes: ['+ 1 1 | + 2 5', '+ 2 5'],
  },
  {
    name: 'two level-triggered waiters on one epoll, and nobody who takes what is there: both get it',
    calls: [
      call(0, 'eventfd', 0, OpenFlag.NONBLOCK),
      call(0, 'epoll'),
      call(0, 'ctl', 1, CTL_ADD, 0, Poll.IN, 7),
      ...fork,
      call(1, 'wait', 1, 4, -1),
      call(2, 'wait', 1, 4, -1),
      call(0, 'count', 0, 0, 1),
    ],
    outcomes: ['+ 1 1 7:1 | + 2 1 7:1'],
  },
  {
    name: 'two receivers of a datagram socket: a message goes to the one that waited first',
    calls: [
      call(0, 'socketpair', SocketType.DGRAM),
      ...fork,
      call(1, 'recv', 0, 100, 0),
      call(2, 'recv', 0, 100, 0),
      call(0, 'send', 1, 5, 1, MessageFlag.DONTWAIT),
    ],
    outcomes: ['+ 1 5'],
  },
];

/** Who went on, and with what; the last number of an answer (a hash of what was read, events of a poll) is left out. */
function outcome(answer: readonly string[]): string {
  const goneOn = answer.filter((line) => line.startsWith('+'));
  return goneOn.map((line) => line.replace(/^(\+ \d \d+) [0-9a-f]+$/, '$1')).join(' | ');
}

/** Every outcome that some order of steps leads to, if a processor that could go on is held up once at most. */
function enumerate(calls: readonly Call[]): Set<string> {
  const last = calls[calls.length - 1] as Call;
  const found = new Set<string>();
  const execute = (interleaving: Interleaving) => {
    const workers = new ModelWorkers();
    for (const before of calls.slice(0, -1)) workers.execute(before);
    return workers.execute(last, interleaving);
  };
  for (const { result } of orders(execute, 1)) found.add(outcome(result));
  return found;
}

/** How often the real kernel runs each race. */
const REPETITIONS = 150;

const real = new RealKernel();
afterAll(() => real.dispose());

describe('a race', () => {
  it.each(races)('of $name', ({ calls, outcomes }) => {
    expect([...enumerate(calls)].sort()).toEqual([...outcomes].sort());
  });

  it.for(races)('on the Linux at hand: $name', async ({ calls, outcomes }, { skip }) => {
    if (real.missing !== null) skip(real.missing);
    for (let i = 0; i < REPETITIONS; i++) {
      const answers = await real.run(calls);
      expect(outcomes).toContain(outcome(answers[answers.length - 1] as string[]));
    }
  });
});
