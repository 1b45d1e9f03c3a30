import { type Program, Time } from '@rpal/kernel';
import type { RpalFd } from './call/sender.js';
import type { LibRpal } from './librpal.js';

/**
 * How the client and the server of the sample (patch 35) get to know each other over a connected stream socket: keys are
 * exchanged, both request each other, and the server's thread becomes a receiver, the client's a sender.
 */

/** Bytes of the messages that are exchanged: a word of four letters, alone or with a key behind it. */
const INIT = 12;
const KEY = 8;
const VERDICT = 4;
/** How long the client waits before it asks again whether the receiver has begun to wait. */
const RETRY = 50 * Time.us;

/** The words, as the processor reads four letters. */
const Word = { INIT: 0x5449_4e49, SUCC: 0x4343_5553, FAIL: 0x4c49_4146 } as const;

/**
 * The client's side, after `lib.init`; for a second server, too. @returns the id of the server's service, or -1
 * @param fd socket that is connected to the server
 */
export function* introduce(p: Program, lib: LibRpal, fd: number): Generator<void, number> {
  const note = yield* p.allocate(4096);
  yield* p.store32(note, Word.INIT);
  yield* p.store64(note + 4, lib.process.key);
  yield* p.write(fd, note, INIT);
  if ((yield* p.read(fd, note, KEY)) !== KEY) return -1;
  const key = yield* p.load64(note);
  const requested = key !== 0 && (yield* lib.requestService(key)) === 0;
  yield* p.store32(note, requested ? Word.SUCC : Word.FAIL);
  yield* p.write(fd, note, VERDICT);
  if (!requested || (!lib.isSender && (yield* lib.senderInit()) !== 0)) return -1;
  return lib.requestedServiceId(key);
}

/**
 * The server's side, after `lib.init`; for a second client, too. The calling thread becomes a receiver, if it is none. @returns the id of
 * the client's service, or -1
 */
export function* welcome(p: Program, lib: LibRpal, fd: number): Generator<void, number> {
  const note = yield* p.allocate(4096);
  if ((yield* p.read(fd, note, INIT)) !== INIT) return -1;
  const key = yield* p.load64(note + 4);
  const requested = (yield* lib.requestService(key)) === 0;
  yield* p.store64(note, requested ? lib.process.key : 0);
  yield* p.write(fd, note, KEY);
  if ((yield* p.read(fd, note, VERDICT)) !== VERDICT || (yield* p.load32(note)) !== Word.SUCC) return -1;
  if (!lib.isReceiver && (yield* lib.receiverInit()) < 0) return -1;
  return lib.requestedServiceId(key);
}

/**
 * The far end of `fd`, once the receiver has waited for the first time. The sample sleeps three seconds instead.
 * @param tries how often to ask before giving up
 */
export function* findReceiver(p: Program, lib: LibRpal, serviceId: number, fd: number, tries = 1000): Generator<void, RpalFd | null> {
  for (let i = 0; i < tries; i++) {
    if (yield* lib.hasReceiver(serviceId, fd)) return yield* lib.udsFdmap(serviceId, fd);
    yield* p.sleep(RETRY);
  }
  return null;
}
