import { type Call, done, executable, type Machine, type Main, type Program, Time } from '@rpal/kernel';
import type { Endpoint, Meeting, Routine } from './mechanism.js';

/** What two related programs know of their connection: each its own end. */
export type Ends<E> = readonly [client: E, server: E];

/** Time for the server to get ready, ns. */
const SETTLE = Time.ms;

/** How the second program comes from the first. */
interface Kinship {
  birth(p: Program, main: Main): Call;
  /** The first has done its part: waits until the second has, too. */
  wait(p: Program, over: () => boolean): Routine;
}

const child: Kinship = {
  birth: (p, main) => p.fork(main),
  *wait(p) {
    done('wait4', yield* p.wait());
  },
};

const thread: Kinship = {
  birth: (p, main) => p.clone(main),
  // A first thread that returned would end the process.
  *wait(p, over) {
    while (!over()) done('nanosleep', yield* p.sleep(SETTLE));
  },
};

/** One process opens what both sides use, and forks the other. @returns `start` of a mechanism @public for mechanisms of your own */
export function byFork<E>(
  open: (p: Program, meeting: Meeting) => Routine<Ends<E>>,
  endpoint: (p: Program, own: E, meeting: Meeting) => Routine<Endpoint>,
): (machine: Machine, meeting: Meeting) => void {
  return related(child, open, endpoint);
}

/** Both sides are threads of one process. @returns `start` of a mechanism @public for mechanisms of your own */
export function byClone<E>(
  open: (p: Program, meeting: Meeting) => Routine<Ends<E>>,
  endpoint: (p: Program, own: E, meeting: Meeting) => Routine<Endpoint>,
): (machine: Machine, meeting: Meeting) => void {
  return related(thread, open, endpoint);
}

function related<E>(
  { birth, wait }: Kinship,
  open: (p: Program, meeting: Meeting) => Routine<Ends<E>>,
  endpoint: (p: Program, own: E, meeting: Meeting) => Routine<Endpoint>,
): (machine: Machine, meeting: Meeting) => void {
  return (machine, meeting) => {
    const [clientCpu, serverCpu] = meeting.cpus;
    machine.spawn(
      executable('client', function* (p) {
        const [near, far] = yield* open(p, meeting);
        let over = false;
        const serve: Main = function* (q) {
          done('sched_setaffinity', yield* q.setAffinity([serverCpu]));
          yield* meeting.server(q, yield* endpoint(q, far, meeting));
          over = true;
        };
        done('the birth of the server', yield* birth(p, serve));
        done('sched_setaffinity', yield* p.setAffinity([clientCpu]));
        const end = yield* endpoint(p, near, meeting);
        done('nanosleep', yield* p.sleep(SETTLE));
        yield* meeting.client(p, end);
        yield* wait(p, () => over);
      }),
      clientCpu,
    );
  };
}
