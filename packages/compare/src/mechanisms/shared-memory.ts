import { done, type Program } from '@rpal/kernel';
import { Futex } from '@rpal/uapi';
import type { Hub } from '../mechanism/gathering.js';
import type { Endpoint, Mechanism, Meeting, Routine } from '../mechanism/mechanism.js';
import { byClone, byFork, type Ends } from '../mechanism/related.js';
import { lookAgain, nonBlocking, untilThere } from '../mechanism/waiting.js';
import { byForks } from './gathered.js';
import { mapRings, Ring, touchRings } from './ring.js';

/** The rings of one side, and the eventfds that announce what is in them. */
interface Rings {
  readonly from: number;
  readonly to: number;
  readonly wakesMe: number;
  readonly wakesOther: number;
}

function* rings(p: Program, meeting: Meeting): Routine<Ends<Rings>> {
  const [there, back] = yield* mapRings(p, meeting);
  return [
    { from: back, to: there, wakesMe: -1, wakesOther: -1 },
    { from: there, to: back, wakesMe: -1, wakesOther: -1 },
  ];
}

function* ringsWithEventfds(p: Program, meeting: Meeting): Routine<Ends<Rings>> {
  const [near, far] = yield* rings(p, meeting);
  const there = done('eventfd2', yield* p.eventfd(0, nonBlocking(meeting)));
  const back = done('eventfd2', yield* p.eventfd(0, nonBlocking(meeting)));
  return [
    { ...near, wakesMe: back, wakesOther: there },
    { ...far, wakesMe: there, wakesOther: back },
  ];
}

/** How a ring is announced, and how its reader waits. */
interface Announcing {
  announce(ring: Ring): Routine;
  /** Waits until it is worth looking again. */
  wait(ring: Ring): Routine;
}

function* endpoint(p: Program, { from, to }: Rings, meeting: Meeting, { announce, wait }: Announcing): Routine<Endpoint> {
  yield* touchRings(p, [from, to], meeting.size);
  const out = new Ring(p, to, meeting.size);
  const into = new Ring(p, from, meeting.size);
  return {
    *send(address, length) {
      while (!(yield* out.hasRoom())) yield* lookAgain(p, meeting);
      yield* out.write(address, length);
      yield* announce(out);
    },
    *receive(address, length) {
      while (!(yield* into.hasMessage())) yield* wait(into);
      yield* into.read(address, length);
      return address;
    },
  };
}

/** The reader looks all the time. */
function* spinning(p: Program, own: Rings, meeting: Meeting): Routine<Endpoint> {
  return yield* endpoint(p, own, meeting, {
    *announce() {},
    wait: () => lookAgain(p, meeting),
  });
}

/** A server that looks at the rings of all its clients in turn. */
function* watching(p: Program, own: readonly Rings[], meetings: readonly Meeting[]): Routine<Hub> {
  const [meeting] = meetings as [Meeting];
  const pairs: { readonly into: Ring; readonly end: Endpoint }[] = [];
  for (const each of own) pairs.push({ into: new Ring(p, each.from, meeting.size), end: yield* spinning(p, each, meeting) });
  let next = 0;
  return {
    *receive(address, length) {
      for (;;) {
        for (let looked = 0; looked < pairs.length; looked++) {
          const number = next;
          const { into } = pairs[number] as (typeof pairs)[number];
          next = (next + 1) % pairs.length;
          if (!(yield* into.hasMessage())) continue;
          yield* into.read(address, length);
          return number;
        }
        yield* lookAgain(p, meeting);
      }
    },
    send: (client, address, length) => (pairs[client] as (typeof pairs)[number]).end.send(address, length),
  };
}

/** A reader that finds nothing sleeps on the writer's count. */
function sleepingOn(flags: number) {
  return function* (p: Program, own: Rings, meeting: Meeting): Routine<Endpoint> {
    return yield* endpoint(p, own, meeting, {
      *announce(ring) {
        done('futex', yield* p.futexWake(ring.put, 1, flags));
      },
      *wait(ring) {
        // EAGAIN: the count has moved meanwhile.
        yield* p.futexWait(ring.put, ring.count, -1, flags);
      },
    });
  };
}

/** The writer counts its messages up in an eventfd, too, which the reader reads before it looks into the ring. */
function* announced(p: Program, own: Rings, meeting: Meeting): Routine<Endpoint> {
  const word = done('mmap', yield* p.allocate(4096));
  const one = word + 64;
  yield* p.store64(one, 1);
  return yield* endpoint(p, own, meeting, {
    *announce() {
      done('write', yield* p.write(own.wakesOther, one, 8));
    },
    *wait() {
      done('read', yield* untilThere(p, meeting, () => p.read(own.wakesMe, word, 8)));
    },
  });
}

const common = { copies: 2, sizes: [1, 1024 * 1024], streams: true } as const;

/** Mechanisms whose messages lie in memory that both sides have mapped. */
export const bySharedMemory: readonly Mechanism[] = [
  {
    ...common,
    name: 'eventfd-ring',
    title: 'a ring in shared memory, announced by an eventfd',
    waits: ['sleep', 'poll'],
    start: byFork(ringsWithEventfds, announced),
  },
  {
    ...common,
    name: 'futex',
    title: 'a ring in shared memory, announced by a futex',
    waits: ['sleep'],
    start: byFork(rings, sleepingOn(0)),
  },
  {
    ...common,
    name: 'spin',
    title: 'a ring in shared memory that both sides watch',
    waits: ['poll'],
    start: byFork(rings, spinning),
    gather: byForks({ open: rings, endpoint: spinning, hub: watching }),
  },
  {
    ...common,
    name: 'threads-futex',
    title: 'two threads of a process, a ring and a private futex',
    waits: ['sleep'],
    start: byClone(rings, sleepingOn(Futex.PRIVATE_FLAG)),
  },
  {
    ...common,
    name: 'threads-spin',
    title: 'two threads of a process that watch a ring',
    waits: ['poll'],
    start: byClone(rings, spinning),
  },
];
