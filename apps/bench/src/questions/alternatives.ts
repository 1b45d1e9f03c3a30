import { done, exactly, executable, type Main, type Program } from '@rpal/kernel';
import type { RpalOptions } from '@rpal/rpal-core';
import { rpal } from '@rpal/rpal-core';
import { MapFlag, Prot } from '@rpal/uapi';
import { check } from '../outcome.js';
import { whole } from '../report/numbers.js';
import { runRfcBenchmark } from '../rfc-benchmark.js';
import type { Answer, Question } from './question.js';
import { meet, smallMachine, smallProfile } from './services.js';
import { ofSharing, ofYield } from './verdicts.js';

const MESSAGES = 500;
const SIZE = 32;
/** Cycles of one look at the flag and a PAUSE. */
const SPIN = 40;

/**
 * Two threads of one process, or two processes, pass messages through memory that both see; a side that finds nothing to do waits as `wait`
 * says. The work per message is that of the RFC's sample: text stamp out, text stamp in.
 * @returns cycles one way and per round trip
 */
function threads(
  cpus: readonly [number, number],
  wait: (p: Program) => Generator<void, void>,
  who: 'threads' | 'processes' = 'threads',
): readonly [oneWay: number, roundTrip: number] {
  const machine = smallMachine(null);
  let oneWay = 0;
  let began = 0;
  let ended = 0;
  machine.spawn(
    executable('pair', function* (p) {
      const fd = done('memfd_create', yield* p.memfd('shared'));
      exactly('ftruncate', yield* p.ftruncate(fd, 8192), 0);
      const shared = done('mmap', yield* p.mmap(0, 8192, Prot.READ | Prot.WRITE, MapFlag.SHARED, fd));
      const [flag, message] = [shared, shared + 64];
      yield* p.store32(flag, 0);
      yield* p.memset(message, 0x2e, SIZE);
      const server: Main = function* (q) {
        exactly('sched_setaffinity', yield* q.setAffinity([cpus[1]]), 0);
        for (let i = 0; i < MESSAGES; i++) {
          while ((yield* look(q, flag)) !== 1) yield* wait(q);
          yield* q.memset(shared + 4096, 0, 1025);
          yield* q.memcmp(shared + 4096, message, SIZE);
          const stamp = done('sscanf', yield* q.sscanfStamp(message));
          oneWay += q.rdtsc() - stamp;
          yield* set(q, flag, 2);
        }
      };
      exactly('sched_setaffinity', yield* p.setAffinity([cpus[0]]), 0);
      done('clone', who === 'threads' ? yield* p.clone(server) : yield* p.fork(server));
      exactly('nanosleep', yield* p.sleep(1e6), 0);
      began = p.rdtsc();
      for (let i = 0; i < MESSAGES; i++) {
        yield* p.sprintfStamp(message, p.rdtsc());
        yield* set(p, flag, 1);
        while ((yield* look(p, flag)) !== 2) yield* wait(p);
      }
      ended = p.rdtsc();
    }),
    cpus[0],
  );
  machine.run();
  return [oneWay / MESSAGES, (ended - began) / MESSAGES];
}

/** Two processes on one CPU pass messages back and forth through two pipes, with the text stamps of the others. */
function pipes(): readonly [oneWay: number, roundTrip: number] {
  const machine = smallMachine(null);
  let oneWay = 0;
  let began = 0;
  let ended = 0;
  machine.spawn(
    executable('pipes', function* (p) {
      exactly('sched_setaffinity', yield* p.setAffinity([0]), 0);
      const thereOut = done('pipe2', yield* p.pipe());
      const thereIn = p.second;
      const backOut = done('pipe2', yield* p.pipe());
      const backIn = p.second;
      const echo: Main = function* (q) {
        const buffer = done('mmap', yield* q.allocate(4096));
        for (let i = 0; i < MESSAGES; i++) {
          exactly('read', yield* q.read(thereOut, buffer, SIZE), SIZE);
          const stamp = done('sscanf', yield* q.sscanfStamp(buffer));
          oneWay += q.rdtsc() - stamp;
          exactly('write', yield* q.write(backIn, buffer, SIZE), SIZE);
        }
      };
      done('fork', yield* p.fork(echo));
      const buffer = done('mmap', yield* p.allocate(4096));
      yield* p.memset(buffer, 0x2e, SIZE);
      exactly('nanosleep', yield* p.sleep(1e6), 0);
      began = p.rdtsc();
      for (let i = 0; i < MESSAGES; i++) {
        yield* p.sprintfStamp(buffer, p.rdtsc());
        exactly('write', yield* p.write(thereIn, buffer, SIZE), SIZE);
        exactly('read', yield* p.read(backOut, buffer, SIZE), SIZE);
      }
      ended = p.rdtsc();
      done('wait4', yield* p.wait());
    }),
  );
  machine.run();
  return [oneWay / MESSAGES, (ended - began) / MESSAGES];
}

/** Other cores get their turn before each access to the flag: it happens in the order of time. */
function* look(p: Program, flag: number): Generator<void, number> {
  yield* p.compute(1);
  return yield* p.load32(flag);
}

function* set(p: Program, flag: number, value: number): Generator<void, void> {
  yield* p.compute(1);
  yield* p.store32(flag, value);
}

function* yieldCpu(p: Program): Generator<void, void> {
  exactly('sched_yield', yield* p.schedYield(), 0);
}

function* spin(p: Program): Generator<void, void> {
  yield* p.compute(SPIN);
}

function compare(options: RpalOptions): Answer {
  const { phases } = runRfcBenchmark({
    machine: { plugins: [rpal(options)] },
    placement: 'same-cpu',
    messages: MESSAGES,
    size: SIZE,
    phases: ['epoll', 'rpal'],
  });
  const rows: (readonly [string, number, number])[] = phases.map(({ phase, messages, totalCycles, forward, back }) => [
    phase === 'epoll' ? 'socket and epoll, two processes, one CPU' : 'RPAL call, echo by socket, one CPU',
    totalCycles / messages,
    (forward.total + back.total) / messages,
  ]);
  const yielding = threads([0, 0], yieldCpu);
  rows.push(['two pipes, two processes, one CPU', ...pipes()]);
  rows.push(['shared memory and a yield to the other, two processes, one CPU', ...threads([0, 0], yieldCpu, 'processes')]);
  rows.push(['shared memory and a yield to the other, two threads, one CPU', ...yielding]);
  rows.push(['shared memory and spinning, two threads, two CPUs', ...threads([0, 1], spin)]);
  const [, call] = rows;
  return {
    done: `${MESSAGES} messages of ${SIZE} bytes with the RFC's text stamps, through RPAL and through what its reviewers proposed. Nobody else wants the CPUs, so that sched_yield is a yield to the other. Cycles one way, and per round trip.`,
    bars: rows.flatMap(([what, oneWay, trip]) => [
      { label: `${what}: one way`, cycles: oneWay },
      { label: 'round trip', cycles: trip },
    ]),
    happened: rows.map(([what, oneWay, trip]) => `${what}: ${whole(oneWay)} one way, ${whole(trip)} round trip`),
    verdict: ofYield(yielding, [call?.[1] ?? 1, call?.[2] ?? 0]),
  };
}

/** The address space is shared, and there is no call: the text is written into the server's memory, and one byte wakes it. */
function sharingAlone(options: RpalOptions): Answer {
  let total = 0;
  let received = 0;
  let there = 0;
  meet(
    options,
    function* (p, { lib, serviceId, fd, told }) {
      const buffer = told.get('buffer') as number;
      const byte = done('mmap', yield* p.allocate(4096));
      const own = p.rdpkru();
      const open = own & (lib.process.peers[serviceId]?.pkruMask ?? 0);
      for (let i = 0; i < MESSAGES; i++) {
        const stamp = p.rdtsc();
        p.wrpkru(open);
        yield* p.sprintfStamp(buffer, stamp);
        p.wrpkru(own);
        exactly('write', yield* p.write(fd, byte, 1), 1);
        while (received <= i) yield* p.sleep(10_000);
      }
    },
    {
      *prepare(p, told) {
        told.set('buffer', done('mmap', yield* p.allocate(4096)));
        yield* p.store64(told.get('buffer') as number, 0);
        there = told.get('buffer') as number;
      },
      *bytes(p) {
        const stamp = done('sscanf', yield* p.sscanfStamp(there));
        total += p.rdtsc() - stamp;
        received++;
      },
    },
  );
  check(received === MESSAGES, `${received} of ${MESSAGES} messages were received`);
  const shared = total / received;
  const plain = [32, 1024].map((size) => {
    const machine = { profile: smallProfile };
    const { phases } = runRfcBenchmark({ machine, placement: 'same-socket', messages: MESSAGES, size, phases: ['epoll'] });
    return (phases[0]?.totalCycles ?? 0) / (phases[0]?.messages ?? 1);
  });
  const [small = 0, large = 0] = plain;
  return {
    done: `${MESSAGES} messages on two CPUs of a socket. Shared: the client opens the server's key, writes the text into the server's memory, closes it again, and sends one byte; no RPAL call. Plain: the whole message through the socket.`,
    happened: [
      `shared memory and one byte: ${whole(shared)} cycles one way`,
      `plain, 32 bytes: ${whole(small)}`,
      `plain, 1024 bytes: ${whole(large)}`,
    ],
    verdict: ofSharing(shared, small, large),
  };
}

export const threadsAndYield: Question = {
  who: 'H. Peter Anvin',
  question: 'These are threads by definition: how does RPAL compare with two threads, or with a yield and shared memory?',
  ask: compare,
};

export const sharingWithoutCall: Question = {
  who: 'David Hildenbrand',
  question: 'What does sharing alone bring, without the call?',
  ask: sharingAlone,
};
