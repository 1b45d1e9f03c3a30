import { definePlugin, type Plugin } from '@rpal/bus';
import {
  byFork,
  type Endpoint,
  type Mechanism,
  type Meeting,
  MessageRegisters,
  openThreads,
  otherThread,
  type Threads,
} from '@rpal/compare';
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

const registers = new MessageRegisters();

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
      inboxes.set(target, registers.of(thread));
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

function* endpoint(p: Program, own: Threads, meeting: Meeting): Routine<Endpoint> {
  const other = yield* otherThread(p, own, meeting);
  return {
    *send(address, length) {
      yield* registers.load(p, address, length);
      let result = 0;
      do {
        result = yield* p.syscall(SEND, other);
        if (result === -Errno.EAGAIN) yield* p.schedYield();
      } while (result === -Errno.EAGAIN);
      done('lrpc_send', result);
    },
    *receive(address, length) {
      done('lrpc_receive', yield* p.syscall(RECEIVE));
      yield* registers.store(p, address, length);
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
  start: byFork(openThreads, endpoint),
};
