import type { Program } from '@rpal/kernel';
import {
  EPOLLRPALIN,
  EPOLLRPALOUT,
  FdSlot,
  findReceiver,
  type LibRpal,
  librpal,
  RpalError,
  type RpalFd,
  rpalExecutable,
  SlotUse,
} from '@rpal/librpal';
import { RPAL_ADDR_SPACE_SIZE } from '@rpal/rpal-core';
import { EPOLL_EVENT_SIZE, Epoll, MessageFlag, Poll, Prot, Signal } from '@rpal/uapi';
import { alone, type CalleeEnd, couple, type Defect, defect, untilHungUp } from './defect.js';
import { type CallerEnd, type Subprogram, send } from './roles.js';
import type { Stage } from './scenario.js';

/** One program that uses the library; see `alone`. */
const library = (...[body]: Parameters<typeof alone>) =>
  alone(function* (p, lib, stage) {
    yield* stage.meet(p);
    return yield* body(p, lib, stage);
  });

/** A caller, which meets, and a callee that only serves. What `body` returns is what is wrong; so is its death. */
function caller(body: (end: CallerEnd, stage: Stage) => Subprogram<string | null>, callee: (end: CalleeEnd) => Subprogram = untilHungUp) {
  return (stage: Stage): void => {
    stage.wrong = 'the caller was killed';
    couple(callee, function* (end) {
      yield* end.p.sleep(2e6);
      yield* stage.meet(end.p);
      stage.wrong = yield* body(end, stage);
      stage.leave(end.p);
    })(stage);
  };
}

/** Two threads add one descriptor to an epoll instance each, at the same time. @param then what one of them does with it afterwards */
function addedTwice(stage: Stage, then: (p: Program, lib: LibRpal, fd: number, added: readonly number[]) => Subprogram): void {
  stage.expect(2);
  stage.spawn('service', 0, function* (p) {
    const lib = librpal(p);
    yield* lib.init(1);
    const fd = yield* p.eventfd();
    const added: number[] = [];
    const adds = function* (q: Program): Subprogram {
      const own = librpal(q);
      const epfd = yield* q.epollCreate();
      yield* stage.meet(q);
      added.push(yield* own.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN));
      stage.leave(q);
    };
    yield* p.clone(function* (q) {
      yield* q.setAffinity([1]);
      yield* adds(q);
    });
    yield* adds(p);
    while (added.length < 2) yield* p.sleep(1e5);
    yield* then(p, lib, fd, added);
  });
}

/** Situations of the defects of the library that no other scenario has. */
export const libraryDefects: readonly Defect[] = [
  defect(
    'failure-without-code',
    'rpal_init is called for no receivers',
    library(function* (_p, lib) {
      return (yield* lib.init(0)) < 0 && lib.error === RpalError.NONE ? 'rpal_init failed, and the error code says nothing' : null;
    }),
  ),
  defect(
    'failed-init-leaks',
    'rpal_init fails, and is called again and again',
    alone(function* (p, _lib, stage) {
      yield* stage.meet(p);
      const again = function* (q: Program): Subprogram {
        for (let i = 0; i < 2; i++) yield* librpal(q).init(1);
        const left = [...stage.rpal.byKey.values()][0]?.sharedPages.length ?? 0;
        if (left > 0) stage.wrong = `${left} shared pages stay`;
        stage.leave(q);
      };
      // A program that is not position-independent may not be enabled.
      const segments = [{ address: 2 * RPAL_ADDR_SPACE_SIZE + 0x40_0000, bytes: 0x1_0000, prot: Prot.READ | Prot.EXEC }];
      yield* p.exec(rpalExecutable('service', again, { pie: false, segments }));
      return null;
    }),
  ),
  defect(
    'second-init-forgets',
    'a sender calls rpal_init a second time',
    caller(function* ({ lib }) {
      yield* lib.senderInit();
      yield* lib.init(1);
      return lib.isSender ? null : 'the thread is no sender any more';
    }),
  ),
  defect(
    'exit-not-forgotten',
    'rpal_init follows upon rpal_exit',
    library(function* (_p, lib) {
      yield* lib.init(1);
      yield* lib.exit();
      return (yield* lib.init(1)) < 0 ? 'rpal_init fails after rpal_exit' : null;
    }),
  ),
  defect(
    'failed-receiver-takes-number',
    'a thread becomes a receiver twice, of two that there may be, and then anew',
    library(function* (_p, lib) {
      yield* lib.init(2);
      yield* lib.receiverInit();
      yield* lib.receiverInit();
      yield* lib.receiverExit();
      return (yield* lib.receiverInit()) < 0 ? 'no number is left' : null;
    }),
  ),
  defect(
    'key-zero-found',
    'a program asks for the service with key 0',
    library(function* (_p, lib) {
      yield* lib.init(1);
      const found = lib.requestedServiceId(0);
      return found >= 0 ? `service ${found} is found, which nobody has requested` : null;
    }),
  ),
  defect(
    'refused-sender-as-fault',
    'a thread that cannot become a sender calls',
    caller(function* (end, stage) {
      yield* end.lib.senderExit();
      yield* end.p.close(end.lib.process.rpalFd);
      return (yield* send(stage, end, 1)) === -RpalError.ERR_PEER_MEM ? 'it is told of a fault in peer memory' : null;
    }),
  ),
  defect(
    'receiver-id-unchecked',
    'a caller names a receiver that the callee does not have',
    caller(function* ({ lib, server, far, words }) {
      const result = yield* lib.writePtrs(server, { ...far, receiver: 1 }, words, 1);
      return result === -RpalError.INVALID_ARG ? null : `it gets ${result}`;
    }),
  ),
  defect('event-bits-not-atomic', 'a caller announces words, while the callee takes the news that its queue has room', eventBits, {
    cpus: 4,
    inSomeOrders: true,
  }),
  defect('modify-drops-pending', 'words are announced, and their receiver changes its interest before it waits', (stage) => {
    let put = false;
    couple(
      function* (end) {
        const { p, lib, fd, epfd, memory } = end;
        yield* lib.epollWait(epfd, memory, 8, -1);
        yield* p.recv(fd, memory + 4096, 8, MessageFlag.DONTWAIT);
        while (!put) yield* p.compute(1000);
        yield* stage.meet(p);
        yield* lib.epollCtl(epfd, Epoll.CTL_MOD, fd, EPOLLRPALIN | Poll.RDHUP | Epoll.ET);
        const events = yield* lib.epollWait(epfd, memory, 8, 0);
        stage.leave(p);
        if (events === 0) stage.wrong = 'the words give no event';
        yield* untilHungUp(end);
      },
      function* (end) {
        yield* end.p.write(end.fd, end.words, 1);
        yield* end.p.sleep(1e6);
        yield* send(stage, end, 1);
        put = true;
        yield* end.p.sleep(4e6);
      },
    )(stage);
  }),
  defect(
    'dead-callers-record-kept',
    'a caller dies in a call, with the queue locked; its descriptor is added anew',
    couple(
      function* ({ p, lib, fd, epfd, memory }, stage) {
        yield* p.epollCtl(epfd, Epoll.CTL_ADD, lib.process.rpalFd, Poll.IN);
        yield* lib.epollWait(epfd, memory, 8, -1);
        const dead = (yield* lib.cleanServiceStart()) ?? [];
        yield* lib.epollCtl(epfd, Epoll.CTL_DEL, fd, 0);
        yield* p.close(fd);
        yield* lib.cleanServiceEnd(dead);
        yield* p.dup2(epfd, fd);
        const other = yield* p.eventfd();
        yield* p.dup2(other, fd);
        const again = yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN);
        if (again < 0) stage.wrong = 'the number of the descriptor can never be added again';
      },
      function* ({ p, lib, server, far }, stage) {
        yield* p.sleep(2e6);
        yield* stage.meet(p);
        yield* lib.writePtrs(server, far, 0x1000, 1);
      },
    ),
  ),
  defect(
    'install-race-loses-record',
    'two threads add one descriptor to two epoll instances',
    (stage) =>
      addedTwice(stage, function* (p, lib, fd, added) {
        const lost = added.includes(0) && (yield* lib.readPtrs(fd, yield* p.allocate(4096), 1)) === -1;
        if (lost) stage.wrong = 'the descriptor was added, and has no record';
      }),
    { inSomeOrders: true },
  ),
  defect(
    'reference-to-empty-slot',
    'the same, and words are read from it: its slot is in use, and may have no record',
    (stage) =>
      addedTwice(stage, function* (p, lib, fd) {
        const refused = (yield* lib.readPtrs(fd, yield* p.allocate(4096), 1)) === -1;
        const use = (yield* p.load32(lib.process.fdTable + fd * FdSlot.size + FdSlot.use)) | 0;
        if (refused && use > SlotUse.AVAILABLE) stage.wrong = 'a reference to no record stays';
      }),
    { inSomeOrders: true },
  ),
  defect(
    'nested-recovery-lost',
    'a caller looks into the memory of a peer that has died, after a call within the same safe access',
    (stage) => {
      let target = 0;
      caller(
        function* (end) {
          const { p, lib } = end;
          const pid = stage.processes[0]?.pid as number;
          yield* lib.readAccessSafety(function* () {
            yield* send(stage, end, 1);
            yield* p.kill(pid, Signal.KILL);
            yield* p.sleep(2e6);
            p.wrpkru(0);
            yield* p.load64(target);
          });
          return null;
        },
        function* (end) {
          target = end.memory;
          yield* untilHungUp(end);
        },
      )(stage);
    },
  ),
  defect(
    'negative-read-length',
    'a program reads with a negative length',
    couple(
      function* (end, stage) {
        const { lib, fd, epfd, memory, p } = end;
        yield* lib.epollWait(epfd, memory, 8, -1);
        yield* stage.meet(p);
        const count = yield* lib.readPtrs(fd, memory + 4096, -1);
        stage.leave(p);
        if (count > 0) stage.wrong = `${count} words were stored in room for none`;
        yield* untilHungUp(end);
      },
      function* ({ p, lib, server, far, words }) {
        yield* p.sleep(2e6);
        yield* lib.writePtrs(server, far, words, 4);
      },
    ),
  ),
  defect('read-before-init-faults', 'a program reads before rpal_init', (stage) => {
    stage.mayDie.add('service');
    stage.wrong = 'the program was killed';
    library(function* (p, lib) {
      const memory = yield* p.allocate(4096);
      yield* lib.readPtrs(3, memory, 1);
      return null;
    })(stage);
  }),
];

/** Both sides call each other. The caller makes room in its queue, which the callee has found full, and tells it; then it calls with words. */
function eventBits(stage: Stage): void {
  let told = 0;
  let full = false;
  couple(
    function* (end) {
      const { p, lib, fd, epfd, memory } = end;
      stage.expect(2);
      yield* lib.epollCtl(epfd, Epoll.CTL_MOD, fd, EPOLLRPALIN | EPOLLRPALOUT | Poll.IN | Epoll.ET);
      const callerId = lib.process.peers.findIndex((peer) => peer !== undefined);
      yield* p.clone(function* (q) {
        yield* q.setAffinity([2]);
        const writer = librpal(q);
        const back = (yield* findReceiver(q, writer, callerId, fd)) as RpalFd;
        while ((yield* writer.writePtrs(callerId, back, memory + 4096, 32)) > 0);
        full = true;
      });
      yield* lib.epollWait(epfd, memory, 8, -1);
      yield* p.recv(fd, memory + 4096, 8, MessageFlag.DONTWAIT);
      yield* stage.meet(p);
      for (let i = 0; i < 3; i++) {
        const count = yield* lib.epollWaitUser(memory, 8);
        for (let e = 0; e < count; e++) told += ((yield* p.load32(memory + e * EPOLL_EVENT_SIZE)) & EPOLLRPALOUT) === 0 ? 0 : 1;
        if (i > 0) yield* p.compute(5000);
      }
      stage.leave(p);
      if (told > 1) stage.wrong = 'it was told twice';
    },
    function* ({ p, lib, fd, server, far, words }) {
      yield* p.clone(function* (q) {
        yield* q.setAffinity([3]);
        const receiver = librpal(q);
        yield* receiver.receiverInit();
        const epfd = yield* q.epollCreate();
        yield* receiver.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN);
        const events = yield* q.allocate(4096);
        while (!full) yield* receiver.epollWait(epfd, events, 8, 1);
      });
      while (!full) yield* p.sleep(1e5);
      yield* p.write(fd, words, 1);
      yield* p.sleep(1e6);
      yield* stage.meet(p);
      yield* lib.readPtrsTriggerOut(fd, words, 32, server, far);
      yield* lib.writePtrs(server, far, words, 1);
      stage.leave(p);
      yield* p.sleep(1e6);
    },
  )(stage);
}
