import type { Call, Program } from '@rpal/kernel';
import { RPAL_PROC_FILE, RpalIoctl, ServiceMetadata } from '@rpal/rpal-core';
import { OpenFlag, Signal } from '@rpal/uapi';
import { type Caller, callee, caller, computes, nothing, type Routine, send, type Work } from './roles.js';
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
      const process = stage.processes.find(({ name }) => name === victim);
      yield* p.kill(process?.pid as number, Signal.KILL);
      stage.leave(p);
    });
  };
}

/** A program's first thread does `body` while a second one, on CPU 1, does `rival`. */
function* rivals(stage: Stage, p: Program, body: () => Routine, rival: (q: Program) => Routine | Call): Routine {
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
export function enabling(rival: (p: Program, stage: Stage) => Routine) {
  return (stage: Stage): void => {
    stage.expect(2);
    stage.spawn('service', 0, function* (p) {
      const memory = yield* p.allocate(4096);
      yield* p.store64(memory, 1);
      const fd = yield* p.open(RPAL_PROC_FILE, OpenFlag.RDWR);
      yield* p.store32(memory + ServiceMetadata.pkey, 5);
      const enable = function* (): Routine {
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
function calling(stage: Stage, work: Work, prepare: (c: Caller) => Routine<(q: Program) => Call>): void {
  stage.expect(2);
  stage.spawn('callee', 2, (p) => callee(stage, p, 'callee', 1, work));
  stage.spawn('caller', 0, (p) =>
    caller(stage, p, 'callee', function* (c) {
      yield* p.sleep(2e6);
      const rival = yield* prepare(c);
      const calls = function* (): Routine {
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
  calling(stage, nothing, function* ({ lib, server }): Routine<(q: Program) => Call> {
    const key = lib.process.peers[server]?.key as number;
    return (q) => q.ioctl(lib.process.rpalFd, RpalIoctl.RELEASE_SERVICE, key);
  });
}

/** A call against another thread of the caller that unmaps memory, of which all CPUs of the service are told. */
export function unmapping(stage: Stage): void {
  calling(stage, computes, function* ({ p }): Routine<(q: Program) => Call> {
    const memory = yield* p.allocate(4096);
    yield* p.store64(memory, 1);
    return (q) => q.munmap(memory, 4096);
  });
}

/** All that matters comes after the receiver's system call, so all meet within the call: the receiver, on its caller's CPU. */
export function returning(stage: Stage): void {
  stage.expect(2);
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
  stage.spawn('poster', 1, (p) =>
    caller(stage, p, 'callee', function* ({ fd, words }) {
      yield* p.sleep(2e6);
      yield* stage.meet(p);
      yield* p.write(fd, words, 1);
      stage.leave();
    }),
  );
}

/** A kernel event wakes the receiver, and a signal comes when it is about to wait again. */
export function signalling(stage: Stage): void {
  stage.expect(2);
  const others: readonly (readonly [string, (caller: Caller) => Routine])[] = [
    [
      'poster',
      function* ({ p, fd, words }) {
        yield* p.write(fd, words, 1);
      },
    ],
    [
      'signaller',
      function* ({ p }) {
        const process = stage.processes.find(({ name }) => name === 'callee');
        yield* p.kill(process?.pid as number, Signal.USR1);
      },
    ],
  ];
  stage.spawn('callee', 2, (p) => callee(stage, p, 'callee', others.length, nothing));
  others.forEach(([name, act], cpu) => {
    stage.spawn(name, cpu, (p) =>
      caller(stage, p, 'callee', function* (c) {
        yield* p.sleep(2e6);
        yield* stage.meet(p);
        yield* act(c);
        stage.leave();
      }),
    );
  });
}
