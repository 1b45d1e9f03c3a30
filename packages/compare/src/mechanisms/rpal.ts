import type { Plugin } from '@rpal/bus';
import { done, exactly, type Machine, MachineError, type Program, Time } from '@rpal/kernel';
import {
  EPOLLRPALIN,
  findReceiver,
  introduce,
  type LibRpal,
  librpal,
  QUEUE_WORDS,
  RpalError,
  type RpalFd,
  rpalExecutable,
  welcome,
} from '@rpal/librpal';
import { rpal } from '@rpal/rpal-core';
import { EPOLL_EVENT_SIZE, Epoll, Poll, SocketType } from '@rpal/uapi';
import type { Gathering } from '../mechanism/gathering.js';
import type { Endpoint, Mechanism, Meeting, Routine } from '../mechanism/mechanism.js';
import { lookAgain } from '../mechanism/waiting.js';
import { EVENT_DATA, EVENTS } from './gathered.js';

const PATH = '/tmp/compare.sock';
const WORD = 8;
/** With the server they are 16 services: of more, two have ids that are equal modulo 16, the same protection key, and are refused (patch 25). */
const MOST_CLIENTS = 15;

/** The name of a variant of RPAL, and what it needs instead of the RFC's isolation and sharing. */
export interface RpalVariant {
  readonly name: string;
  readonly title: string;
  readonly plugins: () => readonly Plugin[];
  /** `copy`: words go by value, as in the RFC's sample. `reference`: their address does, and the receiver reads the sender's memory. */
  readonly passing: 'copy' | 'reference';
}

/** What a client does while its queue at the server is full. @param times how often it has looked before */
type Patience = (p: Program, meeting: Meeting, times: number) => Routine;

/** TSC cycles between two looks of one of several clients: twice as many each time. */
const FIRST_PAUSE = 40;
const LONGEST_PAUSE = 20_000;

/** The server may be asleep with the words, and be woken by the next tick only (see `gather`). */
function* lookLess(p: Program, _meeting: Meeting, times: number): Routine {
  yield* p.compute(Math.min(FIRST_PAUSE * 2 ** times, LONGEST_PAUSE));
}

/** How the client's calls reach the server. */
interface Far {
  readonly server: number;
  readonly fd: RpalFd;
}

/**
 * RPAL as a mechanism: calls one way, and answers through the socket of the connection, as in the RFC's sample. @public for mechanisms of
 * your own
 */
export function rpalMechanism({ name, title, plugins, passing }: RpalVariant): Mechanism {
  return {
    name,
    title,
    copies: passing === 'copy' ? 2 : 1,
    back: 'a Unix stream socket, as in the sample of the RFC',
    sizes: [1, 1024 * 1024],
    waits: ['sleep'],
    // By reference the buffer is in use until the answer comes.
    streams: passing === 'copy',
    plugins,
    start(machine, meeting) {
      const [clientCpu, serverCpu] = meeting.cpus;
      machine.spawn(
        rpalExecutable('server', (p) => server(p, meeting, passing)),
        serverCpu,
      );
      machine.spawn(
        rpalExecutable('client', (p) => client(p, meeting, passing, lookAgain)),
        clientCpu,
      );
    },
    ...(passing === 'copy' ? { gather, mostClients: MOST_CLIENTS } : {}),
  };
}

function* server(p: Program, meeting: Meeting, passing: RpalVariant['passing']): Routine {
  done('sched_setaffinity', yield* p.setAffinity([meeting.cpus[1]]));
  const listener = yield* listening(p, 1);
  const fd = done('accept', yield* p.accept(listener));
  const lib = librpal(p);
  if ((yield* lib.init(1)) < 0) throw libraryFailed('rpal_init', lib.error);
  const epfd = done('epoll_create1', yield* p.epollCreate());
  const caller = yield* admit(p, lib, epfd, fd);
  // What rpal_copy_prepare of the version before the series opens: the posted library has only its declaration.
  const callersKey = lib.process.peers[caller]?.pkruMask ?? 0;
  const events = done('mmap', yield* p.allocate(8192));
  const word = events + 4096;

  function* wait(): Routine<number> {
    return done('rpal_epoll_wait', yield* lib.epollWait(epfd, events, 8, -1));
  }

  const end: Endpoint = {
    send: (address, length) => answer(p, fd, address, length),
    *receive(address, length) {
      if (passing === 'copy') {
        yield* takeWords(lib, fd, address, Math.ceil(length / WORD), wait);
      } else {
        yield* takeWords(lib, fd, word, 1, wait);
        const from = yield* p.load64(word);
        const own = p.rdpkru();
        p.wrpkru(own & callersKey);
        yield* p.memcpy(address, from, length);
        p.wrpkru(own);
      }
      return address;
    },
    // A server that ended in the middle of its last call would take the caller's with it.
    *close() {
      for (;;) {
        const n = yield* wait();
        for (let i = 0; i < n; i++) if (((yield* p.load32(events + i * EPOLL_EVENT_SIZE)) & (Poll.RDHUP | Poll.HUP)) !== 0) return;
      }
    },
  };
  yield* meeting.server(p, end);
}

function* client(p: Program, meeting: Meeting, passing: RpalVariant['passing'], patience: Patience): Routine {
  done('sched_setaffinity', yield* p.setAffinity([meeting.cpus[0]]));
  done('nanosleep', yield* p.sleep(Time.ms));
  const fd = done('socket', yield* p.socket(SocketType.STREAM));
  done('connect', yield* p.connect(fd, PATH));
  const lib = librpal(p);
  if ((yield* lib.init(1)) < 0) throw libraryFailed('rpal_init', lib.error);
  const id = yield* introduce(p, lib, fd);
  if (id < 0) throw libraryFailed('the handshake', lib.error);
  const receiver = yield* findReceiver(p, lib, id, fd);
  if (receiver === null) throw new MachineError('CALL_FAILED', 'rpal_uds_fdmap found no receiver');
  const far: Far = { server: id, fd: receiver };
  const word = done('mmap', yield* p.allocate(4096));

  /** Calls with words; a full queue has to be emptied by its receiver first. */
  function* call(address: number, count: number): Routine {
    for (let times = 0; ; times++) {
      const n = yield* lib.writePtrs(far.server, far.fd, address, count);
      if (n === count) return;
      if (n !== -RpalError.QUEUE_PUT_FAILED && n !== -RpalError.CACHE_FULL) throw libraryFailed('rpal_write_ptrs', lib.error);
      yield* patience(p, meeting, times);
    }
  }

  const end: Endpoint = {
    *send(address, length) {
      if (passing === 'copy') {
        const all = Math.ceil(length / WORD);
        for (let sent = 0; sent < all; sent += QUEUE_WORDS) yield* call(address + WORD * sent, Math.min(all - sent, QUEUE_WORDS));
      } else {
        yield* p.store64(word, address);
        yield* call(word, 1);
      }
    },
    *receive(address, length) {
      for (let got = 0; got < length; ) {
        const n = done('read', yield* p.read(fd, address + got, length - got));
        exactly('read at the end of the stream', Math.min(n, 1), 1);
        got += n;
      }
      return address;
    },
  };
  yield* meeting.client(p, end);
  done('close', yield* p.close(fd));
}

function libraryFailed(call: string, error: number): MachineError {
  const name = Object.entries(RpalError).find(([, code]) => code === error)?.[0] ?? String(error);
  return new MachineError('CALL_FAILED', `${call} failed with ${name}`);
}

/**
 * One server, whose receiver waits for all its clients. A message of more words than a queue holds is several calls, and each may come while
 * the server is on its way to sleep on account of another client's: it has looked for words already and cannot be called yet, so nobody
 * tells it of them but the waker, at the next tick (patch 31): each time up to four milliseconds are lost.
 */
function gather(machine: Machine, gathering: Gathering): void {
  const { clientCpus, serverCpu, size, waiting } = gathering;
  machine.spawn(
    rpalExecutable('server', (p) => hub(p, gathering)),
    serverCpu,
  );
  for (const [number, cpu] of clientCpus.entries()) {
    const meeting: Meeting = {
      size,
      waiting,
      cpus: [cpu, serverCpu],
      client: (p, end) => gathering.client(p, end, number),
      *server() {},
    };
    machine.spawn(
      rpalExecutable(`client ${number}`, (p) => client(p, meeting, 'copy', lookLess)),
      cpu,
    );
  }
}

function* hub(p: Program, { clientCpus, serverCpu, server: serve }: Gathering): Routine {
  done('sched_setaffinity', yield* p.setAffinity([serverCpu]));
  const listener = yield* listening(p, clientCpus.length);
  const lib = librpal(p);
  if ((yield* lib.init(1)) < 0) throw libraryFailed('rpal_init', lib.error);
  const epfd = done('epoll_create1', yield* p.epollCreate());
  const fds: number[] = [];
  for (const _ of clientCpus) {
    const fd = done('accept', yield* p.accept(listener));
    yield* admit(p, lib, epfd, fd, fds.length);
    fds.push(fd);
  }
  const events = done('mmap', yield* p.allocate(4096));
  let gone = 0;
  /** Clients whose queues may have words. */
  const ready: number[] = [];
  function* wait(): Routine {
    const n = done('rpal_epoll_wait', yield* lib.epollWait(epfd, events, EVENTS, -1));
    for (let i = 0; i < n; i++) {
      const event = events + i * EPOLL_EVENT_SIZE;
      if (((yield* p.load32(event)) & (Poll.RDHUP | Poll.HUP)) !== 0) gone++;
      else ready.push(yield* p.load32(event + EVENT_DATA));
    }
  }
  yield* serve(p, {
    *receive(address, length) {
      for (;;) {
        while (ready.length === 0) yield* wait();
        const number = ready.shift() as number;
        const fd = fds[number] as number;
        const all = Math.ceil(length / WORD);
        const got = yield* lib.readPtrs(fd, address, Math.min(all, QUEUE_WORDS));
        if (got <= 0) continue;
        // The rest comes with further calls of this client; what others bring meanwhile has its turn afterwards.
        yield* takeWords(lib, fd, address + WORD * got, all - got, wait);
        return number;
      }
    },
    send: (client, address, length) => answer(p, fds[client] as number, address, length),
    // A server that ended in the middle of its last call would take the caller's with it.
    *close() {
      while (gone < fds.length) yield* wait();
    },
  });
}

/** A socket at the common path, for so many clients. */
function* listening(p: Program, clients: number): Routine<number> {
  const listener = done('socket', yield* p.socket(SocketType.STREAM));
  done('bind', yield* p.bind(listener, PATH));
  done('listen', yield* p.listen(listener, clients));
  return listener;
}

/** The receiver waits for a caller's words and its end, and shakes hands. @param data of its events @returns the caller's id */
function* admit(p: Program, lib: LibRpal, epfd: number, fd: number, data?: number): Routine<number> {
  done('rpal_epoll_ctl', yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN | Poll.IN | Poll.RDHUP | Epoll.ET, data));
  const caller = yield* welcome(p, lib, fd);
  if (caller < 0) throw libraryFailed('the handshake', lib.error);
  return caller;
}

/** Takes as many words as a message still has, and waits whenever there are none. */
function* takeWords(lib: LibRpal, fd: number, address: number, count: number, wait: () => Routine<unknown>): Routine {
  for (let got = 0; got < count; ) {
    const n = yield* lib.readPtrs(fd, address + WORD * got, Math.min(count - got, QUEUE_WORDS));
    if (n > 0) got += n;
    else yield* wait();
  }
}

/** All of an answer, through the socket of the connection. */
function* answer(p: Program, fd: number, address: number, length: number): Routine {
  for (let sent = 0; sent < length; ) sent += done('write', yield* p.write(fd, address + sent, length - sent));
}

/** RPAL with the RFC's own isolation and sharing. */
export const byRpal: readonly Mechanism[] = [
  rpalMechanism({ name: 'rpal', title: 'RPAL calls that carry their words', plugins: () => [rpal()], passing: 'copy' }),
  rpalMechanism({
    name: 'rpal-reference',
    title: "RPAL calls that carry an address: the receiver opens the caller's key and copies from there",
    plugins: () => [rpal()],
    passing: 'reference',
  }),
];
