import { definePlugin, type Plugin } from '@rpal/bus';
import { byFork, type Endpoint, type Ends, lookAgain, type Mechanism, type Meeting, type Routine } from '@rpal/compare';
import { type Cpu, defineSteps } from '@rpal/hw-x86';
import { done, type Program, type SyscallHandler, type Thread } from '@rpal/kernel';
import { TaskState } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { begin, Pending } from '@rpal/vfs';
import manifest from '../package.json' with { type: 'json' };

/** Beyond the numbers of Linux and of other plugins. */
const PCT = 1130;

/** Bytes that fit the registers of a transfer. */
const MOST = 64;

/** What the call does beside Linux's entry and its switch of tasks. */
const PctStep = defineSteps('@rpal/exokernel/linux', {
  pct: {
    cause: 'switch',
    mode: 'kernel',
    instructions: [30, 45, 70],
    status: 'estimated',
    source: 'the callee found, seen to wait at its entry, eight registers to its saved ones: estimated',
  },
});

/** What is in the registers that stay through a transfer: arguments of system calls are numbers, which do not hold 64 bits. */
const registers: WeakMap<Thread, Uint8Array> = new WeakMap();

/**
 * `pct(tid)`: the registers and the CPU go to a thread that waits in this call, and the caller waits in its turn, until somebody transfers to it.
 * Tid 0 waits without a transfer; a negative one wakes its thread and goes on.
 */
const pctCall: () => Plugin = definePlugin({
  name: '@rpal/exokernel/linux',
  version: manifest.version,
  setup({ plugin, syscalls, machine }) {
    const { scheduler, processes } = machine.kernel;
    const waiting = new Set<Thread>();
    const handler: SyscallHandler = (cpu, thread, { a0: tid }) => {
      cpu.charge(PctStep.pct);
      if (tid !== 0) {
        const target = processes.thread(Math.abs(tid));
        if (target === undefined) return -Errno.ESRCH;
        if (!waiting.delete(target)) return -Errno.EAGAIN;
        const refused = scheduler.switchTo(cpu, target);
        if (refused < 0) return refused;
        registers.set(target, registers.get(thread) ?? new Uint8Array());
        if (tid < 0) return 0;
      }
      waiting.add(thread);
      return begin(cpu, thread, {
        step(on: Cpu) {
          if (!waiting.has(thread)) return 0;
          if (thread.signalPending) return waiting.delete(thread) ? -Errno.ERESTARTSYS : 0;
          thread.prepareToSleep(on, TaskState.INTERRUPTIBLE, { describe: () => 'pct' });
          return Pending.SLEEP;
        },
      });
    };
    syscalls.define(PCT, handler, { name: 'pct', plugin, signature: 'tid*' });
  },
});

/** Both sides' thread ids, known once each has begun. */
interface Own {
  readonly tids: number[];
  readonly self: 0 | 1;
}

function* open(p: Program): Routine<Ends<Own>> {
  const tids = [done('gettid', yield* p.gettid())];
  return [
    { tids, self: 0 },
    { tids, self: 1 },
  ];
}

function* endpoint(p: Program, { tids, self }: Own, meeting: Meeting): Routine<Endpoint> {
  tids[self] = done('gettid', yield* p.gettid());
  while (tids[1 - self] === undefined) yield* lookAgain(p, meeting);
  const other = tids[1 - self] as number;
  /** A transfer has come back with the CPU, and nobody has looked at it. */
  let come = false;
  return {
    *send(address, length) {
      const words = new Uint8Array(length);
      yield* p.loadBytes(address, words);
      registers.set(p.context.thread, words);
      let result = yield* p.syscall(PCT, other);
      for (; result === -Errno.EAGAIN; result = yield* p.syscall(PCT, other)) yield* p.schedYield();
      done('pct', result);
      come = true;
    },
    *receive(address, length) {
      if (!come) done('pct', yield* p.syscall(PCT, 0));
      come = false;
      yield* p.storeBytes(address, (registers.get(p.context.thread) as Uint8Array).subarray(0, length));
      return address;
    },
    *close() {
      const result = yield* p.syscall(PCT, -other);
      // It may have ended, or not wait.
      if (result !== -Errno.ESRCH && result !== -Errno.EAGAIN) done('pct', result);
    },
  };
}

/** Protected control transfer between two processes of Linux on one CPU. @public for comparisons of your own */
export const pct: Mechanism = {
  name: 'pct',
  title: 'eight registers and the CPU, to a process that waits to be entered (Aegis)',
  copies: 2,
  sizes: [1, MOST],
  waits: ['sleep'],
  streams: false,
  oneCpu: true,
  plugins: () => [pctCall()],
  start: byFork(open, endpoint),
};
