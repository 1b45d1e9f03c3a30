import type { Call, Program } from '@rpal/kernel';
import { EPOLLRPALIN, type LibRpal, librpal, welcome } from '@rpal/librpal';
import type { QuirkName } from '@rpal/rpal-core';
import { Epoll, MessageFlag, Poll, SocketType } from '@rpal/uapi';
import { type CallerEnd, caller, linking, type Subprogram } from './roles.js';
import type { Scenario, Stage } from './scenario.js';

/**
 * The situation of one defect of the series, which the scenario is named after. The invariants are not asked: what becomes of the
 * machine, and what its programs see, tells.
 */
export interface Defect extends Scenario {
  readonly name: QuirkName;
  /** A defect that must be repaired for this one to show. */
  readonly behind?: QuirkName;
  /** It shows in some orders only. */
  readonly inSomeOrders?: true;
  /** Repaired, it is another defect that ends the machine. */
  readonly endsInBug?: true;
}

/** @param setUp programs that say by `stage.wrong` what is wrong */
export function defect(name: QuirkName, about: string, setUp: (stage: Stage) => void, more: Partial<Omit<Defect, 'name'>> = {}): Defect {
  return { name, about, cpus: 2, rests: true, unchecked: true, setUp, verdict: ({ wrong }) => wrong, ...more };
}

/** One program. It is the body that meets; what it returns is what is wrong. */
export function alone(body: (p: Program, lib: LibRpal, stage: Stage) => Subprogram<string | null>) {
  return (stage: Stage): void => {
    stage.expect(1);
    stage.spawn('service', 0, function* (p) {
      stage.wrong = yield* body(p, librpal(p), stage);
      stage.leave(p);
    });
  };
}

/** The callee's end of a connection: it has been welcomed, and has not waited yet. */
export interface CalleeEnd {
  readonly p: Program;
  readonly lib: LibRpal;
  readonly fd: number;
  readonly epfd: number;
  /** Two pages: events in the first, words in the second. */
  readonly memory: number;
}

/** A callee on CPU 1 and a caller on CPU 0, connected and mapped. One of them meets. */
export function couple(callee: (end: CalleeEnd, stage: Stage) => Subprogram, calls: (end: CallerEnd, stage: Stage) => Subprogram) {
  return (stage: Stage): void => {
    stage.expect(1);
    for (const name of ['callee', 'caller']) stage.mayDie.add(name);
    stage.spawn('callee', 1, function* (p) {
      const listener = yield* p.socket(SocketType.STREAM);
      yield* p.bind(listener, '/tmp/callee');
      yield* p.listen(listener, 1);
      const lib = librpal(p);
      yield* lib.init(1);
      const fd = yield* p.accept(listener);
      const epfd = yield* p.epollCreate();
      yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN | Poll.IN | Poll.RDHUP | Epoll.ET);
      yield* welcome(p, lib, fd);
      const memory = yield* p.allocate(8192);
      yield* p.memset(memory, 0, 8192);
      yield* callee({ p, lib, fd, epfd, memory }, stage);
    });
    stage.spawn('caller', 0, (p) =>
      caller(stage, p, 'callee', function* (end) {
        yield* p.memset(end.words, 0, 4096);
        yield* calls(end, stage);
      }),
    );
  };
}

/** The first call of a callee: it waits, and takes the word. */
export function* firstCall({ lib, fd, epfd, memory }: CalleeEnd): Subprogram {
  yield* lib.epollWait(epfd, memory, 8, -1);
  yield* lib.readPtrs(fd, memory + 4096, 32);
}

/** Waits, and takes what comes, until the caller has hung up. */
export function* untilHungUp({ p, lib, fd, epfd, memory }: CalleeEnd): Subprogram {
  for (let bits = 0; (bits & (Poll.RDHUP | Poll.HUP)) === 0; ) {
    if ((yield* lib.epollWait(epfd, memory, 1, -1)) < 1) continue;
    bits = yield* p.load32(memory);
    if ((bits & EPOLLRPALIN) !== 0) yield* lib.readPtrs(fd, memory + 4096, 32);
    if ((bits & Poll.IN) !== 0) yield* p.recv(fd, memory + 4096, 8, MessageFlag.DONTWAIT);
  }
}

/**
 * A receiver on CPU 1 does `victim`; then a sender of another service on CPU 0, which meets, enters the kernel with its FS base.
 * @param asks the pid, by a kernel entry @param asSender what is wrong if it gets its own
 */
export function entering(
  victim: (p: Program, lib: LibRpal, stage: Stage) => Subprogram,
  { asks = (p) => p.getpid(), asSender }: { readonly asks?: (p: Program) => Call; readonly asSender?: string } = {},
) {
  return (stage: Stage): void => {
    stage.expect(1);
    const begin = linking();
    let base = 0;
    stage.mayDie.add('receiver');
    stage.spawn('receiver', 1, function* (p) {
      const lib = yield* begin(p, 0);
      yield* lib.receiverInit();
      const own = p.rdfsbase();
      yield* p.clone(function* (q) {
        yield* q.sleep(5e5);
        base = own;
      });
      yield* victim(p, lib, stage);
    });
    stage.spawn('sender', 0, function* (p) {
      const lib = yield* begin(p, 1);
      yield* lib.senderInit();
      while (base === 0) yield* p.sleep(1e5);
      yield* p.sleep(2e6);
      const pid = yield* p.getpid();
      const own = p.rdfsbase();
      yield* stage.meet(p);
      p.wrfsbase(base);
      const answer = yield* asks(p);
      p.wrfsbase(own);
      if (answer === pid) stage.wrong = asSender ?? null;
      stage.leave(p);
    });
  };
}
