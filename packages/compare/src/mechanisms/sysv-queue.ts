import { pageCeil } from '@rpal/hw-x86';
import { done, exactly } from '@rpal/kernel';
import { posix } from '@rpal/posix';
import { Errno, Ipc, LinuxCall } from '@rpal/uapi';
import type { Mechanism } from '../mechanism/mechanism.js';
import { byFork } from '../mechanism/related.js';
import { untilThere } from '../mechanism/waiting.js';

/** MSGMAX: `/proc/sys/kernel/msgmax`. */
const LARGEST = 8192;
/** A message begins with its type, a long. */
const TYPE_BYTES = 8;
const TYPE = 1;

/**
 * System V message queues, one each way. The kernel wants the type of a message right before its text, so a message that lies elsewhere is
 * copied behind one first; what is received stays where it came.
 */
export const sysvQueue: Mechanism = {
  name: 'sysv-mq',
  title: 'a System V message queue each way',
  copies: 3,
  sizes: [1, LARGEST],
  waits: ['sleep', 'poll'],
  streams: true,
  plugins: () => [posix()],
  start: byFork(
    function* (p) {
      const there = done('msgget', yield* p.syscall(LinuxCall.msgget, 0, Ipc.CREAT | 0o600));
      const back = done('msgget', yield* p.syscall(LinuxCall.msgget, 0, Ipc.CREAT | 0o600));
      return [
        { from: back, to: there },
        { from: there, to: back },
      ];
    },
    function* (p, { from, to }, meeting) {
      const flags = meeting.waiting === 'poll' ? Ipc.NOWAIT : 0;
      const room = pageCeil(TYPE_BYTES + meeting.size);
      const out = done('mmap', yield* p.allocate(2 * room));
      const into = out + room;
      yield* p.memset(out, 0, 2 * room);
      yield* p.store64(out, TYPE);
      return {
        *send(address, length) {
          yield* p.memcpy(out + TYPE_BYTES, address, length);
          done('msgsnd', yield* untilThere(p, meeting, () => p.syscall(LinuxCall.msgsnd, to, out, length, flags)));
        },
        *receive(_address, length) {
          const call = () => p.syscall(LinuxCall.msgrcv, from, into, length, TYPE, flags);
          exactly('msgrcv', yield* untilThere(p, meeting, call, Errno.ENOMSG), length);
          return into + TYPE_BYTES;
        },
      };
    },
  ),
};
