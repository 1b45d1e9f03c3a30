import { posix } from '@rpal/posix';
import { RPAL_PROC_FILE } from '@rpal/rpal-core';
import { MapFlag, OpenFlag, Prot } from '@rpal/uapi';
import { ExploreError } from '../errors.js';
import type { Defect } from './defect.js';
import { kernelDefects } from './kernel-defects.js';
import { libraryDefects } from './library-defects.js';
import { enteringAsReceiver, exitingInCall, offlineAgainstCall, registeringInCall, renamedInCall } from './misuse.js';
import { callers, computes, nothing, nothingLost, systemCall, yields } from './roles.js';
import type { Scenario } from './scenario.js';
import {
  callingTwo,
  enabling,
  forking,
  nobodyMistaken,
  releasing,
  returning,
  signalling,
  survivorsLoseNothing,
  unmapping,
  withKernelEvents,
  withKiller,
} from './situations.js';

export const scenarios: readonly Scenario[] = [
  {
    name: 'pure-call',
    about: 'a thread calls a receiver, which only computes; nobody else is there',
    cpus: 2,
    setUp: callers({ senders: 1, calls: 1, work: nothing, cpu: 1 }),
    verdict: nothingLost,
  },
  {
    name: 'one-call',
    about: 'a thread calls a receiver, which makes a system call, while the waker and the tick do their work',
    cpus: 2,
    setUp: callers({ senders: 1, calls: 1, work: systemCall, cpu: 1 }),
    verdict: nothingLost,
  },
  {
    name: 'tick-in-call',
    about: 'a tick comes at any moment of a single call',
    cpus: 2,
    ticks: 1,
    setUp: callers({ senders: 1, calls: 1, work: computes, cpu: 1 }),
    verdict: nothingLost,
  },
  {
    name: 'nmis-in-call',
    about: 'two NMIs come at any moments of a single call',
    cpus: 2,
    nmis: 2,
    setUp: callers({ senders: 1, calls: 1, work: nothing, cpu: 1 }),
    verdict: nothingLost,
  },
  {
    name: 'nmis-in-switched-call',
    about: 'two NMIs come at any moments of a single call, in which the receiver makes a system call',
    cpus: 2,
    nmis: 2,
    setUp: callers({ senders: 1, calls: 1, work: systemCall, cpu: 1 }),
    verdict: nothingLost,
  },
  {
    name: 'two-senders',
    about: 'two threads call the same receiver, which only computes',
    cpus: 3,
    setUp: callers({ senders: 2, calls: 2, work: nothing }),
    verdict: nothingLost,
  },
  {
    name: 'two-calls',
    about: 'two threads that have called before call the same receiver once each, and nobody enters the kernel',
    cpus: 3,
    rests: true,
    setUp: callers({ senders: 2, calls: 1, work: nothing, before: 1 }),
    verdict: nothingLost,
  },
  {
    name: 'call-with-syscall',
    about: 'two threads call a receiver that makes a system call each time',
    cpus: 3,
    setUp: callers({ senders: 2, calls: 2, work: systemCall }),
    verdict: nothingLost,
  },
  {
    name: 'call-against-wake-up',
    about: 'a thread calls a receiver while a kernel event for the receiver arrives on another CPU',
    cpus: 3,
    setUp: withKernelEvents(callers({ senders: 1, calls: 2, work: nothing, connections: 2 }), 1),
    verdict: nothingLost,
  },
  {
    name: 'syscall-against-wake-up',
    about: 'a receiver makes system calls within calls while a kernel event for it arrives on another CPU',
    cpus: 3,
    setUp: withKernelEvents(callers({ senders: 1, calls: 2, work: systemCall, connections: 2 }), 1),
    verdict: nothingLost,
  },
  {
    name: 'callee-overruns',
    about: 'a receiver yields the CPU within a call, so that its callers go on without it',
    cpus: 3,
    setUp: callers({ senders: 2, calls: 2, work: yields }),
    verdict: nothingLost,
  },
  {
    name: 'kernel-return-against-call',
    about: 'a caller comes back by the kernel while another calls the same receiver, which makes a system call',
    cpus: 3,
    setUp: callers({
      senders: 2,
      calls: 1,
      *work(p, word) {
        if (word < 100) yield* p.schedYield();
        else yield* p.getpid();
      },
    }),
    verdict: nothingLost,
  },
  {
    name: 'tick-at-each-step',
    about: 'ticks come at any moment of a call; another thread calls the same receiver',
    cpus: 3,
    ticks: 2,
    setUp: callers({ senders: 2, calls: 2, work: computes }),
    verdict: nothingLost,
  },
  {
    name: 'nmi-at-each-step',
    about: 'NMIs come at any moment of a call, also between the decision to return and the return',
    cpus: 3,
    nmis: 2,
    setUp: callers({ senders: 2, calls: 2, work: nothing }),
    verdict: nothingLost,
  },
  {
    name: 'return-interrupted',
    about: 'an NMI comes at any moment of a call in which the receiver has made a system call',
    cpus: 3,
    nmis: 1,
    setUp: callers({ senders: 1, calls: 1, work: systemCall }),
    verdict: nothingLost,
  },
  {
    name: 'parking-against-wake-up',
    about: 'a receiver is parked by the lazy switch back while a kernel event wakes it on its own CPU',
    cpus: 2,
    setUp: withKernelEvents(callers({ senders: 1, calls: 1, work: systemCall, connections: 2, cpu: 1, untouched: true }), 1),
    verdict: nothingLost,
  },
  {
    name: 'return-against-wake-up',
    about: 'a call has made a system call and is about to return; a kernel event wakes the receiver on its own CPU',
    cpus: 2,
    setUp: withKernelEvents(returning, 1),
    verdict: nothingLost,
  },
  {
    name: 'signal-against-wake-up',
    about: 'a kernel event wakes a receiver, and a signal comes for it when it is about to wait again',
    cpus: 3,
    setUp: withKernelEvents(signalling, 0),
    verdict: nothingLost,
  },
  {
    name: 'sender-dies',
    about: 'a caller is killed at any moment; another one calls the same receiver',
    cpus: 4,
    setUp: withKiller(callers({ senders: 2, calls: 2, work: systemCall, victims: ['caller-0'] }), 3, 'caller-0'),
    verdict: survivorsLoseNothing,
  },
  {
    name: 'receiver-dies',
    about: 'a receiver is killed at any moment of a call',
    cpus: 3,
    setUp: withKiller(callers({ senders: 1, calls: 2, work: systemCall }), 2, 'callee'),
    verdict: survivorsLoseNothing,
  },
  {
    name: 'sender-dies-in-call',
    about: 'a caller is killed at any moment of its only call',
    cpus: 3,
    rests: true,
    setUp: withKiller(callers({ senders: 1, calls: 1, work: nothing, victims: ['caller-0'], cpu: 1 }), 2, 'caller-0'),
    verdict: survivorsLoseNothing,
  },
  {
    name: 'receiver-dies-in-call',
    about: 'a receiver is killed at any moment of the only call to it, in which it makes a system call',
    cpus: 3,
    rests: true,
    setUp: withKiller(callers({ senders: 1, calls: 1, work: systemCall, cpu: 1 }), 2, 'callee'),
    verdict: survivorsLoseNothing,
  },
  {
    name: 'receiver-dies-in-pure-call',
    about: 'a receiver is killed at any moment of a call in which nobody enters the kernel',
    cpus: 3,
    rests: true,
    setUp: withKiller(callers({ senders: 1, calls: 1, work: nothing, cpu: 1, before: 1 }), 2, 'callee'),
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
    name: 'flush-against-call',
    about: 'a thread calls while another of its process unmaps memory: the flush interrupts the call at any moment',
    cpus: 3,
    setUp: unmapping,
    verdict: nothingLost,
  },
  {
    name: 'call-against-fork',
    about: 'a thread sends a byte and calls, while the receiver forks upon the byte, and takes what has been queued',
    cpus: 2,
    setUp: forking,
    verdict: nothingLost,
  },
  {
    name: 'two-callees',
    about: 'a thread calls two receivers in turn, which make system calls, while a kernel event for the first arrives',
    cpus: 3,
    setUp: withKernelEvents(callingTwo, 1),
    verdict: nobodyMistaken,
  },
  {
    name: 'enable-against-mmap',
    about: 'one thread enables the service while another maps memory and uses it',
    cpus: 2,
    rests: true,
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
    rests: true,
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
  {
    name: 'enable-against-shared-pages',
    about: 'one thread enables the service while another maps and unmaps shared pages',
    cpus: 2,
    rests: true,
    setUp: enabling(function* (p) {
      const fd = yield* p.open(RPAL_PROC_FILE, OpenFlag.RDWR);
      const page = yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED, fd);
      yield* p.munmap(page, 4096);
    }),
  },
  {
    name: 'registering-in-call',
    about: 'a receiver unregisters and registers anew within the only call to it, and an NMI comes at any moment',
    cpus: 2,
    nmis: 1,
    setUp: registeringInCall,
    verdict: nothingLost,
  },
  {
    name: 'exit-in-call',
    about: 'a receiver exits within the only call to it, for which the kernel has switched',
    cpus: 2,
    setUp: exitingInCall,
    verdict: survivorsLoseNothing,
  },
  {
    name: 'entry-against-registration',
    about: 'a thread registers as a receiver while another process enters the kernel with its FS base',
    cpus: 2,
    rests: true,
    setUp: enteringAsReceiver,
  },
  {
    name: 'offline-against-call',
    about: 'a thread calls a receiver that makes system calls, and the CPU of the call is taken offline',
    cpus: 4,
    plugins: [posix()],
    setUp: offlineAgainstCall,
    verdict: survivorsLoseNothing,
  },
  {
    name: 'renamed-in-call',
    about: "a thread calls a receiver that makes a system call, while another changes the caller's id in its record and back",
    cpus: 3,
    rests: true,
    setUp: renamedInCall,
    verdict: nothingLost,
  },
];

/** Situations of single defects, named after them. */
export const defects: readonly Defect[] = [...kernelDefects, ...libraryDefects];

export function scenarioNamed(name: string): Scenario {
  const every: readonly Scenario[] = [...scenarios, ...defects];
  const scenario = every.find((candidate) => candidate.name === name);
  if (scenario === undefined)
    throw new ExploreError('UNKNOWN_NAME', `scenario: "${name}" is not one of ${every.map((s) => s.name).join(', ')}`);
  return scenario;
}
