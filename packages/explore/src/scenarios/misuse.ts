import type { Program } from '@rpal/kernel';
import { type LibRpal, librpal } from '@rpal/librpal';
import { RpalIoctl, rpalThread, Scc } from '@rpal/rpal-core';
import { OpenFlag } from '@rpal/uapi';
import { type CalleeWork, callee, caller, callers, linking, type Subprogram, send, systemCall } from './roles.js';
import type { Stage } from './scenario.js';

/** Situations in which somebody does what the library never does. What the kernel makes of it is the kernel's business. */

/** Within its only call, after a system call for which the kernel switches, the callee gives its role up and takes it again. */
export function registeringInCall(stage: Stage): void {
  const work: CalleeWork = function* (p) {
    yield* p.getpid();
    const { rpalFd, receiverContexts } = librpal(p).process;
    const result = yield* p.ioctl(rpalFd, RpalIoctl.UNREGISTER_RECEIVER, 0);
    if (result === 0) yield* p.ioctl(rpalFd, RpalIoctl.REGISTER_RECEIVER, receiverContexts);
  };
  callers({ senders: 1, calls: 1, work, cpu: 1 })(stage);
}

/** The callee exits within its only call. */
export function exitingInCall(stage: Stage): void {
  const work: CalleeWork = function* (p) {
    yield* p.getpid();
    yield* p.exit(0);
  };
  callers({ senders: 1, calls: 1, work, cpu: 1 })(stage);
}

type Linked = (p: Program, lib: LibRpal) => Subprogram;

/** Two services that can reach each other's memory. @param bodies what they do once that is so */
function linked(stage: Stage, ...bodies: readonly [Linked, Linked]): void {
  const begin = linking();
  bodies.forEach((body, me) => {
    stage.spawn(`service-${me}`, me, function* (p) {
      yield* body(p, yield* begin(p, me));
    });
  });
}

/** One becomes a receiver while the other enters the kernel with its FS base. */
export function enteringAsReceiver(stage: Stage): void {
  stage.expect(2);
  let base = 0;
  let left = 2;
  const end = function* (p: Program): Subprogram {
    stage.leave(p);
    left--;
    while (left > 0) yield* p.sleep(1e5);
  };
  linked(
    stage,
    function* (p, lib) {
      const page = yield* p.mmap(0, 4096, 3, 1, lib.process.rpalFd);
      base = p.rdfsbase();
      yield* stage.meet(p);
      yield* p.ioctl(lib.process.rpalFd, RpalIoctl.REGISTER_RECEIVER, page);
      yield* end(p);
    },
    function* (p, lib) {
      const page = yield* p.mmap(0, 4096, 3, 1, lib.process.rpalFd);
      yield* p.ioctl(lib.process.rpalFd, RpalIoctl.REGISTER_SENDER, page);
      while (base === 0) yield* p.sleep(1e5);
      yield* stage.meet(p);
      const own = p.rdfsbase();
      p.wrfsbase(base);
      yield* p.getpid();
      p.wrfsbase(own);
      yield* end(p);
    },
  );
}

/** The CPU on which a call is made goes offline. */
export function offlineAgainstCall(stage: Stage): void {
  stage.expect(2);
  stage.spawn('callee', 2, (p) => callee(stage, p, 'callee', 1, systemCall));
  stage.spawn('caller', 1, (p) =>
    caller(stage, p, 'callee', function* (c) {
      yield* p.sleep(2e6);
      yield* stage.meet(p);
      for (let k = 1; k <= 2; k++) yield* send(stage, c, k);
      stage.leave(p);
    }),
  );
  stage.spawn('administrator', 0, function* (p) {
    const file = yield* p.open('/sys/devices/system/cpu/cpu1/online', OpenFlag.RDWR);
    const zero = yield* p.allocate(4096);
    yield* p.store8(zero, 0x30);
    yield* stage.meet(p);
    yield* p.write(file, zero, 1);
    stage.leave(p);
  });
}

/** A thread of the caller changes, in memory, the id by which the kernel knows the one that calls. */
export function renamedInCall(stage: Stage): void {
  stage.expect(2);
  stage.spawn('callee', 2, (p) => callee(stage, p, 'callee', 1, systemCall));
  stage.spawn('caller', 0, (p) =>
    caller(stage, p, 'callee', function* (c) {
      let over = false;
      // The first call makes it a sender.
      yield* p.sleep(2e6);
      yield* send(stage, c, 1);
      const { page, context } = rpalThread(p.context.thread).role;
      const id = page.userStart + (context - page.physical(page.userStart)) + Scc.senderId;
      yield* p.clone(function* (q) {
        yield* q.setAffinity([1]);
        yield* stage.meet(q);
        const before = yield* q.load32(id);
        yield* q.store32(id, before + 1);
        yield;
        yield* q.store32(id, before);
        stage.leave(q);
        over = true;
      });
      yield* stage.meet(p);
      yield* send(stage, c, 2);
      stage.leave(p);
      while (!over) yield* p.sleep(1e5);
    }),
  );
}
