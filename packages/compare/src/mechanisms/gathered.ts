import { done, executable, type Machine, type Program, Time } from '@rpal/kernel';
import { EPOLL_EVENT_SIZE, Epoll, Poll } from '@rpal/uapi';
import type { Gathering, Hub } from '../mechanism/gathering.js';
import type { Endpoint, Meeting, Routine } from '../mechanism/mechanism.js';
import type { Ends } from '../mechanism/related.js';
import { lookAgain } from '../mechanism/waiting.js';

/** How one process opens a connection for two, and what a side makes of its end. */
export interface Connecting<E> {
  open(p: Program, meeting: Meeting): Routine<Ends<E>>;
  endpoint(p: Program, own: E, meeting: Meeting): Routine<Endpoint>;
  hub(p: Program, own: readonly E[], meetings: readonly Meeting[]): Routine<Hub>;
}

/** The server opens a connection for each client, and forks them. @returns `gather` of a mechanism */
export function byForks<E>({ open, endpoint, hub }: Connecting<E>): (machine: Machine, gathering: Gathering) => void {
  return (machine, gathering) => {
    const { clientCpus, serverCpu, size, waiting } = gathering;
    const meetings = clientCpus.map((cpu): Meeting => ({ size, waiting, cpus: [cpu, serverCpu], client: nobody, server: nobody }));
    machine.spawn(
      executable('server', function* (p) {
        done('sched_setaffinity', yield* p.setAffinity([serverCpu]));
        const own: E[] = [];
        for (const [number, meeting] of meetings.entries()) {
          const [near, far] = yield* open(p, meeting);
          own.push(far);
          const client = function* (q: Program): Routine {
            done('sched_setaffinity', yield* q.setAffinity([meeting.cpus[0]]));
            const end = yield* endpoint(q, near, meeting);
            // The server has to be there before anybody is in a hurry.
            done('nanosleep', yield* q.sleep(Time.ms));
            yield* gathering.client(q, end, number);
          };
          done('fork', yield* p.fork(client));
        }
        yield* gathering.server(p, yield* hub(p, own, meetings));
        for (const _ of meetings) done('wait4', yield* p.wait());
      }),
      serverCpu,
    );
  };
}

function* nobody(): Routine {}

/** A server that asks an epoll instance which of its descriptors has something. @param endpoint of one connection, without epoll */
export function* epollHub<E extends { readonly from: number }>(
  p: Program,
  own: readonly E[],
  meetings: readonly Meeting[],
  endpoint: (p: Program, own: E, meeting: Meeting) => Routine<Endpoint>,
): Routine<Hub> {
  const ends: Endpoint[] = [];
  const epfd = done('epoll_create1', yield* p.epollCreate());
  for (const [number, each] of own.entries()) {
    ends.push(yield* endpoint(p, each, meetings[number] as Meeting));
    done('epoll_ctl', yield* p.epollCtl(epfd, Epoll.CTL_ADD, each.from, Poll.IN, number));
  }
  const events = done('mmap', yield* p.allocate(4096));
  const [meeting] = meetings as [Meeting];
  const timeout = meeting.waiting === 'sleep' ? -1 : 0;
  /** Clients that have something, as epoll said. */
  const ready: number[] = [];
  return {
    *receive(address, length) {
      while (ready.length === 0) {
        const n = done('epoll_wait', yield* p.epollWait(epfd, events, EVENTS, timeout));
        if (n === 0) yield* lookAgain(p, meeting);
        for (let i = 0; i < n; i++) ready.push(yield* p.load32(events + i * EPOLL_EVENT_SIZE + EVENT_DATA));
      }
      const number = ready.shift() as number;
      yield* (ends[number] as Endpoint).receive(address, length);
      return number;
    },
    send: (client, address, length) => (ends[client] as Endpoint).send(address, length),
  };
}

/** Events that a server asks for at a time. */
export const EVENTS = 64;
/** Where the data of an epoll_event are. */
export const EVENT_DATA = 4;
