import type { Program } from '@rpal/kernel';
import { EPOLLRPALIN, findReceiver, introduce, type LibRpal, librpal, type RpalFd, welcome } from '@rpal/librpal';
import { rpalThread } from '@rpal/rpal-core';
import { EPOLL_EVENT_SIZE, Epoll, Errno, MessageFlag, Poll, Signal, SocketType } from '@rpal/uapi';
import type { Stage } from './scenario.js';

export type Subprogram<T = void> = Generator<void, T>;

/** A caller's end of a connection. */
export interface CallerEnd {
  readonly p: Program;
  readonly lib: LibRpal;
  readonly fd: number;
  readonly server: number;
  readonly far: RpalFd;
  readonly words: number;
}

/** What a callee does with each word it gets. @public for scenarios of your own */
export type CalleeWork = (p: Program, word: number, fd: number) => Subprogram;

const path = (name: string): string => `/tmp/${name}`;

/** How a callee may differ from most. */
export interface CalleeOptions {
  /** Its first call faults a page in. Else it has touched its memory before. */
  readonly untouched?: boolean;
  /** What it does when bytes have come down a connection; then it takes what has been queued there. */
  readonly heard?: (p: Program) => Subprogram;
}

/** A service with one receiver, which serves `connections` callers until all have hung up. It ignores SIGUSR1. @public for scenarios of your own */
export function* callee(
  stage: Stage,
  p: Program,
  name: string,
  connections: number,
  work: CalleeWork,
  { untouched = false, heard }: CalleeOptions = {},
): Subprogram {
  yield* p.sigaction(Signal.USR1, function* (handler) {
    yield* handler.getpid();
  });
  const listener = yield* p.socket(SocketType.STREAM);
  yield* p.bind(listener, path(name));
  yield* p.listen(listener, connections);
  const lib = librpal(p);
  yield* lib.init(1);
  const epfd = yield* p.epollCreate();
  const memory = yield* p.allocate(4096);
  // Otherwise a page fault comes in the first call.
  if (!untouched) yield* p.memset(memory, 0, 4096);
  const connected: number[] = [];
  for (let i = 0; i < connections; i++) {
    const fd = yield* p.accept(listener);
    yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN | Poll.IN | Poll.RDHUP | Epoll.ET);
    yield* welcome(p, lib, fd);
    connected.push(fd);
  }
  const words = memory + 2048;
  // Deaths of callers are kernel events, too: their locks must be broken, or others wait for them for ever.
  yield* p.epollCtl(epfd, Epoll.CTL_ADD, lib.process.rpalFd, Poll.IN);
  yield* serveConnections(p, lib, connected, memory, words, {
    *wait() {
      const count = yield* lib.epollWait(epfd, memory, 8, -1);
      if (count < 0) stage.note(`${name} wait failed`);
      return count;
    },
    take: (fd) => serve(stage, p, lib, fd, words, work),
    *hear(fd) {
      if (heard === undefined) return;
      yield* heard(p);
      yield* serve(stage, p, lib, fd, words, work);
    },
    *leave(fd) {
      yield* lib.epollCtl(epfd, Epoll.CTL_DEL, fd, 0);
    },
    *bury(dead) {
      yield* lib.cleanServiceEnd(dead);
    },
  });
}

/** What a receiver does about its connections. */
export interface Serving {
  /** Waits for events. @returns how many came */
  wait(): Subprogram<number>;
  /** Takes all words of a descriptor. */
  take(fd: number): Subprogram;
  /** Bytes have come down a connection, and have been read. */
  hear?(fd: number): Subprogram;
  /** The other end has hung up. */
  leave(fd: number): Subprogram;
  /** The queues of the dead have been emptied. @param dead their keys */
  bury(dead: readonly number[]): Subprogram;
}

/**
 * Serves connections until all of them have hung up; the deaths of callers are events, too.
 * @param events where a wait leaves events @param words room for words, and for bytes that nobody wants
 */
export function* serveConnections(
  p: Program,
  lib: LibRpal,
  connected: readonly number[],
  events: number,
  words: number,
  serving: Serving,
): Subprogram {
  let open = connected.length;
  while (open > 0) {
    const count = yield* serving.wait();
    for (let i = 0; i < count; i++) {
      const bits = yield* p.load32(events + i * EPOLL_EVENT_SIZE);
      const fd = yield* p.load32(events + i * EPOLL_EVENT_SIZE + 4);
      if (fd === lib.process.rpalFd) {
        const dead = yield* lib.cleanServiceStart();
        // The end of the clean-up frees the queues that the dead have used, with what is in them.
        for (const each of connected) yield* serving.take(each);
        if (dead !== null) yield* serving.bury(dead);
        continue;
      }
      if ((bits & EPOLLRPALIN) !== 0) yield* serving.take(fd);
      if ((bits & (Poll.IN | Poll.RDHUP | Poll.HUP)) !== 0) {
        let n = yield* p.recv(fd, words, 64, MessageFlag.DONTWAIT);
        const heard = n > 0;
        while (n > 0) n = yield* p.recv(fd, words, 64, MessageFlag.DONTWAIT);
        if (heard && serving.hear !== undefined) yield* serving.hear(fd);
        if (n === 0 || n === -Errno.ECONNRESET) {
          // Words that nobody has announced yet go with the descriptor if they are not taken now.
          yield* serving.take(fd);
          yield* serving.leave(fd);
          open--;
        }
      }
    }
  }
}

/** Takes and works off all words of a descriptor. */
function* serve(stage: Stage, p: Program, lib: LibRpal, fd: number, words: number, work: CalleeWork): Subprogram {
  for (let n = yield* lib.readPtrs(fd, words, 32); n > 0; n = yield* lib.readPtrs(fd, words, 32)) {
    for (let w = 0; w < n; w++) {
      const word = yield* p.load64(words + 8 * w);
      stage.note('received');
      stage.note('sum', word);
      yield* work(p, word, fd);
    }
  }
}

/** For two services: what each of them, number 0 and number 1, begins with. It ends once both can reach each other's memory. */
export function linking(): (p: Program, me: number) => Subprogram<LibRpal> {
  const keys = [0, 0];
  let ready = 0;
  return function* (p, me) {
    const lib = librpal(p);
    yield* lib.init(1);
    keys[me] = rpalThread(p.context.thread).service?.key ?? 0;
    while (keys.includes(0)) yield* p.sleep(1e5);
    while ((yield* lib.requestService(keys[1 - me] as number)) < 0) yield* p.sleep(1e5);
    ready++;
    while (ready < 2) yield* p.sleep(1e5);
    return lib;
  };
}

/** A service that connects to `name`, and then runs `body`. @public for scenarios of your own */
export function* caller(stage: Stage, p: Program, name: string, body: (caller: CallerEnd) => Subprogram): Subprogram {
  yield* p.sleep(1e6);
  const fd = yield* connected(p, name);
  const lib = librpal(p);
  yield* lib.init(1);
  const introduced = yield* acquaint(stage, p, lib, fd);
  if (introduced === null) return;
  yield* body(introduced);
  yield* p.close(fd);
}

/** A caller's connection to another callee; the caller closes it. */
export function* connectTo(stage: Stage, { p, lib }: CallerEnd, name: string): Subprogram<CallerEnd | null> {
  const fd = yield* connected(p, name);
  return yield* acquaint(stage, p, lib, fd);
}

function* connected(p: Program, name: string): Subprogram<number> {
  const fd = yield* p.socket(SocketType.STREAM);
  while ((yield* p.connect(fd, path(name))) < 0) yield* p.sleep(1e5);
  return fd;
}

/** Exchanges keys over a connection and finds the receiver at its other end. */
function* acquaint(stage: Stage, p: Program, lib: LibRpal, fd: number): Subprogram<CallerEnd | null> {
  const server = yield* introduce(p, lib, fd);
  const words = yield* p.allocate(4096);
  const far = yield* findReceiver(p, lib, server, fd);
  if (server >= 0 && far !== null) return { p, lib, fd, server, far, words };
  stage.note('handshake failed');
  return null;
}

/** Calls once with one word, and books it. @public for scenarios of your own */
export function* send(stage: Stage, { p, lib, server, far, words }: CallerEnd, word: number): Subprogram<number> {
  yield* p.store64(words, word);
  stage.note('sent');
  stage.note('sent sum', word);
  const result = yield* lib.writePtrs(server, far, words, 1);
  if (result !== 1) stage.note(`error ${result}`);
  return result;
}

/** Every word that was sent has been received, once. @public for scenarios of your own */
export function nothingLost(stage: Stage): string | null {
  const [sent, received] = [stage.noted('sent'), stage.noted('received')];
  if (sent === received && stage.noted('sent sum') === stage.noted('sum')) return null;
  return `${sent} words were sent and ${received} received`;
}

/** Does only what the wait itself does. @public for scenarios of your own */
export const nothing: CalleeWork = function* () {};

/** Does next to nothing. */
export const computes: CalleeWork = function* (p) {
  yield* p.compute(2);
};

/** Callers of one callee. */
export interface Callers {
  readonly senders: number;
  /** How often each of them calls. */
  readonly calls: number;
  readonly work: CalleeWork;
  /** How many connect, with others than the senders; by default the senders. */
  readonly connections?: number;
  /** Those that may die. */
  readonly victims?: readonly string[];
  /** Where the callee begins; by default beside the senders, on CPU 2 or later. */
  readonly cpu?: number;
  readonly untouched?: boolean;
  /** Calls that each makes before they meet: the first faults pages in, and the others need not enter the kernel. */
  readonly before?: number;
}

/** Sets scenarios up in which callers call one callee. @public for scenarios of your own */
export function callers({
  senders,
  calls,
  work,
  connections = senders,
  victims = [],
  cpu = Math.max(2, senders),
  untouched = false,
  before = 0,
}: Callers) {
  return (stage: Stage): void => {
    stage.expect(senders);
    for (const victim of victims) stage.mayDie.add(victim);
    stage.spawn('callee', cpu, (p) => callee(stage, p, 'callee', connections, work, { untouched }));
    for (let i = 0; i < senders; i++) {
      stage.spawn(`caller-${i}`, i, (p) =>
        caller(stage, p, 'callee', function* (c) {
          // The receiver waits for the first time only once all callers are known to it.
          yield* p.sleep(2e6);
          for (let k = 0; k < before; k++) yield* send(stage, c, 100 * i + 90 + k);
          yield* stage.meet(p);
          for (let k = 0; k < calls; k++) yield* send(stage, c, 100 * i + k + 1);
          stage.leave(p);
        }),
      );
    }
  };
}

/** Gives the CPU away within a call: the scheduler then picks the caller, whose kernel context has long been runnable. @public for scenarios of your own */
export const yields: CalleeWork = function* (p) {
  yield* p.schedYield();
};

/** The shortest system call within a call. @public for scenarios of your own */
export const systemCall: CalleeWork = function* (p) {
  yield* p.getpid();
};
