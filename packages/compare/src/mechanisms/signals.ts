import { done, MachineError } from '@rpal/kernel';
import { Errno, SignalMask } from '@rpal/uapi';
import type { Mechanism } from '../mechanism/mechanism.js';
import { byFork } from '../mechanism/related.js';
import { lookAgain } from '../mechanism/waiting.js';

/** The first real-time signal that the C library leaves to programs. */
const SIGNAL = 34;
/** SIGNAL in the second word of a set. */
const BIT = 1 << (SIGNAL - 33);
/** What a signal carries is an int. */
const BYTES = 4;

type Who = 'client' | 'server';

/** The pids that the sides send to, as they become known. */
interface Own {
  readonly pids: Record<Who, number>;
  readonly self: Who;
  readonly other: Who;
}

/** Real-time signals that carry a value and queue. */
export const signals: Mechanism = {
  name: 'signal',
  title: 'real-time signals with a value (sigqueue, sigtimedwait)',
  copies: 2,
  sizes: [1, BYTES],
  waits: ['sleep', 'poll'],
  streams: true,
  start: byFork<Own>(
    function* (p) {
      done('rt_sigprocmask', yield* p.sigprocmask(SignalMask.BLOCK, 0, BIT));
      // The child inherits the mask, so no signal comes too early.
      const pids = { client: done('getpid', yield* p.getpid()), server: 0 };
      return [
        { pids, self: 'client', other: 'server' },
        { pids, self: 'server', other: 'client' },
      ];
    },
    function* (p, { pids, self, other }, meeting) {
      pids[self] = done('getpid', yield* p.getpid());
      const timeout = meeting.waiting === 'sleep' ? -1 : 0;
      return {
        *send(address) {
          const value = yield* p.load32(address);
          for (;;) {
            const result = yield* p.sigqueue(pids[other], SIGNAL, value);
            // At most RLIMIT_SIGPENDING of them can wait at the receiver.
            if (result !== -Errno.EAGAIN) {
              done('rt_sigqueueinfo', result);
              return;
            }
            yield* lookAgain(p, meeting);
          }
        },
        *receive(address) {
          for (;;) {
            const signal = yield* p.sigwait(0, BIT, timeout);
            if (signal === SIGNAL) break;
            if (signal !== -Errno.EAGAIN) throw new MachineError('CALL_FAILED', `rt_sigtimedwait came back with ${signal}`);
            yield* lookAgain(p, meeting);
          }
          yield* p.store32(address, p.second);
          return address;
        },
      };
    },
  ),
};
