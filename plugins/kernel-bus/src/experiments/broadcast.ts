import type { Curves, Experiment, ExperimentOptions } from '@rpal/compare';
import { defaultProfile } from '@rpal/hw-x86';
import { createMachine, done, exactly, executable, type Program, Time } from '@rpal/kernel';
import { Epoll, MapFlag, OpenFlag, Poll, Prot, SocketType } from '@rpal/uapi';
import { daemon, polledStream, sendAll, streamRoom } from '../daemon/daemon.js';
import { BROADCAST, BusIoctl } from '../kernel/connection.js';
import { Library, roomFor } from '../library/message.js';
import { BUS_PATH, kernelBus } from '../plugin.js';

const RECEIVERS: readonly number[] = [1, 2, 4, 8, 16];
const BROADCASTS = 20;
const TEXT = 32;

type Main = Generator<void, void>;

/** The broadcasts of a run, as they are seen from outside. */
class Broadcasts {
  readonly #receivers: number;
  #begun = 0;
  #last = 0;
  #sum = 0;
  received = 0;

  constructor(receivers: number) {
    this.#receivers = receivers;
  }

  /** The sender: one broadcast after the other has come to everybody. */
  *send(p: Program, send: () => Main): Main {
    yield* p.sleep(5 * Time.ms);
    for (let i = 0; i < BROADCASTS; i++) {
      this.#begun = p.rdtsc();
      yield* send();
      while (this.received < (i + 1) * this.#receivers) yield* p.sleep(20 * Time.us);
      // The first half warms up.
      if (i >= BROADCASTS / 2) this.#sum += this.#last - this.#begun;
    }
  }

  /** A receiver has one. */
  take(p: Program): void {
    this.received++;
    this.#last = Math.max(this.#last, p.rdtsc());
  }

  /** TSC cycles from the beginning of a broadcast until the last receiver has it, on average. */
  get cycles(): number {
    exactly('broadcasts that came', this.received, BROADCASTS * this.#receivers);
    return this.#sum / (BROADCASTS / 2);
  }
}

function byDaemonOf(receivers: number, { costs, seed }: ExperimentOptions): number {
  const machine = createMachine({ profile: profileFor(receivers), costs, seed });
  const all = new Broadcasts(receivers);
  const room = roomFor({ size: TEXT });
  machine.spawn(
    executable('sender', function* (p) {
      const ends: number[] = [];
      const own: number[] = [];
      for (let i = 0; i <= receivers; i++) {
        own.push(done('socketpair', yield* p.socketpair(SocketType.STREAM)));
        ends.push(p.second);
      }
      const others = ends.map((_, i) => i).slice(1);
      done(
        'fork',
        yield* p.fork(function* (q) {
          for (const fd of own) done('close', yield* q.close(fd));
          yield* daemon(q, ends, room, (from) => (from === 0 ? others : []));
        }),
      );
      for (let i = 1; i <= receivers; i++) {
        done(
          'fork',
          yield* p.fork(function* (q) {
            for (const fd of [...ends, ...own]) if (fd !== own[i]) done('close', yield* q.close(fd));
            const library = new Library(q, 'callee', 'on');
            const memory = done('mmap', yield* q.allocate(4096 + streamRoom(room)));
            yield* q.memset(memory, 0, 4096 + streamRoom(room));
            const stream = yield* polledStream(q, own[i] as number, memory, memory + 4096, room);
            for (let got = 0; got < BROADCASTS; got++) {
              stream.drop(yield* stream.next());
              library.load(TEXT);
              all.take(q);
            }
          }),
        );
      }
      for (const fd of ends) done('close', yield* p.close(fd));
      const library = new Library(p, 'caller', 'on');
      const out = done('mmap', yield* p.allocate(2 * room));
      yield* p.memset(out, 0, 2 * room);
      yield* all.send(p, function* () {
        yield* sendAll(p, own[0] as number, out, yield* library.build(out, out + room, TEXT));
      });
      for (const fd of own) done('close', yield* p.close(fd));
      for (let i = 0; i <= receivers; i++) done('wait4', yield* p.wait());
    }),
  );
  machine.run();
  return all.cycles;
}

function byKernelOf(receivers: number, { costs, seed }: ExperimentOptions): number {
  const machine = createMachine({ profile: profileFor(receivers), costs, seed, plugins: [kernelBus()] });
  const all = new Broadcasts(receivers);
  const room = roomFor({ size: TEXT });
  machine.spawn(
    executable('sender', function* (p) {
      for (let i = 0; i < receivers; i++) {
        done(
          'fork',
          yield* p.fork(function* (q) {
            const fd = done('open', yield* q.open(BUS_PATH, OpenFlag.RDWR));
            done('ioctl', yield* q.ioctl(fd, BusIoctl.MATCH, 0));
            done('mmap', yield* q.mmap(0, 65_536, Prot.READ, MapFlag.SHARED, fd));
            const library = new Library(q, 'callee', 'on');
            const memory = done('mmap', yield* q.allocate(4096));
            const epfd = done('epoll_create1', yield* q.epollCreate());
            done('epoll_ctl', yield* q.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN));
            for (let got = 0; got < BROADCASTS; got++) {
              exactly('epoll_wait', yield* q.epollWait(epfd, memory, 1, -1), 1);
              done('ioctl', yield* q.ioctl(fd, BusIoctl.RECEIVE, memory));
              library.load(TEXT);
              done('ioctl', yield* q.ioctl(fd, BusIoctl.FREE, yield* q.load64(memory + 8)));
              all.take(q);
            }
          }),
        );
      }
      const fd = done('open', yield* p.open(BUS_PATH, OpenFlag.RDWR));
      const library = new Library(p, 'caller', 'on');
      const memory = done('mmap', yield* p.allocate(4096 + 2 * room));
      yield* p.memset(memory, 0, 4096 + 2 * room);
      yield* p.store64(memory, BROADCAST);
      yield* p.store64(memory + 16, memory + 4096);
      yield* all.send(p, function* () {
        yield* p.store64(memory + 24, yield* library.build(memory + 4096, memory + 4096 + room, TEXT));
        done('ioctl', yield* p.ioctl(fd, BusIoctl.SEND, memory));
      });
      for (let i = 0; i < receivers; i++) done('wait4', yield* p.wait());
    }),
  );
  machine.run();
  return all.cycles;
}

/** A CPU for everybody: receivers work at the same time. */
function profileFor(receivers: number) {
  const topology = { sockets: 1, coresPerSocket: receivers + 2, threadsPerCore: 1, coresPerCache: receivers + 2, memoryPerSocket: 1 };
  return { ...defaultProfile, topology };
}

/** One message to many. */
export const broadcastExperiment: Experiment = {
  name: 'broadcast',
  title: 'one message to 1 to 16 receivers, each on a CPU of its own, until the last has it',
  published: [
    {
      kind: 'law',
      id: 'KDB-B',
      what: 'growth',
      value: 'a bus in the kernel delivers a broadcast to each receiver without a daemon that writes to one after the other',
      source: 'design of kdbus, as summarised in public talks',
      status: 'recalled',
    },
  ],
  misses: {},
  left: ['match rules by sender only: no bloom filters over members and arguments'],
  run(options) {
    const points = RECEIVERS.map((at) => ({ at, values: [byDaemonOf(at, options), byKernelOf(at, options)] }));
    const curves: Curves = {
      title: 'TSC cycles from the beginning of a broadcast until the last receiver has it',
      over: 'receivers',
      names: ['daemon', 'kernel'],
      points,
    };
    const perReceiver = [0, 1].map((way) => {
      const [first, last] = [points[0]?.values[way] as number, points.at(-1)?.values[way] as number];
      return (last - first) / ((RECEIVERS.at(-1) as number) - 1);
    }) as [number, number];
    return {
      findings: [
        {
          id: 'KDB-B',
          here: `${Math.round(perReceiver[0]).toLocaleString('en-US')} cycles for each further receiver by way of the daemon, ${Math.round(perReceiver[1]).toLocaleString('en-US')} by the kernel`,
          holds: perReceiver[0] > perReceiver[1],
        },
      ],
      curves: [curves],
    };
  },
};
