import type { Plugin } from '@rpal/bus';
import { type CpuProfile, profiles } from '@rpal/hw-x86';
import { createMachine, done, exactly, executable, type Machine, type Process, type Program } from '@rpal/kernel';
import { EPOLLRPALIN, findReceiver, introduce, type LibRpal, librpal, type RpalFd, rpalExecutable, welcome } from '@rpal/librpal';
import { RpalBug, type RpalOptions, rpal } from '@rpal/rpal-core';
import { EPOLL_EVENT_SIZE, Epoll, Poll, SocketType } from '@rpal/uapi';
import { check } from '../outcome.js';

const SOCKET = '/tmp/question.sock';

/** The RFC's processor with four cores: machines of it are made in no time. */
export const smallProfile: CpuProfile = {
  ...(profiles[0] as CpuProfile),
  topology: { sockets: 1, coresPerSocket: 4, threadsPerCore: 1, coresPerCache: 4, memoryPerSocket: 8 },
};

export function smallMachine(options: RpalOptions | null, profile: CpuProfile = smallProfile, plugins: readonly Plugin[] = []): Machine {
  return createMachine({ profile, plugins: options === null ? plugins : [rpal(options), ...plugins] });
}

/** What the calling side of a connection can use. */
export interface Connection {
  readonly lib: LibRpal;
  readonly fd: number;
  /** The server's service. */
  readonly serviceId: number;
  readonly far: RpalFd;
  readonly server: Process;
  /** Addresses that the server has told its experimenter. */
  readonly told: Map<string, number>;
}

/** What the server does with a word that it was called with. */
export type Handler = (p: Program, word: number) => Generator<void, void>;

/** What a meeting may have besides client and server that answers. */
export interface Extras {
  readonly handle?: Handler;
  /** What the server does when bytes have come through the socket. */
  readonly bytes?: (p: Program) => Generator<void, void>;
  readonly prepare?: Preparation;
  readonly clientEnded?: (server: Process) => void;
  /** What a process that dies of a signal means: by default the experiment has failed; with `report` it is what was asked. */
  readonly deaths?: 'throw' | 'report';
  /** The CPUs; by default four of the RFC's. */
  readonly profile?: CpuProfile;
  /** Plugins besides RPAL. */
  readonly plugins?: readonly Plugin[];
  /** Before anything runs. */
  readonly arrange?: (machine: Machine, server: Process, client: Process) => void;
  /** An ordinary process on a third CPU. */
  readonly bystander?: (p: Program, server: Process, client: Process) => Generator<void, void>;
}

/** What the server does once it is ready, before it waits. */
export type Preparation = (p: Program, told: Map<string, number>) => Generator<void, void>;

export interface Met {
  readonly machine: Machine;
  readonly client: Process;
  readonly server: Process;
  /** The kernel's last words, if it stopped. */
  readonly bug: string | null;
}

/**
 * Two services on two CPUs: the server waits in `rpal_epoll_wait` and can be called; the client does what `attack` says.
 */
export function meet(
  options: RpalOptions,
  attack: (p: Program, connection: Connection) => Generator<void, void>,
  extras: Extras = {},
): Met {
  const { clientEnded, bystander } = extras;
  const machine = smallMachine(options, extras.profile, extras.plugins);
  const told = new Map<string, number>();
  const server = machine.spawn(
    rpalExecutable('server', (p) => serve(p, extras, told)),
    0,
  );
  const client = machine.spawn(
    rpalExecutable('client', function* (p) {
      exactly('client: sched_setaffinity', yield* p.setAffinity([1]), 0);
      exactly('client: nanosleep', yield* p.sleep(1e6), 0);
      const fd = done('client: socket', yield* p.socket(SocketType.STREAM));
      exactly('client: connect', yield* p.connect(fd, SOCKET), 0);
      const lib = librpal(p);
      done('client: rpal_init', yield* lib.init(1));
      const serviceId = yield* introduce(p, lib, fd);
      const far = yield* findReceiver(p, lib, serviceId, fd);
      check(far !== null, 'client: the server cannot be found');
      yield* attack(p, { lib, fd, serviceId, far, server, told });
      exactly('client: close', yield* p.close(fd), 0);
    }),
    1,
  );
  if (bystander !== undefined) {
    machine.spawn(
      executable('bystander', (p) => bystander(p, server, client)),
      2,
    );
  }
  extras.arrange?.(machine, server, client);
  machine.bus.events.processExit.on('questions', (_time, process) => {
    if (process === client) clientEnded?.(server);
  });
  return { machine, client, server, bug: runToEnd(machine, extras.deaths) };
}

/**
 * Runs a machine to its end. @param deaths whether a process may die of a signal @returns the message if the kernel stops at a BUG of
 * RPAL's, else null
 */
export function runToEnd(machine: Machine, deaths: 'throw' | 'report' = 'throw'): string | null {
  try {
    machine.run({ deaths });
    return null;
  } catch (error) {
    if (error instanceof RpalBug) return error.message;
    throw error;
  }
}

function* serve(p: Program, { handle, bytes, prepare }: Extras, told: Map<string, number>): Generator<void, void> {
  exactly('server: sched_setaffinity', yield* p.setAffinity([0]), 0);
  const listener = done('server: socket', yield* p.socket(SocketType.STREAM));
  exactly('server: bind', yield* p.bind(listener, SOCKET), 0);
  exactly('server: listen', yield* p.listen(listener, 1), 0);
  const fd = done('server: accept', yield* p.accept(listener));
  const lib = librpal(p);
  done('server: rpal_init', yield* lib.init(1));
  const epfd = done('server: epoll_create1', yield* p.epollCreate());
  exactly('server: epoll_ctl', yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN | Poll.RDHUP | Epoll.ET | EPOLLRPALIN), 0);
  if (prepare !== undefined) yield* prepare(p, told);
  yield* welcome(p, lib, fd);
  const buffer = done('server: mmap', yield* p.allocate(8192));
  for (;;) {
    const count = done('server: rpal_epoll_wait', yield* lib.epollWait(epfd, buffer, 8, -1));
    for (let i = 0; i < count; i++) {
      const bits = yield* p.load32(buffer + i * EPOLL_EVENT_SIZE);
      if ((bits & EPOLLRPALIN) !== 0) {
        exactly('server: rpal_read_ptrs', yield* lib.readPtrs(fd, buffer + 4096, 1), 1);
        if (handle !== undefined) yield* handle(p, yield* p.load64(buffer + 4096));
      }
      if ((bits & (Poll.IN | Poll.RDHUP)) !== 0) {
        if ((yield* p.read(fd, buffer, 64)) <= 0) return;
        if (bytes !== undefined) yield* bytes(p);
      }
    }
  }
}
