import { done, type Exchange, type Program } from '@rpal/kernel';
import { MapFlag, Prot, Signal, SignalMask } from '@rpal/uapi';

/**
 * The programs of ipc-bench, from which Intel's benchmark of user interrupts comes, too. Their pipe and FIFO carry a message one way only: a
 * signal says that it is there, another that it has been read, and each goes to the whole process group, so that the sender runs an
 * empty handler of its own. The machine's kill knows no groups: there are two calls here, one for each process.
 */

/** What a side of an exchange knows. */
interface Side {
  readonly client: boolean;
  /** Known once both have begun. */
  readonly pids: { client: number; server: number };
  readonly from: number;
  readonly to: number;
  readonly buffer: number;
}

type Routine<T = void> = Generator<void, T>;

const USR1 = 1 << (Signal.USR1 - 1);
const USR2 = 1 << (Signal.USR2 - 1);

/** The signal that a side waits for is blocked; for the other one it has a handler that does nothing. */
function* ready(p: Program, { client, pids }: Side): Routine {
  pids[client ? 'client' : 'server'] = done('getpid', yield* p.getpid());
  const other = client ? Signal.USR2 : Signal.USR1;
  done('rt_sigaction', yield* p.sigaction(other, function* () {}));
  done('rt_sigprocmask', yield* p.sigprocmask(SignalMask.BLOCK, client ? USR1 : USR2));
}

function* notify(p: Program, { client, pids }: Side): Routine {
  const signal = client ? Signal.USR2 : Signal.USR1;
  done('kill', yield* p.kill(client ? pids.server : pids.client, signal));
  done('kill', yield* p.kill(client ? pids.client : pids.server, signal));
}

function* awaitNotice(p: Program, { client }: Side): Routine {
  done('rt_sigtimedwait', yield* p.sigwait(client ? USR1 : USR2));
}

function* sides(p: Program, size: number, there: readonly [from: number, to: number], back: readonly [from: number, to: number]) {
  const buffer = done('mmap', yield* p.allocate(size));
  yield* p.memset(buffer, 1, size);
  const pids = { client: 0, server: 0 };
  return [
    { client: true, pids, from: back[0], to: there[1], buffer },
    { client: false, pids, from: there[0], to: back[1], buffer },
  ] as const;
}

/** Signals alone. */
export const bySignals: Exchange<Side> = {
  open: (p) => sides(p, 8, [-1, -1], [-1, -1]),
  prepare: ready,
  send: notify,
  receive: awaitNotice,
};

/** A pipe from the client to the server, and signals both ways: `pipe` and `fifo` of the benchmark. */
export function byPipeAndSignals(size: number): Exchange<Side> {
  return {
    *open(p) {
      const from = done('pipe2', yield* p.pipe());
      return yield* sides(p, size, [from, p.second], [-1, -1]);
    },
    prepare: ready,
    *send(p, side) {
      if (side.client) done('write', yield* p.write(side.to, side.buffer, size));
      yield* notify(p, side);
    },
    *receive(p, side) {
      yield* awaitNotice(p, side);
      if (!side.client) done('read', yield* p.read(side.from, side.buffer, size));
    },
  };
}

/** Two eventfds, one each way. */
export const byEventfds: Exchange<Side> = {
  *open(p) {
    const there = done('eventfd2', yield* p.eventfd());
    const back = done('eventfd2', yield* p.eventfd());
    return yield* sides(p, 8, [there, there], [back, back]);
  },
  *send(p, { to, buffer }) {
    yield* p.store64(buffer, 1);
    done('write', yield* p.write(to, buffer, 8));
  },
  *receive(p, { from, buffer }) {
    done('read', yield* p.read(from, buffer, 8));
  },
};

/** Cycles between two looks at memory: a load that hits, and a branch. */
const LOOK = 6;
/** The first byte says whose turn it is; the message lies right behind it. */
const TURN = { CLIENT: 1, SERVER: 2 } as const;

/** Shared memory that both sides watch. The client writes messages of one value, as memset does, and each side copies what it finds. */
export function bySharedMemory(size: number): Exchange<Side & { readonly shared: number }> {
  return {
    *open(p) {
      const shared = done('mmap', yield* p.mmap(0, size + 1, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS));
      yield* p.memset(shared, 0, size + 1);
      const [near, far] = yield* sides(p, size, [-1, -1], [-1, -1]);
      return [
        { ...near, shared },
        { ...far, shared },
      ];
    },
    *send(p, { client, shared }) {
      yield* p.memset(shared + 1, 42, size);
      // Other cores have their turn first: accesses happen in the order of time.
      yield* p.compute(1);
      yield* p.store8(shared, client ? TURN.SERVER : TURN.CLIENT);
    },
    *receive(p, { client, shared, buffer }) {
      const mine = client ? TURN.CLIENT : TURN.SERVER;
      do yield* p.compute(LOOK);
      while ((yield* p.load8(shared)) !== mine);
      yield* p.memcpy(buffer, shared + 1, size);
    },
  };
}
