export const STORM_SERVICES = 8;

/** Words that one sender may number. */
const WORDS = 2 ** 24;

/**
 * What became of a word, as its sender knows: it has been told that the word was taken over, or that it was not; `uncertain`: the
 * peer's memory was gone; `sent`: it never came back.
 */
export type Fate = 'sent' | 'accepted' | 'refused' | 'uncertain';

/** A queue at the last moment at which anybody can use it: its receiver dies, or is about to give it up. */
export interface QueueEnd {
  /** Words that were taken out and that the program has not got: it died with them in its buffer. */
  readonly inHand: readonly number[];
  /** Words that were put in and not taken out, oldest first. */
  readonly waiting: readonly number[];
}

export interface WordCounts {
  /** Words of which a sender was told that they had been taken over. */
  readonly accepted: number;
  /** Words whose sender cannot know: the peer's memory went, or the sender itself. */
  readonly uncertain: number;
  /** Words that were put into queues, as the queues' own memory says; each was then received or lost. */
  readonly put: number;
  readonly received: number;
  /** Words that ended with their receiver: in its queue, or taken out by it and not yet looked at. */
  readonly lost: number;
}

/** One sender's words to one receiver: they go through one queue, in order. */
class Channel {
  /** Calls in the order in which they were made: their words. */
  readonly calls: (readonly number[])[] = [];
  readonly received: number[] = [];
  end: QueueEnd | null = null;
}

/**
 * Words, counted out and in. What was put into a queue is what was received from it and what was left in it at its end, which is
 * read from the memory of the receiver; it must be, word by word and in order, what senders believe that they have sent.
 */
export class Books {
  calls = 0;
  wrong: string | null = null;
  readonly #fates: Map<number, Fate> = new Map();
  readonly #arrived: Set<number> = new Set();
  readonly #channels: readonly Channel[] = Array.from({ length: STORM_SERVICES ** 2 }, () => new Channel());

  #channel(from: number, to: number): Channel {
    return this.#channels[from * STORM_SERVICES + to] as Channel;
  }

  /** A call begins. @param words all of one sender, to one receiver */
  send(words: readonly number[]): void {
    const first = words[0] as number;
    this.calls++;
    this.#channel(senderOf(first), receiverOf(first)).calls.push(words);
    for (const word of words) this.#fates.set(word, 'sent');
  }

  /** A call has ended. */
  settle(words: readonly number[], fate: Fate): void {
    for (const word of words) this.#fates.set(word, fate);
  }

  receive(by: number, word: number): void {
    const fate = this.#fates.get(word);
    if (fate === undefined || fate === 'refused') this.wrong ??= `service ${by} received ${word}, which ${fate ?? 'nobody has sent'}`;
    if (this.#arrived.has(word)) this.wrong ??= `service ${by} received ${word} twice`;
    this.#arrived.add(word);
    if (fate === undefined) return;
    if (receiverOf(word) !== by) this.wrong ??= `service ${by} received ${word}, which was for ${receiverOf(word)}`;
    const channel = this.#channel(senderOf(word), receiverOf(word));
    if (channel.end !== null) this.wrong ??= `service ${by} received ${word} from a queue that is no more`;
    channel.received.push(word);
  }

  /** Words that one has received from another. */
  receivedFrom(from: number, to: number): number {
    return this.#channel(from, to).received.length;
  }

  /** Nobody can use the queue of `to` for words of `from` any more. */
  close(from: number, to: number, end: QueueEnd): void {
    this.#channel(from, to).end = end;
  }

  /** @param dead services that have died */
  balance(dead: ReadonlySet<number>): { readonly wrong: string | null; readonly sums: WordCounts } {
    let wrong: string | null = null;
    const sums = { accepted: 0, uncertain: 0, put: 0, received: this.#arrived.size, lost: 0 };
    for (const [index, channel] of this.#channels.entries()) {
      const [from, to] = [Math.floor(index / STORM_SERVICES), index % STORM_SERVICES];
      const { inHand, waiting } = channel.end ?? { inHand: [], waiting: [] };
      const put = [...channel.received, ...inHand, ...waiting];
      const lost = inHand.length + waiting.length;
      sums.put += put.length;
      sums.lost += lost;
      wrong ??= this.#compare(channel.calls, put, dead.has(from), dead.has(to));
      if (lost > 0 && !dead.has(to))
        wrong ??= `${put[channel.received.length]} was queued by ${from} at service ${to}, which lives, and never arrived`;
    }
    for (const fate of this.#fates.values()) {
      if (fate === 'accepted') sums.accepted++;
      if (fate === 'uncertain' || fate === 'sent') sums.uncertain++;
    }
    return { wrong, sums };
  }

  /** Are the words of a queue those of its calls? A call's words are put together or not at all. @returns what is wrong, or null */
  #compare(calls: readonly (readonly number[])[], put: readonly number[], senderDead: boolean, receiverDead: boolean): string | null {
    let at = 0;
    for (const words of calls) {
      const first = words[0] as number;
      const fate = this.#fates.get(first);
      const [from, to] = [senderOf(first), receiverOf(first)];
      if (fate === 'sent' && !senderDead) return `service ${from} lives and never came back from sending ${first}`;
      if (fate === 'uncertain' && !receiverDead) return `${first} failed although its receiver ${to} lives`;
      if (put[at] !== first) {
        if (fate === 'accepted') return `${first} was accepted for service ${to}, and was not in its queue in its turn`;
        continue;
      }
      if (fate === 'refused') return `${first} was refused, and was in the queue of service ${to}`;
      for (const word of words)
        if (put[at++] !== word) return `${word} was not in the queue of service ${to}, but ${first} of the same call was`;
    }
    return at === put.length ? null : `${put[at]} was in a queue, and was not sent then`;
  }
}

/** A number that tells sender and receiver. */
export function wordFor(from: number, to: number, number: number): number {
  return ((from + 1) * STORM_SERVICES + to) * WORDS + number;
}

function receiverOf(word: number): number {
  return Math.floor(word / WORDS) % STORM_SERVICES;
}

/** The service that a word is from; -1 of 0, which is no word. */
export function senderOf(word: number): number {
  return Math.floor(word / WORDS / STORM_SERVICES) - 1;
}
