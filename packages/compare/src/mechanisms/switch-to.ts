import { definePlugin, type Plugin } from '@rpal/bus';
import { done, type Program, type SyscallHandler, type Thread } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
import manifest from '../../package.json' with { type: 'json' };
import type { Endpoint, Mechanism, Meeting, Routine } from '../mechanism/mechanism.js';
import { byFork, type Ends } from '../mechanism/related.js';
import { otherThread, type Threads, untilSwitchedTo } from '../mechanism/switching.js';
import { CompareStep } from '../steps.js';
import { mapRings, Ring, touchRings } from './ring.js';

/** Beyond the numbers of Linux, and of the tutorial's call of the same name. */
const SWITCH_TO = 1100;
/** Bits of `how`: a thread that does not wait yet finds later that it was meant; the caller goes on, and does not wait in its turn. */
const How = { REMEMBER: 1, GO_ON: 2 } as const;

/**
 * `switch_to(tid, how)` gives the CPU to a thread that waits in this call, and the caller waits in its turn: no run queue is asked who is
 * next. Google's SwitchTo of 2013 does that, and H. P. Anvin proposed it to the RFC's authors, together with shared memory.
 * Returns 0, -ESRCH, or what `Scheduler.switchTo` refuses with.
 */
const switchTo: () => Plugin = definePlugin({
  name: '@rpal/compare/switch-to',
  version: manifest.version,
  setup({ plugin, syscalls, machine }) {
    const { scheduler, processes } = machine.kernel;
    const waiting = new Set<Thread>();
    /** Threads that were switched to before they waited. */
    const remembered = new Set<Thread>();
    const handler: SyscallHandler = (cpu, thread, { a0: tid, a1: how }) => {
      cpu.charge(CompareStep.switchTo);
      const target = processes.thread(tid);
      if (target === undefined) return -Errno.ESRCH;
      if (waiting.delete(target)) {
        const refused = scheduler.switchTo(cpu, target);
        if (refused < 0) return refused;
      } else if ((how & How.REMEMBER) !== 0) {
        remembered.add(target);
      }
      if ((how & How.GO_ON) !== 0 || remembered.delete(thread)) return 0;
      return untilSwitchedTo(cpu, thread, waiting, 'switch_to');
    };
    syscalls.define(SWITCH_TO, handler, { name: 'switch_to', plugin, signature: 'tid how*' });
  },
});

/** The rings of one side, and the threads of both. */
interface Own extends Threads {
  readonly from: number;
  readonly to: number;
}

function* open(p: Program, meeting: Meeting): Routine<Ends<Own>> {
  const [there, back] = yield* mapRings(p, meeting);
  const tids: number[] = [];
  return [
    { from: back, to: there, tids, self: 0 },
    { from: there, to: back, tids, self: 1 },
  ];
}

function* endpoint(p: Program, own: Own, meeting: Meeting): Routine<Endpoint> {
  const { from, to } = own;
  const other = yield* otherThread(p, own, meeting);
  yield* touchRings(p, [from, to], meeting.size);
  const out = new Ring(p, to, meeting.size);
  const into = new Ring(p, from, meeting.size);
  function* toOther(how: number): Routine {
    done('switch_to', yield* p.syscall(SWITCH_TO, other, how));
  }
  return {
    *send(address, length) {
      while (!(yield* out.hasRoom())) yield* toOther(0);
      yield* out.write(address, length);
      yield* toOther(How.REMEMBER);
    },
    *receive(address, length) {
      // The other side need not remember this: if it does not wait, it is about to send.
      while (!(yield* into.hasMessage())) yield* toOther(0);
      yield* into.read(address, length);
      return address;
    },
    *close() {
      const result = yield* p.syscall(SWITCH_TO, other, How.GO_ON | How.REMEMBER);
      // It may have ended.
      if (result !== -Errno.ESRCH) done('switch_to', result);
    },
  };
}

/** Shared memory, and a system call that switches straight to the other side. */
export const bySwitchTo: Mechanism = {
  name: 'switch-to',
  title: 'a ring in shared memory, and a call that switches to the other side',
  copies: 2,
  sizes: [1, 1024 * 1024],
  waits: ['sleep'],
  streams: true,
  oneCpu: true,
  plugins: () => [switchTo()],
  start: byFork(open, endpoint),
};
