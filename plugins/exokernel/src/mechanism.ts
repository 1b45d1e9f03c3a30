import { definePlugin, type Plugin } from '@rpal/bus';
import {
  byFork,
  type Endpoint,
  type Mechanism,
  type Meeting,
  MessageRegisters,
  openThreads,
  otherThread,
  type Routine,
  type Threads,
  untilSwitchedTo,
} from '@rpal/compare';
import { defineSteps } from '@rpal/hw-x86';
import { done, type Program, type SyscallHandler, type Thread } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
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

/** Those that stay through a transfer. */
const registers = new MessageRegisters();

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
        registers.set(target, registers.of(thread));
        if (tid < 0) return 0;
      }
      return untilSwitchedTo(cpu, thread, waiting, 'pct');
    };
    syscalls.define(PCT, handler, { name: 'pct', plugin, signature: 'tid*' });
  },
});

function* endpoint(p: Program, own: Threads, meeting: Meeting): Routine<Endpoint> {
  const other = yield* otherThread(p, own, meeting);
  /** A transfer has come back with the CPU, and nobody has looked at it. */
  let come = false;
  return {
    *send(address, length) {
      yield* registers.load(p, address, length);
      let result = yield* p.syscall(PCT, other);
      for (; result === -Errno.EAGAIN; result = yield* p.syscall(PCT, other)) yield* p.schedYield();
      done('pct', result);
      come = true;
    },
    *receive(address, length) {
      if (!come) done('pct', yield* p.syscall(PCT, 0));
      come = false;
      yield* registers.store(p, address, length);
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
  start: byFork(openThreads, endpoint),
};
