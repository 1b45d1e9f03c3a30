import { Ledger } from '@rpal/hw-x86';
import { createMachine, done, exactly, executable, type MachineOptions, type Main, type Program, type Thread } from '@rpal/kernel';
import { Epoll, OpenFlag, Poll } from '@rpal/uapi';

/** What two processes pass back and forth. */
export type Channel = 'pipe' | 'eventfd' | 'epoll on pipes';

/** Two processes that wake each other in turn. */
export interface PingPongOptions {
  readonly machine: MachineOptions;
  readonly channel: Channel;
  /** CPUs that the two are pinned to, one each; without, the scheduler chooses. */
  readonly cpus?: readonly [number, number];
  /** CPUs that both may run on. */
  readonly among?: readonly number[];
  /** CPUs that the two begin on; after that the scheduler chooses. */
  readonly begin?: readonly [number, number];
  /** Pages that each side reads between two messages. */
  readonly pages?: number;
  readonly rounds: number;
}

/** Averages of the rounds behind the first tenth, which warms up. */
export interface PingPongResult {
  /** TSC cycles from one message of the first process to its next. */
  readonly cyclesPerRound: number;
  readonly tscPerNs: number;
  /** Where the cycles of all counted rounds went. */
  readonly ledger: Ledger;
  readonly rounds: number;
}

const PAGE = 4096;
/** Bytes of a message: an int through a pipe, a counter through an eventfd. */
const BYTES = { pipe: 4, eventfd: 8, 'epoll on pipes': 4 } as const;

/** How one side sends and receives. */
interface End {
  readonly from: number;
  readonly to: number;
  readonly epfd: number;
  readonly buffer: number;
}

/** Runs the rounds on a fresh machine. @throws BenchmarkFailure if a call failed */
export function pingPong({ machine: options, channel, cpus, among, begin, pages = 0, rounds }: PingPongOptions): PingPongResult {
  const machine = createMachine(options);
  const ledger = new Ledger(machine.platform.costs);
  const warmUp = Math.ceil(rounds / 10);
  const threads: Thread[] = [];
  let began = 0;
  let ended = 0;

  function* side(p: Program, from: number, to: number, index: 0 | 1): Generator<void, End> {
    threads[index] = p.context.thread;
    const place = cpus ?? begin;
    if (place !== undefined) exactly('sched_setaffinity', yield* p.setAffinity([place[index]]), 0);
    if (cpus === undefined && (begin ?? among) !== undefined) {
      exactly('sched_setaffinity', yield* p.setAffinity(among ?? machine.platform.cpus.map(({ id }) => id)), 0);
    }
    const buffer = done('mmap', yield* p.allocate((pages + 2) * PAGE));
    if (channel !== 'epoll on pipes') return { from, to, epfd: -1, buffer };
    const epfd = done('epoll_create1', yield* p.epollCreate());
    exactly('epoll_ctl', yield* p.epollCtl(epfd, Epoll.CTL_ADD, from, Poll.IN | Epoll.ET), 0);
    return { from, to, epfd, buffer };
  }

  function* send(p: Program, { to, buffer }: End): Generator<void, void> {
    for (let page = 0; page < pages; page++) yield* p.load8(buffer + (page + 2) * PAGE);
    exactly('write', yield* p.write(to, buffer, BYTES[channel]), BYTES[channel]);
  }

  function* receive(p: Program, { from, epfd, buffer }: End): Generator<void, void> {
    if (epfd >= 0) exactly('epoll_wait', yield* p.epollWait(epfd, buffer + PAGE, 1, -1), 1);
    exactly('read', yield* p.read(from, buffer, BYTES[channel]), BYTES[channel]);
  }

  machine.spawn(
    executable('ping', function* (p) {
      const there = yield* open(p);
      const back = yield* open(p);
      const pong: Main = function* (child) {
        const end = yield* side(child, there.from, back.to, 1);
        yield* child.store64(end.buffer, 1);
        for (let i = 0; i < warmUp + rounds; i++) {
          yield* receive(child, end);
          const { cpu } = child.context;
          if (i >= warmUp) cpu.path.turn(cpu, ledger, threads[0] as Thread);
          yield* send(child, end);
        }
      };
      done('fork', yield* p.fork(pong));
      const end = yield* side(p, back.from, there.to, 0);
      yield* p.store64(end.buffer, 1);
      exactly('nanosleep', yield* p.sleep(1e6), 0);
      for (let i = 0; i < warmUp + rounds; i++) {
        const { cpu } = p.context;
        if (i === warmUp) began = cpu.clock;
        if (i >= warmUp) cpu.path.start(cpu, ledger, threads[1] as Thread);
        yield* send(p, end);
        yield* receive(p, end);
        const after = p.context.cpu;
        if (i >= warmUp) after.path.finish(after);
      }
      ended = p.context.cpu.clock;
    }),
    (cpus ?? begin ?? among)?.[0] ?? 0,
  );

  function* open(p: Program): Generator<void, { from: number; to: number }> {
    if (channel === 'eventfd') {
      const fd = done('eventfd2', yield* p.eventfd());
      return { from: fd, to: fd };
    }
    const from = done('pipe2', yield* p.pipe(channel === 'epoll on pipes' ? OpenFlag.NONBLOCK : 0));
    return { from, to: p.second };
  }

  machine.run();
  return { cyclesPerRound: (ended - began) / rounds, tscPerNs: machine.platform.costs.tscPerNs, ledger, rounds };
}
