import { CACHE_LINE } from '@rpal/hw-x86';
import { MultikernelError } from '../errors.js';
import type { Routine, Words } from './words.js';

/** Words of a message: a line's, but for the header. @public for channels of your own */
export const PAYLOAD_WORDS = 7;
/** Where in a line the header is: behind the payload, as it is written last. */
const HEADER = PAYLOAD_WORDS * 8;
/** Message numbers go round here: a header must stay a whole number below 2^53, and differ from that of the round before. */
const NUMBERS = 2 ** 32;

/** Bytes of one direction of a channel: a line for each message in flight, and one in which the receiver says how many it has taken. @public for channels of your own */
export function channelBytes(slots: number): number {
  if (!Number.isInteger(slots) || slots < 2) throw new MultikernelError('USAGE', `slots: ${slots} is not a whole number from 2 on`);
  return (slots + 1) * CACHE_LINE;
}

/** The payload of a line: up to seven words, and zeros. @throws MultikernelError USAGE */
export function lineOf(payload: readonly number[]): number[] {
  if (payload.length > PAYLOAD_WORDS)
    throw new MultikernelError('USAGE', `a message has room for ${PAYLOAD_WORDS} words, not for ${payload.length}`);
  return Array.from({ length: PAYLOAD_WORDS }, (_, i) => payload[i] ?? 0);
}

/** Loads the payload of the line at `at`. @returns its seven words */
export function* payloadAt(words: Words, at: number): Routine<readonly number[]> {
  const payload: number[] = [];
  for (let i = 0; i < PAYLOAD_WORDS; i++) payload.push(yield* words.load(at + 8 * i));
  return payload;
}

/** One end of a channel's direction: memory that is zero at first, and how many messages have passed here. */
class End {
  protected readonly words: Words;
  protected readonly base: number;
  protected readonly slots: number;
  protected count = 0;

  /** @param base of `channelBytes(slots)` bytes, at the border of a cache line */
  constructor(words: Words, base: number, slots: number) {
    channelBytes(slots);
    if (base % CACHE_LINE !== 0) throw new MultikernelError('USAGE', `base: ${base} is not at the border of a cache line`);
    this.words = words;
    this.base = base;
    this.slots = slots;
  }

  /** Where the next message lies. */
  protected get next(): number {
    return this.base + (this.count % this.slots) * CACHE_LINE;
  }

  /** The line in which the receiver says how many it has taken. */
  protected get taken(): number {
    return this.base + this.slots * CACHE_LINE;
  }
}

/**
 * The sending end of a URPC channel (Bershad et al., TOCS 1991; Barrelfish's UMP). A message is a cache line: seven words and a header,
 * which is stored last and so says that the message is there. Sender and receiver share nothing else; neither enters the kernel. @public for channels of your own
 */
export class UrpcSender extends End {
  /** As far as the sender knows: it looks only when it has no slot left. */
  #taken = 0;

  /** Whether a slot is free; looks at the receiver's count if it seems that none is. */
  *hasRoom(): Routine<boolean> {
    if (this.count - this.#taken < this.slots) return true;
    this.#taken = yield* this.words.load(this.taken);
    return this.count - this.#taken < this.slots;
  }

  /** Waits for a free slot. @returns where its payload goes: `8 * PAYLOAD_WORDS` bytes */
  *slot(): Routine<number> {
    while (!(yield* this.hasRoom())) yield* this.words.pause();
    return this.next;
  }

  /** Shows what has been put into the slot. */
  *publish(): Routine {
    const header = this.next + HEADER;
    yield* this.words.store(header, (++this.count % NUMBERS) + 1);
  }

  /** Sends up to seven words: `slot`, the words, and `publish`, as a core does them in a row. @throws MultikernelError USAGE */
  *send(...payload: readonly number[]): Routine {
    const line = lineOf(payload);
    const at = yield* this.slot();
    yield* this.words.storeLine(at, [...line, (++this.count % NUMBERS) + 1]);
  }
}

/** The receiving end. It says how many messages it has taken each time that half of the slots have become free. @public for channels of your own */
export class UrpcReceiver extends End {
  /** Whether a message is there. */
  *hasMessage(): Routine<boolean> {
    return (yield* this.words.load(this.next + HEADER)) === ((this.count + 1) % NUMBERS) + 1;
  }

  /** Waits for a message. @returns where its payload is, until it is released */
  *message(): Routine<number> {
    while (!(yield* this.hasMessage())) yield* this.words.pause();
    return this.next;
  }

  /** The message has been taken out of its slot. */
  *release(): Routine {
    this.count++;
    if (this.count % (this.slots >> 1) === 0) yield* this.words.store(this.taken, this.count);
  }

  /** Waits for a message and takes it. @returns its seven words */
  *receive(): Routine<readonly number[]> {
    const payload = yield* payloadAt(this.words, yield* this.message());
    yield* this.release();
    return payload;
  }
}
