import { type CpuProfile, defaultProfile, PAGE_SIZE, profiles } from '@rpal/hw-x86';
import { createMachine, executable, type Machine, type MachineOptions, type Program, Time } from '@rpal/kernel';
import {
  EPOLLRPALIN,
  findReceiver,
  introduce,
  type LibRpal,
  librpal,
  QUEUE_WORDS,
  RpalError,
  rpalExecutable,
  welcome,
} from '@rpal/librpal';
import { rpal } from '@rpal/rpal-core';
import { SchedPolicy } from '@rpal/sched';
import { EPOLL_EVENT_SIZE, Epoll, Poll, SocketType } from '@rpal/uapi';
import { fail } from '../../outcome.js';
import { CACHES, FLAT, type GrowthLine, LOGARITHM, type Load } from './line.js';

type Body = Generator<void, void>;

/** The profile with the most CPUs: 384. */
const LARGE = profiles.find(({ name }) => name === 'epyc-9654') as CpuProfile;
/** The RFC's with few CPUs, for machines whose size is something else. */
const SMALL: CpuProfile = {
  ...defaultProfile,
  topology: { sockets: 1, coresPerSocket: 4, threadsPerCore: 1, coresPerCache: 4, memoryPerSocket: 64 },
};

/** Counts what its programs do. */
class Work implements Load {
  readonly machine: Machine;
  operations = 0;
  /** How many still have to come. */
  missing: number;

  constructor(options: MachineOptions, missing: number) {
    this.machine = createMachine({ timerSlack: 0, ...options });
    this.missing = missing;
  }

  get ready(): boolean {
    return this.missing === 0;
  }

  get spare(): number {
    const { hostBytes, framesInUse } = this.machine.platform.memory;
    return hostBytes - framesInUse * PAGE_SIZE;
  }

  advance(cycles: number): void {
    this.machine.run(this.machine.platform.now + cycles);
  }
}

function failed(what: string, result: number): never {
  return fail(`${what} returned ${result}`);
}

function done(what: string, result: number): number {
  return result < 0 ? failed(what, result) : result;
}

/** One task on each of so many CPUs, which does `body` over and over with a pipe of its own. */
function onCpus(size: number, body: (p: Program, input: number, output: number, memory: number) => Body): Load {
  const work = new Work({ profile: LARGE }, size);
  for (let cpu = 0; cpu < size; cpu++) {
    const main = function* (p: Program): Body {
      done('sched_setaffinity', yield* p.setAffinity([cpu]));
      const input = done('pipe', yield* p.pipe());
      const output = p.second;
      const memory = yield* p.allocate(4096);
      yield* p.memset(memory, 1, 64);
      work.missing--;
      for (;;) {
        yield* body(p, input, output, memory);
        work.operations++;
      }
    };
    work.machine.spawn(executable('worker', main), cpu);
  }
  return work;
}

function busyCpus(size: number): Load {
  return onCpus(size, function* (p, input, output, memory) {
    if ((yield* p.write(output, memory, 64)) !== 64) failed('write', -1);
    if ((yield* p.read(input, memory, 64)) !== 64) failed('read', -1);
  });
}

/** CPUs that go idle and come back, each at its own moments. */
function wakingCpus(size: number): Load {
  return onCpus(size, function* (p) {
    yield* p.compute(2000 + 7 * p.context.cpu.id);
    yield* p.sleep(Time.us);
  });
}

/** So many threads, half of them on each of two CPUs, which do `body` over and over. */
function threads(size: number, body: (p: Program) => Body): Load {
  const work = new Work({ profile: SMALL }, size);
  const { now, costs } = work.machine.platform;
  const { tscPerNs } = costs;
  const begin = now / tscPerNs + 20 * Time.s;
  for (let cpu = 0; cpu < 2; cpu++) {
    const main = function* (p: Program): Body {
      done('sched_setaffinity', yield* p.setAffinity([cpu]));
      for (let i = cpu; i < size; i += 2) {
        const thread = function* (q: Program): Body {
          // All at once: a thread that makes others has no more of the CPU than each of those that are at work.
          work.missing--;
          yield* q.sleep(begin - q.rdtsc() / tscPerNs);
          for (;;) {
            yield* body(q);
            work.operations++;
          }
        };
        done('clone', yield* p.clone(thread));
      }
      for (;;) yield* p.sleep(1000 * Time.s);
    };
    work.machine.spawn(executable('threads', main), cpu);
  }
  return work;
}

function runnable(size: number): Load {
  return threads(size, function* (p) {
    yield* p.compute(1000);
    yield* p.schedYield();
  });
}

function sleeping(size: number): Load {
  return threads(size, function* (p) {
    yield* p.compute(1000);
    // The same work at any size: the more there are, the longer each sleeps.
    yield* p.sleep(size * 2 * Time.us);
  });
}

/** So many eventfds in an epoll set, one after the other of which is written to, waited for, and read. */
function descriptors(size: number): Load {
  const work = new Work({ profile: SMALL, nofile: size + 16 }, 1);
  const main = function* (p: Program): Body {
    const epfd = done('epoll_create1', yield* p.epollCreate());
    const memory = yield* p.allocate(8192);
    const events = memory + 4096;
    const fds: number[] = [];
    for (let i = 0; i < size; i++) {
      const fd = done('eventfd', yield* p.eventfd());
      done('epoll_ctl', yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN));
      fds.push(fd);
    }
    yield* p.store64(memory, 1);
    work.missing--;
    for (let i = 0; ; i = (i + 7) % size) {
      const fd = fds[i] as number;
      if ((yield* p.write(fd, memory, 8)) !== 8) failed('write', -1);
      if ((yield* p.epollWait(epfd, events, 16, -1)) !== 1) failed('epoll_wait', 0);
      if ((yield* p.read(fd, memory, 8)) !== 8) failed('read', -1);
      work.operations++;
    }
  };
  work.machine.spawn(executable('epoll', main), 0);
  return work;
}

/** So many processes asleep, while one more forks children that end at once. */
function processes(size: number): Load {
  const work = new Work({ profile: SMALL }, size + 1);
  const sleeper = function* (p: Program): Body {
    work.missing--;
    for (;;) yield* p.sleep(1e6 * Time.s);
  };
  const image = executable('sleeper', sleeper);
  for (let i = 0; i < size; i++) work.machine.spawn(image, i % 2);
  const main = function* (p: Program): Body {
    yield* p.sleep(Time.s);
    work.missing--;
    for (;;) {
      const child = yield* p.fork(function* () {});
      if ((yield* p.wait(child)) !== child) failed('wait4', child);
      work.operations++;
    }
  };
  work.machine.spawn(executable('parent', main), 2);
  return work;
}

/** Messages of so many bytes through a stream socket to a process on another CPU, which says when it has one. */
function messages(size: number): Load {
  const work = new Work({ profile: SMALL }, 1);
  const main = function* (p: Program): Body {
    const fd = done('socketpair', yield* p.socketpair(SocketType.STREAM));
    const far = p.second;
    const buffer = yield* p.allocate(Math.max(4096, size));
    yield* p.memset(buffer, 1, size);
    const child = function* (q: Program): Body {
      yield* q.setAffinity([1]);
      for (;;) {
        for (let got = 0; got < size; ) got += done('read', yield* q.read(far, buffer, size - got));
        if ((yield* q.write(far, buffer, 1)) !== 1) failed('write', -1);
      }
    };
    done('fork', yield* p.fork(child));
    work.missing--;
    for (;;) {
      for (let sent = 0; sent < size; ) sent += done('write', yield* p.write(fd, buffer, size - sent));
      if ((yield* p.read(fd, buffer, 1)) !== 1) failed('read', -1);
      work.operations++;
    }
  };
  work.machine.spawn(executable('messages', main), 0);
  return work;
}

const SOCKET = '/tmp/growth.sock';
const EVENTS = Poll.IN | Poll.RDHUP | Epoll.ET | EPOLLRPALIN;

/** A server that takes words from `clients` connections, and as many clients, which do `main` once they can call it. */
function rpalServer(
  work: Work,
  clients: number,
  main: (p: Program, lib: LibRpal, call: (q: Program, its: LibRpal, words: number) => Body) => Body,
): void {
  const server = function* (p: Program): Body {
    yield* p.setAffinity([0]);
    const listener = done('socket', yield* p.socket(SocketType.STREAM));
    done('bind', yield* p.bind(listener, SOCKET));
    done('listen', yield* p.listen(listener, clients));
    const lib = librpal(p);
    done('rpal_init', yield* lib.init(1));
    const epfd = done('epoll_create1', yield* p.epollCreate());
    const buffer = yield* p.allocate(8192);
    for (let i = 0; i < clients; i++) {
      const fd = done('accept', yield* p.accept(listener));
      yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, EVENTS);
      yield* welcome(p, lib, fd);
    }
    for (;;) {
      const count = done('rpal_epoll_wait', yield* lib.epollWait(epfd, buffer, 16, -1));
      for (let i = 0; i < count; i++) {
        const fd = yield* p.load32(buffer + i * EPOLL_EVENT_SIZE + 4);
        if (((yield* p.load32(buffer + i * EPOLL_EVENT_SIZE)) & EPOLLRPALIN) === 0) continue;
        // An event may stand for the words of several calls.
        while ((yield* lib.readPtrs(fd, buffer + 4096, QUEUE_WORDS)) === QUEUE_WORDS);
      }
    }
  };
  work.machine.spawn(rpalExecutable('server', server), 0);
  for (let i = 0; i < clients; i++) {
    const client = function* (p: Program): Body {
      yield* p.setAffinity([1]);
      yield* p.sleep(Time.ms);
      const fd = done('socket', yield* p.socket(SocketType.STREAM));
      done('connect', yield* p.connect(fd, SOCKET));
      const lib = librpal(p);
      done('rpal_init', yield* lib.init(1));
      const serviceId = done('the handshake', yield* introduce(p, lib, fd));
      const far = yield* findReceiver(p, lib, serviceId, fd, 100_000);
      if (far === null) return failed('rpal_uds_fdmap', -1);
      yield* main(p, lib, function* (q, its, words) {
        for (;;) {
          const written = yield* its.writePtrs(serviceId, far, words, 1);
          if (written === 1) break;
          if (written !== -RpalError.QUEUE_PUT_FAILED) failed('rpal_write_ptrs', written);
          yield* q.sleep(5 * Time.us);
        }
        work.operations++;
      });
    };
    work.machine.spawn(rpalExecutable('client', client), 1);
  }
}

/** So many services, of which two work together. */
function services(size: number): Load {
  const work = new Work({ profile: SMALL, plugins: [rpal()] }, 1 + size);
  rpalServer(work, 1, function* (p, lib, call) {
    const words = yield* p.allocate(4096);
    yield* p.store64(words, 1);
    work.missing--;
    for (;;) yield* call(p, lib, words);
  });
  const idle = function* (p: Program): Body {
    done('rpal_init', yield* librpal(p).init(1));
    work.missing--;
    for (;;) yield* p.sleep(1e6 * Time.s);
  };
  const image = rpalExecutable('idle', idle);
  for (let i = 0; i < size; i++) work.machine.spawn(image, 2);
  return work;
}

/** How many of a process's threads may call: the library's area for them has no room for more than some 200. */
const SENDERS_EACH = 125;

/** So many threads that call one receiver in turn, in as many processes as they need. */
function senders(size: number): Load {
  const work = new Work({ profile: SMALL, plugins: [rpal()] }, size);
  const clients = Math.ceil(size / SENDERS_EACH);
  rpalServer(work, clients, function* (p, lib, call) {
    const main = function* (q: Program): Body {
      const own = librpal(q);
      if (!own.isSender) done('rpal_sender_init', yield* own.senderInit());
      const words = yield* q.allocate(4096);
      yield* q.store64(words, 1);
      work.missing--;
      // A batch task is not preempted by one that wakes up: the receiver's lock is a spin lock, and hundreds would spin for one who
      // was preempted while it had it.
      done('sched_setscheduler', yield* q.setScheduler(0, SchedPolicy.BATCH));
      // One after the other, as on a machine that has been at work for a while.
      yield* q.sleep(work.missing * 20 * Time.us);
      for (;;) {
        yield* call(q, own, words);
        yield* q.sleep(size * 20 * Time.us);
      }
    };
    yield* lib.senderExit();
    for (let i = 0; i < size / clients; i++) done('clone', yield* p.clone(main));
    for (;;) yield* p.sleep(1e6 * Time.s);
  });
  return work;
}

const KIB = 1024;

/** Everything whose growth is measured. */
export const growthLines: readonly GrowthLine[] = [
  { name: 'busy CPUs', operation: 'write to a pipe, read from it', sizes: [2, 16, 64, 256], law: CACHES, build: busyCpus },
  { name: 'CPUs that sleep and wake', operation: 'compute, sleep', sizes: [2, 16, 64, 256], law: LOGARITHM, build: wakingCpus },
  {
    name: 'runnable tasks',
    operation: 'compute, sched_yield',
    sizes: [10, 1000, 100_000],
    law: LOGARITHM,
    memory: 4 * KIB,
    build: runnable,
  },
  {
    name: 'sleeping tasks',
    operation: 'compute, sleep',
    sizes: [10, 1000, 100_000],
    law: LOGARITHM,
    memory: 4 * KIB,
    build: sleeping,
  },
  {
    name: 'descriptors in an epoll set',
    operation: 'write, epoll_wait, read',
    sizes: [1, 100, 100_000],
    law: CACHES,
    memory: 2 * KIB,
    build: descriptors,
  },
  {
    name: 'processes',
    operation: 'fork, exit, wait',
    sizes: [10, 1000, 10_000],
    law: FLAT,
    memory: 32 * KIB,
    build: processes,
  },
  {
    name: 'bytes of a message',
    operation: 'write, read, answer',
    sizes: [32, KIB, 16 * KIB, 128 * KIB, KIB * KIB],
    law: {
      name: '1 + n / 8 KiB',
      weight: (size) => 1 + size / (8 * KIB),
      why: 'bytes are copied, and each of their lines moves to the other CPU and back; the rest costs as much as 8 KiB do',
    },
    build: messages,
  },
  {
    name: 'RPAL services',
    operation: 'a call between two of them',
    sizes: [1, 50, 200],
    law: FLAT,
    // A process, and 18 frames: areas for senders and receivers (9, patch 35), tables of three parts of the address space, data, stacks.
    memory: 40 * KIB + 18 * PAGE_SIZE,
    build: services,
  },
  {
    name: 'RPAL senders',
    operation: 'a call, sleep',
    sizes: [1, 100, 1000],
    law: CACHES,
    // A task, the page that its words are in, and what the library keeps of it.
    memory: 4 * KIB + PAGE_SIZE + 4 * KIB,
    build: senders,
  },
];
