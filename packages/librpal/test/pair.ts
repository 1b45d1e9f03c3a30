import type { Plugin } from '@rpal/bus';
import type { Machine, Process, Program } from '@rpal/kernel';
import { type Rpal, type RpalOptions, rpal, rpalOf } from '@rpal/rpal-core';
import { Epoll, Poll, SocketType } from '@rpal/uapi';
import { finish, mustEnd, smallMachine } from '../../../scripts/testing/run.ts';
import {
  EPOLLRPALIN,
  findReceiver,
  introduce,
  type LibRpal,
  type LibraryBuild,
  librpal,
  type RpalFd,
  rpalExecutable,
  welcome,
} from '../src/index.js';

export { finish, mustEnd } from '../../../scripts/testing/run.ts';

export interface World {
  readonly machine: Machine;
  readonly rpal: Rpal;
}

/** @param plugins further ones */
export function world(options: RpalOptions = {}, plugins: readonly Plugin[] = []): World {
  const machine = smallMachine({ plugins: [rpal(options), ...plugins] });
  return { machine, rpal: rpalOf(machine) };
}

type Routine<T = unknown> = Generator<void, T>;

/** The callee's end: it has been welcomed and has not waited yet. */
export interface Callee {
  readonly p: Program;
  readonly lib: LibRpal;
  readonly fd: number;
  readonly epfd: number;
  /** Two pages: events in the first, words in the second. */
  readonly memory: number;
}

/** The caller's end: it knows the receiver. */
export interface Caller {
  readonly p: Program;
  readonly lib: LibRpal;
  readonly fd: number;
  readonly server: number;
  readonly far: RpalFd;
  /** A page for words. */
  readonly words: number;
}

/** Runs one service. @returns what `body` returns, or how the process ended */
export function alone({ machine }: World, body: (p: Program, lib: LibRpal) => Routine): unknown {
  let seen: unknown;
  const process = machine.spawn(
    rpalExecutable('service', function* (p) {
      mustEnd(p, 'anyhow');
      seen = yield* body(p, librpal(p));
    }),
  );
  finish(machine);
  return process.exit?.signal === 0 ? seen : `killed by ${process.exit?.signal}`;
}

/** A callee on CPU 0 and a caller on CPU 1, connected and mapped. @returns their processes */
export function pair(
  { machine }: Pick<World, 'machine'>,
  callee: (end: Callee) => Routine,
  caller: (end: Caller) => Routine,
  build?: LibraryBuild,
): readonly [Process, Process] {
  const options = build === undefined ? {} : { build };
  const server = machine.spawn(
    rpalExecutable('callee', function* (p) {
      yield* p.setAffinity([0]);
      const listener = yield* p.socket(SocketType.STREAM);
      yield* p.bind(listener, '/tmp/pair');
      yield* p.listen(listener, 1);
      const fd = yield* p.accept(listener);
      const lib = librpal(p, options);
      yield* lib.init(1);
      const epfd = yield* p.epollCreate();
      yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN | Poll.IN | Poll.RDHUP | Epoll.ET);
      yield* welcome(p, lib, fd);
      const memory = yield* p.allocate(8192);
      yield* p.memset(memory, 0, 8192);
      yield* callee({ p, lib, fd, epfd, memory });
    }),
    0,
  );
  const client = machine.spawn(
    rpalExecutable('caller', function* (p) {
      yield* p.setAffinity([1]);
      yield* p.sleep(1e6);
      const fd = yield* p.socket(SocketType.STREAM);
      yield* p.connect(fd, '/tmp/pair');
      const lib = librpal(p, options);
      yield* lib.init(1);
      const id = yield* introduce(p, lib, fd);
      const words = yield* p.allocate(4096);
      yield* p.memset(words, 0, 4096);
      const far = yield* findReceiver(p, lib, id, fd);
      if (far === null) throw new Error('no receiver');
      yield* caller({ p, lib, fd, server: id, far, words });
      yield* p.close(fd);
    }),
    1,
  );
  finish(machine);
  return [server, client];
}

/** Serves until the caller has hung up; what `work` is given are words. */
export function* serve({ p, lib, fd, epfd, memory }: Callee, work: (word: number) => Routine): Generator<void, void> {
  for (;;) {
    const count = yield* lib.epollWait(epfd, memory, 8, -1);
    for (let i = 0; i < count; i++) {
      const bits = yield* p.load32(memory + 12 * i);
      if ((bits & EPOLLRPALIN) !== 0) {
        for (let n = yield* lib.readPtrs(fd, memory + 4096, 32); n > 0; n = yield* lib.readPtrs(fd, memory + 4096, 32)) {
          for (let w = 0; w < n; w++) yield* work(yield* p.load64(memory + 4096 + 8 * w));
        }
      }
      if ((bits & (Poll.IN | Poll.RDHUP | Poll.HUP)) !== 0) return;
    }
  }
}

/** In its first call, up to where the kernel is on the callee's side: it has taken the words, and made a system call. */
export function* enterInCall({ p, lib, fd, epfd, memory }: Callee): Generator<void, void> {
  yield* lib.epollWait(epfd, memory, 8, -1);
  yield* lib.readPtrs(fd, memory + 4096, 32);
  yield* p.getpid();
}

/** Calls with one word. */
export function* call({ p, lib, server, far, words }: Caller, word: number): Generator<void, number> {
  yield* p.store64(words, word);
  return yield* lib.writePtrs(server, far, words, 1);
}
