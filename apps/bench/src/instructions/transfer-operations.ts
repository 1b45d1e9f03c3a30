import { done, exactly, type Program } from '@rpal/kernel';
import { Fcntl, OpenFlag, SocketOption, SocketType } from '@rpal/uapi';
import { all, type Operation, touched, twoHalves } from './operation.js';

/** Sizes of messages, bytes. */
export const SIZES = [1, 32, 1024, 4096, 8192, 16_384, 65_536, 262_144];
const LARGEST = 262_144;
/** Room for all of them in a pipe or socket, so that nobody waits. */
const ROOM = 4 << 20;

/** A way to put bytes somewhere and to take them out again. */
interface Channel {
  send(length: number, from?: number): Iterable<void, unknown>;
  receive(length: number): Iterable<void, unknown>;
}

function* over(p: Program, from: number, to: number): Generator<void, Channel> {
  const source = yield* touched(p, LARGEST + 4096);
  const target = yield* touched(p, LARGEST);
  return {
    *send(length, at = 0) {
      exactly('write', yield* p.write(to, source + at, length), length);
    },
    *receive(length) {
      for (let got = 0; got < length; ) got += done('read', yield* p.read(from, target, length - got));
    },
  };
}

function* pipe(p: Program): Generator<void, Channel> {
  const from = yield* p.pipe();
  const to = p.second;
  done('fcntl', yield* p.fcntl(from, Fcntl.SETPIPE_SZ, 1 << 20));
  return yield* over(p, from, to);
}

function sockets(type: number) {
  return function* (p: Program): Generator<void, Channel> {
    const from = yield* p.socketpair(type);
    const to = p.second;
    exactly('setsockopt', yield* p.setsockopt(to, SocketOption.SNDBUF, ROOM), 0);
    return yield* over(p, from, to);
  };
}

const stream = sockets(SocketType.STREAM);
const datagrams = sockets(SocketType.DGRAM);

/** RLIMIT_MSGQUEUE. */
const MSGQUEUE = 12;
const UNLIMITED = 1e9;

function messageQueue(size: number) {
  return function* (p: Program): Generator<void, Channel> {
    done('prlimit', yield* p.prlimit(MSGQUEUE, UNLIMITED, 0, UNLIMITED));
    const queue = done('mq_open', yield* p.mqOpen('/counted', OpenFlag.CREAT | OpenFlag.RDWR, { maxMessages: 4, messageSize: size }));
    const source = yield* touched(p, LARGEST);
    const target = yield* touched(p, LARGEST);
    return {
      *send(length) {
        exactly('mq_send', yield* p.mqSend(queue, source, length), 0);
      },
      *receive(length) {
        exactly('mq_receive', yield* p.mqReceive(queue, target, length), length);
      },
    };
  };
}

type Open = (p: Program) => Generator<void, Channel>;

/** Both halves of a transfer of `size` bytes. */
function halves(way: string, sent: string, received: string, open: Open, size: number): Operation[] {
  return twoHalves(`${way}: ${sent} of ${size} B`, `${way}: ${received} of ${size} B`, function* (p) {
    const channel = yield* open(p);
    return [() => channel.send(size), () => channel.receive(size)];
  });
}

/** What a message of another shape costs. */
const shapes: readonly Operation[] = [
  {
    name: 'pipe: write of 32 B that joins a page',
    *prepare(p) {
      const channel = yield* pipe(p);
      return { before: () => channel.send(100), body: () => channel.send(32), after: () => channel.receive(132) };
    },
  },
  {
    name: 'pipe: read of 32 B that leaves a page',
    *prepare(p) {
      const channel = yield* pipe(p);
      return { before: () => channel.send(100), body: () => channel.receive(32), after: () => channel.receive(68) };
    },
  },
  {
    name: 'pipe: write of 4096 B at an odd place',
    *prepare(p) {
      const channel = yield* pipe(p);
      return { body: () => channel.send(4096, 17), after: () => channel.receive(4096) };
    },
  },
  {
    name: 'stream: read of 4096 B out of one message of 16384',
    *prepare(p) {
      const channel = yield* stream(p);
      return { before: () => channel.send(16_384), body: () => channel.receive(4096), after: () => channel.receive(12_288) };
    },
  },
  {
    name: 'stream: read of 8192 B in two messages of 4096',
    *prepare(p) {
      const channel = yield* stream(p);
      return {
        before: all(
          () => channel.send(4096),
          () => channel.send(4096),
        ),
        body: () => channel.receive(8192),
      };
    },
  },
];

/** Messages of all sizes, with room for them: nobody waits. */
export const transferOperations: readonly Operation[] = [
  ...SIZES.flatMap((size) => halves('pipe', 'write', 'read', pipe, size)),
  ...SIZES.flatMap((size) => halves('stream', 'write', 'read', stream, size)),
  ...SIZES.flatMap((size) => halves('dgram', 'write', 'read', datagrams, size)),
  ...SIZES.flatMap((size) => halves('mq', 'send', 'receive', messageQueue(size), size)),
  ...shapes,
];
