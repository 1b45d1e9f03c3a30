import { GIB } from '@rpal/hw-x86';
import { type Program, SyscallNumber } from '@rpal/kernel';
import { type LibRpal, librpal, rpalExecutable } from '@rpal/librpal';
import { posix } from '@rpal/posix';
import { callState, Rcc, ReceiverState, RPAL_EP_POLL_MAGIC, RPAL_KERNEL_PENDING, RpalIoctl } from '@rpal/rpal-core';
import { SchedPolicy } from '@rpal/sched';
import { tmpfs } from '@rpal/tmpfs';
import { Epoll, LinuxCall, OpenFlag, Poll, Prctl, Rlimit, SchedCore, Signal, utf8 } from '@rpal/uapi';
import { alone, couple, type Defect, defect, entering, firstCall, untilHungUp } from './defect.js';
import { type CallerEnd, type Subprogram, send } from './roles.js';
import type { Stage } from './scenario.js';

/** An address in the direct mapping of Linux's kernel, as 64-bit numbers come that have their highest bit set. */
const KERNEL_ADDRESS = -0x7780_0000_0000;

/** A receiver that does without the library: its call context, and an epoll with an eventfd in it. */
interface BareReceiver {
  readonly page: number;
  readonly fd: number;
  readonly epfd: number;
  readonly memory: number;
}

function* bareReceiver(p: Program, { process }: LibRpal, events: number = Poll.IN): Subprogram<BareReceiver> {
  const page = yield* p.mmap(0, 4096, 3, 1, process.rpalFd);
  const fd = yield* p.eventfd();
  const epfd = yield* p.epollCreate();
  yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, events);
  const memory = yield* p.allocate(4096);
  yield* p.store64(memory, 1);
  yield* p.ioctl(process.rpalFd, RpalIoctl.REGISTER_RECEIVER, page);
  yield* p.store32(page + Rcc.epPollMagic, RPAL_EP_POLL_MAGIC);
  yield* p.store64(page + Rcc.events, memory + 64);
  yield* p.store32(page + Rcc.maxevents, 8);
  return { page, fd, epfd, memory };
}

const CGROUPS = '/sys/fs/cgroup';

/** `echo -n TEXT > PATH`. */
function* echo(p: Program, text: string, path: string): Subprogram {
  const at = yield* p.allocate(4096);
  yield* p.storeBytes(at, utf8(text));
  const fd = yield* p.open(path, OpenFlag.WRONLY);
  yield* p.write(fd, at, text.length);
  yield* p.close(fd);
}

/** A thread of the process on CPU 1, which meets. */
function* rival(p: Program, stage: Stage, body: (q: Program) => Subprogram): Subprogram {
  yield* p.clone(function* (q) {
    yield* q.setAffinity([1]);
    yield* q.sleep(2e6);
    yield* stage.meet(q);
    yield* body(q);
    stage.leave(q);
  });
}

/** One service on CPU 0. Who meets is another thread of it. */
function attacked(body: (p: Program, lib: LibRpal, stage: Stage) => Subprogram) {
  return (stage: Stage): void => {
    stage.expect(1);
    stage.spawn('service', 0, function* (p) {
      const lib = librpal(p);
      yield* lib.init(1);
      yield* body(p, lib, stage);
    });
  };
}

/** A caller that sends one word, and stays a while. */
function* callOnce(end: CallerEnd, stage: Stage): Subprogram {
  yield* end.p.sleep(2e6);
  yield* send(stage, end, 1);
  yield* end.p.sleep(5e6);
}

/** Situations of the defects of the kernel half that no other scenario has. */
export const kernelDefects: readonly Defect[] = [
  defect('balloon-failure-unchecked', 'a program limits its address space (ulimit -v) and executes an RPAL binary', (stage) => {
    // Refused, exec has nowhere to return to.
    stage.mayDie.add('service');
    alone(function* (p) {
      yield* stage.meet(p);
      yield* p.prlimit(Rlimit.AS, GIB);
      yield* p.exec(rpalExecutable('service', function* () {}));
      return null;
    })(stage);
  }),
  defect(
    'foreign-bits-hang',
    'a thread sets a bit above the state in the word of a sleeping receiver, and wakes it',
    attacked(function* (p, lib, stage) {
      const { page, memory } = yield* bareReceiver(p, lib);
      const output = yield* p.pipe();
      const input = p.second;
      yield* rival(p, stage, function* (q) {
        yield* q.store32(page + Rcc.receiverState, ReceiverState.WAIT | 0x100);
        yield* q.write(input, memory, 1);
      });
      yield* p.read(output, memory, 1);
    }),
  ),
  defect(
    'refused-wake-up-consumed',
    'an event comes for an epoll on which a receiver that is being called waits, and behind it another thread',
    attacked(function* (p, lib, stage) {
      const { page, fd, epfd, memory } = yield* bareReceiver(p, lib, Poll.IN | Epoll.ET);
      let counted = -1;
      yield* p.clone(function* (q) {
        yield* q.setAffinity([2]);
        counted = yield* q.epollWait(epfd, memory + 1024, 1, 10);
      });
      yield* rival(p, stage, function* (q) {
        yield* q.store32(page + Rcc.receiverState, callState(3, 7));
        yield* q.write(fd, memory, 8);
        yield* q.store32(page + Rcc.receiverState, ReceiverState.WAIT);
      });
      yield* p.sleep(1e6);
      yield* p.epollWait(epfd, memory + 64, 8, 20);
      while (counted < 0) yield* p.sleep(1e6);
      if (counted === 0) stage.wrong = 'the other thread slept on until its time was up';
    }),
    { cpus: 3 },
  ),
  defect(
    'refused-wake-up-succeeds',
    'a byte comes for a receiver while it is being called',
    (stage) => {
      let inCall = false;
      let posted = false;
      couple(
        function* (end) {
          const { p, lib } = end;
          yield* firstCall(end);
          inCall = true;
          while (!posted) yield* p.compute(500);
          const pending = yield* p.load32(lib.process.receiverContexts + Rcc.epPending);
          if ((pending & RPAL_KERNEL_PENDING) === 0) stage.wrong = 'nothing tells the receiver of the event before a tick';
          yield* untilHungUp(end);
        },
        function* (end) {
          const { p, fd, words } = end;
          yield* p.clone(function* (q) {
            yield* q.setAffinity([2]);
            while (!inCall) yield* q.sleep(1e5);
            yield* stage.meet(q);
            yield* q.write(fd, words, 1);
            stage.leave(q);
            posted = true;
          });
          yield* p.sleep(2e6);
          yield* send(stage, end, 1);
        },
      )(stage);
    },
    { cpus: 3, inSomeOrders: true },
  ),
  defect(
    'fork-keeps-cpu-count',
    'a receiver that may run on two CPUs forks within a call, which ties it to a third; one of the two is busy',
    (stage) => {
      const woken = new Set<number>();
      let over = false;
      couple(
        function* (end) {
          const { p } = end;
          yield* p.setAffinity([1, 2]);
          yield* firstCall(end);
          yield* p.getpid();
          yield* stage.meet(p);
          yield* p.fork(function* (q) {
            for (let i = 0; i < 4; i++) {
              yield* q.sleep(1e6);
              woken.add(q.context.cpu.id);
            }
            over = true;
          });
          stage.leave(p);
          yield* untilHungUp(end);
        },
        function* (end) {
          const { p } = end;
          yield* p.fork(function* (q) {
            yield* q.setAffinity([1]);
            while (!over) yield* q.compute(10_000);
          });
          yield* p.sleep(2e6);
          yield* send(stage, end, 1);
          while (!over) yield* p.sleep(1e6);
          if (!woken.has(2)) stage.wrong = `the child wakes up on CPU ${[...woken].join(', ')} each time, which is busy`;
        },
      )(stage);
    },
    { cpus: 3 },
  ),
  defect(
    'cpu-lock-nests',
    'a receiver sleeps in a call that its caller cannot end yet; another sender enters the kernel with its FS base',
    nestedLock,
    { cpus: 4 },
  ),
  defect(
    'quota-rechecked',
    "a caller has used its control group's quota up, and nothing else is runnable when its callee makes a system call",
    couple(
      function* (end) {
        yield* firstCall(end);
        yield* end.p.getpid();
        yield* untilHungUp(end);
      },
      function* (end, stage) {
        const { p } = end;
        yield* echo(p, '+cpu', `${CGROUPS}/cgroup.subtree_control`);
        yield* p.mkdir(`${CGROUPS}/limited`, 0o755);
        yield* echo(p, '1000 100000', `${CGROUPS}/limited/cpu.max`);
        yield* echo(p, '0', `${CGROUPS}/limited/cgroup.procs`);
        yield* p.sleep(200e6);
        yield* p.compute(5e6);
        yield* stage.meet(p);
        yield* send(stage, end, 1);
        stage.leave(p);
      },
    ),
    { plugins: [tmpfs()] },
  ),
  defect(
    'core-pick-unchecked',
    'a sender enters the kernel with the FS base of a real-time receiver that has a cookie of core scheduling',
    // Put right it is fair-class-unchecked: a BUG.
    entering(function* (p) {
      yield* p.syscall(LinuxCall.prctl, Prctl.SCHED_CORE, SchedCore.CREATE);
      yield* p.setScheduler(0, SchedPolicy.FIFO, 1);
      yield* p.sleep(50e6);
    }),
    { endsInBug: true, cpus: 4, threadsPerCore: 2, plugins: [posix()] },
  ),
  defect(
    'fs-base-of-register-cleared',
    'a receiver unregisters with another FS base in the register; then a sender enters the kernel with its own',
    entering(function* (p, lib) {
      const own = p.rdfsbase();
      p.wrfsbase(own + 64);
      yield* p.ioctl(lib.process.rpalFd, RpalIoctl.UNREGISTER_RECEIVER, 0);
      p.wrfsbase(own);
      yield* p.sleep(50e6);
    }),
  ),
  defect(
    'wake-up-cpu-uninitialised',
    'a sender enters the kernel with the FS base of a receiver that is stopped',
    entering(function* (p) {
      const pid = yield* p.getpid();
      yield* p.sleep(1e6);
      yield* p.kill(pid, Signal.STOP);
    }),
  ),
  defect(
    'compat-entries-unhooked',
    "code of a receiver makes a system call by a 32-bit entry, on its caller's CPU",
    entering(
      function* (p) {
        yield* p.sleep(50e6);
      },
      {
        asks: (p) => p.compatSyscall(SyscallNumber.getpid),
        asSender: 'the call is made as the sender',
      },
    ),
  ),
  defect(
    'ret-section-needs-sender',
    'a receiver has made its record anew within a call, and an NMI comes at any moment of its return',
    couple(
      function* (end, stage) {
        const { p, lib } = end;
        yield* firstCall(end);
        yield* p.getpid();
        const { rpalFd, receiverContexts } = lib.process;
        yield* p.ioctl(rpalFd, RpalIoctl.UNREGISTER_RECEIVER, 0);
        yield* p.ioctl(rpalFd, RpalIoctl.REGISTER_RECEIVER, receiverContexts);
        yield* stage.meet(p);
        yield* untilHungUp(end);
      },
      function* (end, stage) {
        yield* end.p.sleep(2e6);
        yield* send(stage, end, 1);
        stage.leave();
      },
    ),
    { nmis: 1, inSomeOrders: true, behind: 'receiver-ends-before-return' },
  ),
  defect(
    'wait-arguments-unchecked',
    'a receiver waits, with a kernel address for its events in the call context',
    alone(function* (p, lib, stage) {
      yield* lib.init(1);
      const { page, fd, epfd, memory } = yield* bareReceiver(p, lib);
      yield* p.write(fd, memory, 8);
      yield* p.store64(page + Rcc.events, KERNEL_ADDRESS);
      yield* stage.meet(p);
      const result = yield* p.epollWait(epfd, memory, 8, -1);
      return result < 0 ? null : `${result} events were stored`;
    }),
  ),
  defect(
    'timeout-reread',
    'a thread takes the timeout of a wait back in memory; the receiver is called meanwhile, and waits anew without one',
    couple(
      function* (end, stage) {
        const { p, lib, epfd, memory } = end;
        yield* p.clone(function* (q) {
          yield* q.setAffinity([2]);
          yield* q.sleep(2e6);
          yield* q.store32(lib.process.receiverContexts + Rcc.timeout, -1);
        });
        yield* lib.epollWait(epfd, memory, 8, 15);
        yield* lib.readPtrs(end.fd, memory + 4096, 32);
        yield* p.getpid();
        yield* stage.meet(p);
        stage.leave(p);
        const count = yield* lib.epollWait(epfd, memory, 8, -1);
        if (count === 0) stage.wrong = 'a wait without a timeout ended by the timer of the one before';
        yield* p.exit(0);
      },
      function* (end, stage) {
        yield* end.p.sleep(4e6);
        yield* send(stage, end, 1);
        yield* end.p.sleep(30e6);
      },
    ),
    { cpus: 3 },
  ),
  defect(
    'fast-epoll-timer-uninitialised',
    'a receiver waits in a call, for a finite time, for the first time in its life',
    couple(function* (end, stage) {
      const { p, lib, epfd, memory } = end;
      yield* firstCall(end);
      yield* p.getpid();
      yield* stage.meet(p);
      yield* lib.epollWait(epfd, memory, 8, 2);
      stage.leave(p);
      yield* untilHungUp(end);
    }, callOnce),
  ),
  defect(
    'epoll-without-reference',
    'a receiver closes the epoll of its last wait in a call, and waits',
    couple(function* (end, stage) {
      const { p, lib, epfd, memory } = end;
      yield* firstCall(end);
      yield* p.getpid();
      yield* stage.meet(p);
      yield* p.close(epfd);
      yield* lib.epollWait(epfd, memory, 8, -1);
      stage.leave(p);
      yield* p.exit(0);
    }, callOnce),
  ),
  defect(
    'passed-deadline-spins',
    'a receiver waits for a tenth of a microsecond; an event comes later',
    alone(function* (p, lib, stage) {
      yield* lib.init(1);
      const { fd, epfd, memory } = yield* bareReceiver(p, lib);
      let waits = false;
      yield* p.clone(function* (q) {
        yield* q.setAffinity([1]);
        while (!waits) yield* q.sleep(2e4);
        yield* q.sleep(2e4);
        yield* q.write(fd, memory, 8);
      });
      yield* p.sleep(1e6);
      yield* stage.meet(p);
      waits = true;
      const count = yield* p.epollPwait2(epfd, memory + 64, 8, 100);
      return count === 0 ? null : 'the wait went on until the event came';
    }),
  ),
];

/** See `cpu-lock-nests`. CPU 0 has the caller, CPU 2 the other sender. */
function nestedLock(stage: Stage): void {
  let base = 0;
  let inCall = false;
  let allowed = 0;
  couple(
    function* (end) {
      const { p } = end;
      yield* p.setAffinity([0, 1, 2, 3]);
      allowed = p.context.thread.affinitySize;
      base = p.rdfsbase();
      yield* firstCall(end);
      yield* p.getpid();
      inCall = true;
      // The caller could go on by the kernel now, which would unlock both; but others are due on its CPU first.
      yield* p.sleep(20e6);
      const left = p.context.thread.affinitySize;
      if (left < allowed) stage.wrong = `of ${allowed} CPUs that the receiver may use ${left} is left`;
      // Who is on whose stack by now is another story: see lazy-switch-unchecked.
      stage.over = true;
    },
    function* (end) {
      const { p } = end;
      yield* p.setNice(0, 19);
      yield* p.fork(function* (q) {
        yield* q.setAffinity([0]);
        yield* q.setNice(0, -20);
        for (;;) yield* q.compute(10_000);
      });
      yield* p.compute(3e6);
      yield* p.clone(function* (q) {
        yield* q.setAffinity([2]);
        const sender = librpal(q);
        yield* sender.senderInit();
        while (!inCall) yield* q.sleep(1e5);
        yield* q.sleep(1e6);
        const own = q.rdfsbase();
        yield* stage.meet(q);
        q.wrfsbase(base);
        yield* q.getpid();
        q.wrfsbase(own);
        yield* q.getpid();
        stage.leave(q);
      });
      yield* p.sleep(2e6);
      yield* send(stage, end, 1);
    },
  )(stage);
}
