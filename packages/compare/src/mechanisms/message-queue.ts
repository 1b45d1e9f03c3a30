import { done, exactly } from '@rpal/kernel';
import { posix } from '@rpal/posix';
import { OpenFlag } from '@rpal/uapi';
import type { Mechanism } from '../mechanism/mechanism.js';
import { byFork } from '../mechanism/related.js';
import { nonBlocking, untilThere } from '../mechanism/waiting.js';

/** What Linux allows without privileges: `/proc/sys/fs/mqueue/msgsize_max` and `msg_max`. */
const LARGEST = 8192;
const MESSAGES = 10;

/** POSIX message queues, one each way. */
export const messageQueue: Mechanism = {
  name: 'mq',
  title: 'a POSIX message queue each way',
  copies: 2,
  sizes: [1, LARGEST],
  waits: ['sleep', 'poll'],
  streams: true,
  plugins: () => [posix()],
  start: byFork(
    function* (p, meeting) {
      const flags = OpenFlag.RDWR | OpenFlag.CREAT | nonBlocking(meeting);
      const attributes = { maxMessages: MESSAGES, messageSize: meeting.size };
      const there = done('mq_open', yield* p.mqOpen('/there', flags, attributes));
      const back = done('mq_open', yield* p.mqOpen('/back', flags, attributes));
      return [
        { from: back, to: there },
        { from: there, to: back },
      ];
    },
    function* (p, { from, to }, meeting) {
      // mq_receive wants room for the largest message.
      const room = meeting.size;
      return {
        *send(address, length) {
          done('mq_send', yield* untilThere(p, meeting, () => p.mqSend(to, address, length)));
        },
        *receive(address, length) {
          exactly('mq_receive', yield* untilThere(p, meeting, () => p.mqReceive(from, address, room)), length);
          return address;
        },
      };
    },
  ),
};
