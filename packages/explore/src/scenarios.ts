import type { Program } from '@rpal/kernel';
import { EPOLLRPALIN, findReceiver, introduce, type LibRpal, librpal, type RpalFd, welcome } from '@rpal/librpal';
import { RPAL_PROC_FILE, RpalIoctl, ServiceMetadata } from '@rpal/rpal-core';
import { EPOLL_EVENT_SIZE, Epoll, Errno, OpenFlag, Poll, Signal, SocketType } from '@rpal/uapi';
import type { Scenario, Stage } from './scenario.js';

type Routine<T = void> = Generator<void, T>;

/** A caller's end of a connection. */
export interface Caller {
  readonly p: Program;
  readonly lib: LibRpal;
  readonly fd: number;
  readonly server: number;
  readonly far: RpalFd;
  readonly words: number;
}

/** What a callee does with each word it gets. */
export type Work = (p: Program, word: number, fd: number) => Routine;

const MSG_DONTWAIT = 0x40;

const path = (name: string): string => `/tmp/${name}`;

/** A service with one receiver, which serves `connections` callers until all have hung up. */
export function* callee(stage: Stage, p: Program, name: string, connections: number, work: Work, touched = true): Routine {
  const listener = yield* p.socket(SocketType.STREAM);
  yield* p.bind(listener, path(name));
  yield* p.listen(listener, connections);
  const lib = librpal(p);
  yield* lib.init(1);
  const epfd = yield* p.epollCreate();
  const memory = yield* p.allocate(4096);
  // Otherwise a page fault comes in the first call.
  if (touched) yield* p.memset(memory, 0, 4096);
  let open = 0;
  const connected: number[] = [];
  for (let i = 0; i < connections; i++) {
    const fd = yield* p.accept(listener);
    yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN | Poll.IN | Poll.RDHUP | Epoll.ET);
    yield* welcome(p, lib, fd);
    open++;
    connected.push(fd);
  }
  const words = memory + 2048;
  // Deaths of callers are kernel events, too: their locks must be broken, or others wait for them for ever.
  yield* p.epollCtl(epfd, Epoll.CTL_ADD, lib.process.rpalFd, Poll.IN);
  while (open > 0) {
    const count = yield* lib.epollWait(epfd, memory, 8, -1);
    if (count < 0) stage.note(`${name} wait failed`);
    for (let i = 0; i < count; i++) {
      const bits = yield* p.load32(memory + i * EPOLL_EVENT_SIZE);
      const fd = yield* p.load32(memory + i * EPOLL_EVENT_SIZE + 4);
      if (fd === lib.process.rpalFd) {
        const dead = yield* lib.cleanServiceStart();
        // The end of the clean-up frees the queues that the dead have used, with what is in them.
        for (const each of connected) yield* serve(stage, p, lib, each, words, work);
        if (dead !== null) yield* lib.cleanServiceEnd(dead);
        continue;
      }
      if ((bits & EPOLLRPALIN) !== 0) yield* serve(stage, p, lib, fd, words, work);
      if ((bits & (Poll.IN | Poll.RDHUP | Poll.HUP)) !== 0) {
        let n = yield* p.recv(fd, words, 64, MSG_DONTWAIT);
        while (n > 0) n = yield* p.recv(fd, words, 64, MSG_DONTWAIT);
        if (n === 0 || n === -Errno.ECONNRESET) {
          // Words that nobody has announced yet go with the descriptor if they are not taken now.
          yield* serve(stage, p, lib, fd, words, work);
          yield* lib.epollCtl(epfd, Epoll.CTL_DEL, fd, 0);
          open--;
        }
      }
    }
  }
}

/** Takes and works off all words of a descriptor. */
function* serve(stage: Stage, p: Program, lib: LibRpal, fd: number, words: number, work: Work): Routine {
  for (let n = yield* lib.readPtrs(fd, words, 32); n > 0; n = yield* lib.readPtrs(fd, words, 32)) {
    for (let w = 0; w < n; w++) {
      const word = yield* p.load64(words + 8 * w);
      stage.note('received');
      stage.note('sum', word);
      yield* work(p, word, fd);
    }
  }
}

/** A service that connects to `name`; the rest is up to `body`. */
export function* caller(stage: Stage, p: Program, name: string, body: (caller: Caller) => Routine): Routine {
  yield* p.sleep(1e6);
  const fd = yield* p.socket(SocketType.STREAM);
  while ((yield* p.connect(fd, path(name))) < 0) yield* p.sleep(1e5);
  const lib = librpal(p);
  yield* lib.init(1);
  const server = yield* introduce(p, lib, fd);
  const words = yield* p.allocate(4096);
  const far = yield* findReceiver(p, lib, server, fd);
  if (server < 0 || far === null) {
    stage.note('handshake failed');
    return;
  }
  yield* body({ p, lib, fd, server, far, words });
  yield* p.close(fd);
}

/** Calls once with one word, and books it. */
export function* send(stage: Stage, { p, lib, server, far, words }: Caller, word: number): Routine<number> {
  yield* p.store64(words, word);
  stage.note('sent');
  stage.note('sent sum', word);
  const result = yield* lib.writePtrs(server, far, words, 1);
  if (result !== 1) stage.note(`error ${result}`);
  return result;
}

/** Every word that was sent has been received, once. */
export function nothingLost(stage: Stage): string | null {
  const [sent, received] = [stage.noted('sent'), stage.noted('received')];
  if (sent === received && stage.noted('sent sum') === stage.noted('sum')) return null;
  return `${sent} words were sent and ${received} received`;
}

const nothing: Work = function* () {};

/** Scenarios with `senders` callers of one callee, each calling `calls` times. `connections` counts others who connect. */
function callers(
  senders: number,
  calls: number,
  work: Work,
  connections: number = senders,
  victims: readonly string[] = [],
  cpu = Math.max(2, senders),
  touched = true,
) {
  return (stage: Stage): void => {
    stage.expect(senders);
    for (const victim of victims) stage.mayDie.add(victim);
    stage.spawn('callee', cpu, (p) => callee(stage, p, 'callee', connections, work, touched));
    for (let i = 0; i < senders; i++) {
      stage.spawn(`caller-${i}`, i, (p) =>
        caller(stage, p, 'callee', function* (c) {
          // The receiver waits for the first time only once all callers are known to it.
          yield* p.sleep(2e6);
          yield* stage.meet(p);
          for (let k = 0; k < calls; k++) yield* send(stage, c, 100 * i + k + 1);
          stage.leave();
        }),
      );
    }
  };
}

/** Gives the CPU away within a call: the scheduler then picks the caller, whose kernel context has long been runnable. */
const yields: Work = function* (p) {
  yield* p.schedYield();
};

/** The shortest system call within a call. */
const systemCall: Work = function* (p) {
  yield* p.getpid();
};

/** A process that sends a byte down a plain socket that the callee watches, too: a kernel event for the receiver. */
function withKernelEvents(setUp: (stage: Stage) => void, cpu: number) {
  return (stage: Stage): void => {
    setUp(stage);
    stage.expect(stage.expected + 1);
    stage.spawn('poster', cpu, (p) =>
      caller(stage, p, 'callee', function* ({ fd, words }) {
        yield* p.sleep(2e6);
        yield* stage.meet(p);
        yield* p.write(fd, words, 1);
        stage.leave();
      }),
    );
  };
}

/** A process that kills another at any moment. */
function withKiller(setUp: (stage: Stage) => void, cpu: number, victim: string) {
  return (stage: Stage): void => {
    setUp(stage);
    stage.expect(stage.expected + 1);
    stage.mayDie.add(victim);
    stage.spawn('killer', cpu, function* (p) {
      yield* stage.meet(p);
      const process = stage.processes.find(({ name }) => name === victim);
      yield* p.kill(process?.pid as number, Signal.KILL);
      stage.leave();
    });
  };
}

/** One process, two threads: one enables the service, the other does `rival` at the same time. */
function enabling(rival: (p: Program, stage: Stage) => Routine) {
  return (stage: Stage): void => {
    stage.expect(2);
    stage.spawn('service', 0, function* (p) {
      const memory = yield* p.allocate(4096);
      yield* p.store64(memory, 1);
      const fd = yield* p.open(RPAL_PROC_FILE, OpenFlag.RDWR);
      yield* p.store32(memory + ServiceMetadata.pkey, 5);
      let over = false;
      yield* p.clone(function* (q) {
        yield* q.setAffinity([1]);
        yield* stage.meet(q);
        yield* rival(q, stage);
        stage.leave();
        over = true;
      });
      yield* stage.meet(p);
      const result = yield* p.ioctl(fd, RpalIoctl.ENABLE_SERVICE, memory);
      if (result !== 0) stage.note(`enable: ${result}`);
      yield* p.store64(memory, 2);
      stage.leave();
      while (!over) yield* p.sleep(1e5);
    });
  };
}

/** Survivors' words arrive; of a victim's, each arrives once or not at all. */
function survivorsLoseNothing(stage: Stage): string | null {
  const [sent, received] = [stage.noted('sent'), stage.noted('received')];
  return received <= sent ? null : `${sent} words were sent and ${received} received`;
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'one-call',
    about: 'a thread calls a receiver, which makes a system call, while the waker and the tick do their work',
    cpus: 2,
    setUp: callers(1, 1, systemCall, 1, [], 1),
    verdict: nothingLost,
  },
  {
    name: 'two-senders',
    about: 'two threads call the same receiver, which only computes',
    cpus: 3,
    setUp: callers(2, 2, nothing),
    verdict: nothingLost,
  },
  {
    name: 'call-with-syscall',
    about: 'two threads call a receiver that makes a system call each time',
    cpus: 3,
    setUp: callers(2, 2, systemCall),
    verdict: nothingLost,
  },
  {
    name: 'call-against-wake-up',
    about: 'a thread calls a receiver while a kernel event for the receiver arrives on another CPU',
    cpus: 3,
    setUp: withKernelEvents(callers(1, 2, nothing, 2), 1),
    verdict: nothingLost,
  },
  {
    name: 'syscall-against-wake-up',
    about: 'a receiver makes system calls within calls while a kernel event for it arrives on another CPU',
    cpus: 3,
    setUp: withKernelEvents(callers(1, 2, systemCall, 2), 1),
    verdict: nothingLost,
  },
  {
    name: 'callee-overruns',
    about: 'a receiver yields the CPU within a call, so that its callers go on without it',
    cpus: 3,
    setUp: callers(2, 2, yields),
    verdict: nothingLost,
  },
  {
    name: 'kernel-return-against-call',
    about: 'a caller comes back by the kernel while another calls the same receiver, which makes a system call',
    cpus: 3,
    setUp: callers(2, 1, function* (p, word) {
      if (word < 100) yield* p.schedYield();
      else yield* p.getpid();
    }),
    verdict: nothingLost,
  },
  {
    name: 'tick-at-each-step',
    about: 'ticks come at any moment of a call; another thread calls the same receiver',
    cpus: 3,
    ticks: 2,
    setUp: callers(2, 2, function* (p) {
      yield* p.compute(2);
    }),
    verdict: nothingLost,
  },
  {
    name: 'nmi-at-each-step',
    about: 'NMIs come at any moment of a call, also between the decision to return and the return',
    cpus: 3,
    nmis: 2,
    setUp: callers(2, 2, nothing),
    verdict: nothingLost,
  },
  {
    name: 'return-interrupted',
    about: 'an NMI comes at any moment of a call in which the receiver has made a system call',
    cpus: 3,
    nmis: 1,
    setUp: callers(1, 1, systemCall),
    verdict: nothingLost,
  },
  {
    name: 'parking-against-wake-up',
    about: 'a receiver is parked by the lazy switch back while a kernel event wakes it on its own CPU',
    cpus: 2,
    setUp: withKernelEvents(callers(1, 1, systemCall, 2, [], 1, false), 1),
    verdict: nothingLost,
  },
  {
    name: 'sender-dies',
    about: 'a caller is killed at any moment; another one calls the same receiver',
    cpus: 4,
    setUp: withKiller(callers(2, 2, systemCall, 2, ['caller-0']), 3, 'caller-0'),
    verdict: survivorsLoseNothing,
  },
  {
    name: 'receiver-dies',
    about: 'a receiver is killed at any moment of a call',
    cpus: 3,
    setUp: withKiller(callers(1, 2, systemCall), 2, 'callee'),
    verdict: survivorsLoseNothing,
  },
  {
    name: 'release-against-call',
    about: 'a caller takes its request back while another thread of its process calls',
    cpus: 3,
    setUp: releasing,
    verdict: survivorsLoseNothing,
  },
  {
    name: 'enable-against-mmap',
    about: 'one thread enables the service while another maps memory and uses it',
    cpus: 2,
    setUp: enabling(function* (p) {
      const memory = yield* p.allocate(4096);
      yield* p.store64(memory, 1);
      yield* p.munmap(memory, 4096);
    }),
  },
  {
    name: 'enable-against-fork',
    about: 'one thread enables the service while another starts a thread, which uses memory',
    cpus: 2,
    setUp: enabling(function* (p, stage) {
      const memory = yield* p.allocate(4096);
      let over = false;
      yield* p.clone(function* (q) {
        yield* q.store64(memory, 1);
        over = true;
      });
      for (let i = 0; !over && i < 200; i++) yield* p.sleep(1e5);
      if (!over) stage.note('the new thread never ran');
    }),
  },
];

/** Two threads of one service; one calls, the other releases the callee meanwhile. */
function releasing(stage: Stage): void {
  stage.expect(2);
  stage.mayDie.add('caller');
  stage.spawn('callee', 2, (p) => callee(stage, p, 'callee', 1, nothing));
  stage.spawn('caller', 0, (p) =>
    caller(stage, p, 'callee', function* (c) {
      yield* p.sleep(2e6);
      let over = false;
      const key = c.lib.process.peers[c.server]?.key as number;
      yield* p.clone(function* (q) {
        yield* q.setAffinity([1]);
        yield* stage.meet(q);
        yield* q.ioctl(c.lib.process.rpalFd, RpalIoctl.RELEASE_SERVICE, key);
        stage.leave();
        over = true;
      });
      yield* stage.meet(p);
      yield* send(stage, c, 1);
      yield* send(stage, c, 2);
      stage.leave();
      while (!over) yield* p.sleep(1e5);
    }),
  );
}

export function scenarioNamed(name: string): Scenario {
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new RangeError(`scenario: "${name}" is not one of ${scenarios.map((s) => s.name).join(', ')}`);
  return scenario;
}
