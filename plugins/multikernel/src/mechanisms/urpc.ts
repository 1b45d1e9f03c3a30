import { byFork, type Endpoint, type Ends, lookAgain, type Mechanism, type Meeting } from '@rpal/compare';
import { CACHE_LINE } from '@rpal/hw-x86';
import { done, type Program } from '@rpal/kernel';
import { MapFlag, Prot } from '@rpal/uapi';
import { channelBytes, PAYLOAD_WORDS, UrpcReceiver, UrpcSender } from '../urpc/channel.js';
import type { Routine, Words } from '../urpc/words.js';

/** Lines in flight, one way. */
const SLOTS = 16;
/** Bytes of a message that a line carries. */
const PAYLOAD = 8 * PAYLOAD_WORDS;

/** Where one side's channels are. */
interface Channels {
  readonly out: number;
  readonly into: number;
}

/** Two processes that share a piece of memory: a channel each way. */
function* open(p: Program): Routine<Ends<Channels>> {
  const there = 0;
  const back = Math.ceil(channelBytes(SLOTS) / CACHE_LINE) * CACHE_LINE;
  const bytes = 2 * back;
  const fd = done('memfd_create', yield* p.memfd('urpc'));
  done('ftruncate', yield* p.ftruncate(fd, bytes));
  const base = done('mmap', yield* p.mmap(0, bytes, Prot.READ | Prot.WRITE, MapFlag.SHARED, fd));
  yield* p.memset(base, 0, bytes);
  return [
    { out: base + there, into: base + back },
    { out: base + back, into: base + there },
  ];
}

/** The memory of a Linux process. */
function wordsOf(p: Program, meeting: Meeting): Words {
  return {
    *load(address) {
      // Other cores have their turn first: accesses happen in the order of time.
      yield* p.compute(1);
      return yield* p.load64(address);
    },
    *store(address, value) {
      yield* p.compute(1);
      yield* p.store64(address, value);
    },
    *storeLine(address, words) {
      yield* p.compute(1);
      for (let i = 0; i < words.length; i++) yield* p.store64(address + 8 * i, words[i] as number);
    },
    pause: () => lookAgain(p, meeting),
  };
}

function* endpoint(p: Program, own: Channels, meeting: Meeting): Routine<Endpoint> {
  const words = wordsOf(p, meeting);
  const out = new UrpcSender(words, own.out, SLOTS);
  const into = new UrpcReceiver(words, own.into, SLOTS);
  // The first messages are not to meet pages that are not mapped yet.
  for (const channel of [own.out, own.into]) yield* p.load8(channel);
  return {
    *send(address, length) {
      for (let at = 0; at < length; at += PAYLOAD) {
        yield* p.memcpy(yield* out.slot(), address + at, Math.min(PAYLOAD, length - at));
        yield* out.publish();
      }
    },
    *receive(address, length) {
      for (let at = 0; at < length; at += PAYLOAD) {
        yield* p.memcpy(address + at, yield* into.message(), Math.min(PAYLOAD, length - at));
        yield* into.release();
      }
      return address;
    },
  };
}

/** URPC between two processes of Linux. */
export const urpc: Mechanism = {
  name: 'urpc',
  title: 'cache lines in shared memory that carry their own headers (Barrelfish)',
  copies: 2,
  sizes: [1, 1024 * 1024],
  waits: ['poll'],
  streams: true,
  start: byFork(open, endpoint),
};
