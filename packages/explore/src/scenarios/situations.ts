import type { Call, Program } from '@rpal/kernel';
import { librpal } from '@rpal/librpal';
import { RPAL_PROC_FILE, RpalIoctl, ServiceMetadata } from '@rpal/rpal-core';
import { OpenFlag, Signal } from '@rpal/uapi';
import {
  type CalleeWork,
  type CallerEnd,
  callee,
  caller,
  computes,
  connectTo,
  nothing,
  nothingLost,
  type Subprogram,
  send,
} from './roles.js';
import type { Stage } from './scenario.js';

/** A process that sends a byte down a plain socket that the callee watches, too: a kernel event for the receiver. */
export function withKernelEvents(setUp: (stage: Stage) => void, cpu: number) {
  return (stage: Stage): void => {
    setUp(stage);
    stage.expect(stage.expected + 1);
    stage.spawn('poster', cpu, (p) =>
      caller(stage, p, 'callee', function* ({ fd, words }) {
        yield* p.sleep(2e6);
        yield* stage.meet(p);
        yield* p.write(fd, words, 1);
        stage.leave(p);
      }),
    );
  };
}

/** A process that kills another at any moment. */
export function withKiller(setUp: (stage: Stage) => void, cpu: number, victim: string) {
  return (stage: Stage): void => {
    setUp(stage);
    stage.expect(stage.expected + 1);
    stage.mayDie.add(victim);
    stage.spawn('killer', cpu, function* (p) {
      yield* stage.meet(p);
      yield* p.kill(pidOf(stage, victim), Signal.KILL);
      stage.leave(p);
    });
  };
}

function pidOf(stage: Stage, name: string): number {
  return stage.processes.find((process) => process.name === name)?.pid as number;
}

/** A program's first thread does `body` while a second one, on CPU 1, does `rival`. */
function* rivals(stage: Stage, p: Program, body: () => Subprogram, rival: (q: Program) => Subprogram | Call): Subprogram {
  let over = false;
  yield* p.clone(function* (q) {
    yield* q.setAffinity([1]);
    yield* stage.meet(q);
    yield* rival(q);
    stage.leave(q);
    over = true;
  });
  yield* stage.meet(p);
  yield* body();
  stage.leave(p);
  while (!over) yield* p.sleep(1e5);
}

/** One process, two threads: one enables the service, the other does `rival` at the same time. */
export function enabling(rival: (p: Program, stage: Stage) => Subprogram) {
  return (stage: Stage): void => {
    stage.expect(2);
    stage.spawn('service', 0, function* (p) {
      const memory = yield* p.allocate(4096);
      yield* p.store64(memory, 1);
      const fd = yield* p.open(RPAL_PROC_FILE, OpenFlag.RDWR);
      yield* p.store32(memory + ServiceMetadata.pkey, 5);
      const enable = function* (): Subprogram {
        const result = yield* p.ioctl(fd, RpalIoctl.ENABLE_SERVICE, memory);
        if (result !== 0) stage.note(`enable: ${result}`);
        yield* p.store64(memory, 2);
      };
      yield* rivals(stage, p, enable, (q) => rival(q, stage));
    });
  };
}

/** Survivors' words arrive; of a victim's, each arrives once or not at all. */
export function survivorsLoseNothing(stage: Stage): string | null {
  const [sent, received] = [stage.noted('sent'), stage.noted('received')];
  return received <= sent ? null : `${sent} words were sent and ${received} received`;
}

/** Two threads of one service: one calls twice, the other does at the same time what `prepare` makes of the connection. */
function calling(stage: Stage, work: CalleeWork, prepare: (c: CallerEnd) => Subprogram<(q: Program) => Call>): void {
  stage.expect(2);
  stage.spawn('callee', 2, (p) => callee(stage, p, 'callee', 1, work));
  stage.spawn('caller', 0, (p) =>
    caller(stage, p, 'callee', function* (c) {
      yield* p.sleep(2e6);
      const rival = yield* prepare(c);
      const calls = function* (): Subprogram {
        yield* send(stage, c, 1);
        yield* send(stage, c, 2);
      };
      yield* rivals(stage, p, calls, rival);
    }),
  );
}

/** A call against the release of the callee by another thread of the caller. */
export function releasing(stage: Stage): void {
  stage.mayDie.add('caller');
  calling(stage, nothing, function* ({ lib, server }): Subprogram<(q: Program) => Call> {
    const key = lib.process.peers[server]?.key as number;
    return (q) => q.ioctl(lib.process.rpalFd, RpalIoctl.RELEASE_SERVICE, key);
  });
}

/** A call against another thread of the caller that unmaps memory; all CPUs of the service are told of it. */
export function unmapping(stage: Stage): void {
  calling(stage, computes, function* ({ p }): Subprogram<(q: Program) => Call> {
    const memory = yield* p.allocate(4096);
    yield* p.store64(memory, 1);
    return (q) => q.munmap(memory, 4096);
  });
}

/** All that matters comes after the receiver's system call, so all meet within the call: the receiver, on its caller's CPU. */
export function returning(stage: Stage): void {
  stage.expect(1);
  stage.spawn('callee', 1, (p) =>
    callee(stage, p, 'callee', 2, function* (q) {
      yield* q.getpid();
      yield* stage.meet(q);
    }),
  );
  stage.spawn('caller', 0, (p) =>
    caller(stage, p, 'callee', function* (c) {
      yield* p.sleep(8e6);
      yield* send(stage, c, 1);
      stage.leave();
    }),
  );
}

/** A signal comes for a receiver. */
export function signalling(stage: Stage): void {
  stage.expect(1);
  stage.spawn('callee', 2, (p) => callee(stage, p, 'callee', 2, nothing));
  stage.spawn('signaller', 1, (p) =>
    caller(stage, p, 'callee', function* () {
      yield* p.sleep(2e6);
      yield* stage.meet(p);
      yield* p.kill(pidOf(stage, 'callee'), Signal.USR1);
      stage.leave();
    }),
  );
}

/** A caller also sends the receiver a byte: upon that it forks, and then takes what has been queued. The caller calls again. */
export function forking(stage: Stage): void {
  stage.expect(1);
  stage.spawn('callee', 1, (p) =>
    callee(stage, p, 'callee', 1, computes, {
      *heard(q) {
        yield* q.fork(function* () {});
      },
    }),
  );
  stage.spawn('caller', 0, (p) =>
    caller(stage, p, 'callee', function* (c) {
      yield* p.sleep(2e6);
      yield* stage.meet(p);
      yield* send(stage, c, 1);
      yield* p.write(c.fd, c.words, 1);
      yield* send(stage, c, 2);
      stage.leave(p);
    }),
  );
}

/** One calls two receivers in turn, which make system calls; all three can reach each other's memory. */
export function callingTwo(stage: Stage): void {
  stage.expect(1);
  const names = ['callee', 'other'];
  const answer: CalleeWork = function* (p, word) {
    const { process } = p.context.thread;
    if (word === MEETING) {
      // Without, the caller faults when the callee's address space is loaded, and that puts the kernel right again.
      const peer = stage.processes.find(({ name }) => names.includes(name) && name !== process.name);
      yield* librpal(p).requestService(peer?.threads[0]?.rpal?.service?.key as number);
    } else if ((yield* p.getpid()) !== process.pid) {
      stage.note(MISTAKEN);
    }
  };
  for (const name of names) stage.spawn(name, 2, (p) => callee(stage, p, name, name === 'callee' ? 2 : 1, answer));
  stage.spawn('caller', 0, (p) =>
    caller(stage, p, 'callee', function* (c) {
      const other = yield* connectTo(stage, c, 'other');
      if (other === null) return;
      yield* p.sleep(2e6);
      for (const each of [c, other]) yield* send(stage, each, MEETING);
      yield* stage.meet(p);
      for (const each of [c, other]) yield* send(stage, each, 1);
      stage.leave(p);
      yield* p.close(other.fd);
    }),
  );
}

/** A word that is not work yet. */
const MEETING = 100;
const MISTAKEN = 'getpid of another';

/** No process is taken for another, and nothing is lost. */
export function nobodyMistaken(stage: Stage): string | null {
  return stage.noted(MISTAKEN) > 0 ? 'a getpid within a call returned the pid of another process' : nothingLost(stage);
}
