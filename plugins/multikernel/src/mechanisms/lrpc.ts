import { definePlugin, type Plugin } from '@rpal/bus';
import { byFork, type Endpoint, type Ends, lookAgain, type Mechanism, type Meeting } from '@rpal/compare';
import { type Cpu, defineSteps } from '@rpal/hw-x86';
import { done, type Program, type SyscallHandler, type Thread } from '@rpal/kernel';
import { TaskState } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { begin, Pending } from '@rpal/vfs';
import manifest from '../../package.json' with { type: 'json' };
import type { Routine } from '../urpc/words.js';

/** Beyond the numbers of Linux and of other plugins: `lrpc_send(tid)` and `lrpc_receive()`, with the message in registers. */
const SEND = 1120;
const RECEIVE = 1121;

/** Bytes of a message: five registers. */
const MOST = 40;

/** What the two calls do beside Linux's entry and its switch of tasks. */
export const LrpcStep = defineSteps('@rpal/multikernel/linux', {
  lrpcHandOver: {
    cause: 'socket',
    instructions: [60, 100, 160],
    status: 'estimated',
    source: 'the receiver found and checked, five registers to its saved ones: estimated',
  },
  lrpcPickUp: {
    cause: 'socket',
    instructions: [20, 40, 60],
    status: 'estimated',
    source: 'the call returns with registers that are there already: estimated',
  },
});

/** What is in the registers that carry messages: arguments of system calls are numbers, which do not hold 64 bits. */
const registers: WeakMap<Thread, Uint8Array> = new WeakMap();

/**
 * LRPC in Linux: the kernel hands a message of a few registers, and the CPU, to a thread that waits for one. Who has sent goes on when its turn
 * comes. A thread has room for one message; who sends another one is told to try again.
 */
const lrpcCalls: () => Plugin = definePlugin({
  name: '@rpal/multikernel/linux',
  version: manifest.version,
  setup({ plugin, syscalls, machine }) {
    const { scheduler, processes } = machine.kernel;
    const waiting = new Set<Thread>();
    const inboxes = new Map<Thread, Uint8Array>();
    const send: SyscallHandler = (cpu, thread, { a0: tid }) => {
      cpu.charge(LrpcStep.lrpcHandOver);
      const target = processes.thread(tid);
      if (target === undefined) return -Errno.ESRCH;
      if (inboxes.has(target)) return -Errno.EAGAIN;
      inboxes.set(target, registers.get(thread) as Uint8Array);
      return waiting.delete(target) ? scheduler.switchTo(cpu, target) : 0;
    };
    const receive: SyscallHandler = (cpu, thread) =>
      begin(cpu, thread, {
        step(on: Cpu) {
          const message = inboxes.get(thread);
          if (message !== undefined) {
            inboxes.delete(thread);
            registers.set(thread, message);
            on.charge(LrpcStep.lrpcPickUp);
            return 0;
          }
          if (thread.signalPending) return -Errno.ERESTARTSYS;
          waiting.add(thread);
          thread.prepareToSleep(on, TaskState.INTERRUPTIBLE, { describe: () => 'lrpc_receive' });
          return Pending.SLEEP;
        },
      });
    syscalls.define(SEND, send, { name: 'lrpc_send', plugin, signature: 'tid' });
    syscalls.define(RECEIVE, receive, { name: 'lrpc_receive', plugin });
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
  return {
    *send(address, length) {
      const words = new Uint8Array(length);
      yield* p.loadBytes(address, words);
      registers.set(p.context.thread, words);
      let result = 0;
      do {
        result = yield* p.syscall(SEND, other);
        if (result === -Errno.EAGAIN) yield* p.schedYield();
      } while (result === -Errno.EAGAIN);
      done('lrpc_send', result);
    },
    *receive(address, length) {
      done('lrpc_receive', yield* p.syscall(RECEIVE));
      yield* p.storeBytes(address, (registers.get(p.context.thread) as Uint8Array).subarray(0, length));
      return address;
    },
  };
}

/** LRPC between two processes of Linux on one CPU. */
export const lrpc: Mechanism = {
  name: 'lrpc',
  title: 'a message in registers, and the CPU with it, to who waits (LRPC)',
  copies: 2,
  sizes: [1, MOST],
  waits: ['sleep'],
  streams: true,
  oneCpu: true,
  plugins: () => [lrpcCalls()],
  start: byFork(open, endpoint),
};
