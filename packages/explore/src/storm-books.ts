export const STORM_SERVICES = 8;

/** Words that one sender may number. */
const WORDS = 2 ** 24;

/** What became of a word, as its sender knows. */
type Fate = 'sent' | 'accepted' | 'refused' | 'uncertain';

/** Words that callers were told had been taken over; those that arrived; those that were lost with a receiver that died. */
export interface WordCounts {
  readonly accepted: number;
  readonly received: number;
  readonly lost: number;
  /** Words of calls that ended by a fault on the peer's memory, or with the caller's death: they may have arrived or not. */
  readonly uncertain: number;
}

/** Words, counted out and in. */
export class Books {
  calls = 0;
  wrong: string | null = null;
  readonly #fates: Map<number, Fate> = new Map();
  readonly #arrived: Set<number> = new Set();

  send(word: number): void {
    this.#fates.set(word, 'sent');
  }

  settle(word: number, fate: Fate): void {
    this.#fates.set(word, fate);
  }

  receive(by: number, word: number): void {
    const fate = this.#fates.get(word);
    if (fate === undefined || fate === 'refused') this.wrong ??= `service ${by} received ${word}, which ${fate ?? 'nobody has sent'}`;
    if (receiverOf(word) !== by) this.wrong ??= `service ${by} received ${word}, which was for ${receiverOf(word)}`;
    if (this.#arrived.has(word)) this.wrong ??= `service ${by} received ${word} twice`;
    this.#arrived.add(word);
  }

  /** @param dead services that have died: what was in their queues is gone with them */
  balance(dead: ReadonlySet<number>): {
    readonly wrong: string | null;
    readonly sums: WordCounts;
  } {
    let wrong: string | null = null;
    const sums = { accepted: 0, received: this.#arrived.size, lost: 0, uncertain: 0 };
    for (const [word, fate] of this.#fates) {
      if (fate === 'accepted') sums.accepted++;
      if (fate === 'uncertain' || fate === 'sent') sums.uncertain++;
      if (fate === 'sent' && !dead.has(senderOf(word)))
        wrong ??= `service ${senderOf(word)} lives and never came back from sending ${word}`;
      if (fate === 'uncertain' && !dead.has(receiverOf(word))) wrong ??= `${word} failed although its receiver ${receiverOf(word)} lives`;
      if (fate !== 'accepted' || this.#arrived.has(word)) continue;
      if (dead.has(receiverOf(word))) sums.lost++;
      else wrong ??= `${word} was accepted by service ${receiverOf(word)}, which lives, and never arrived`;
    }
    return { wrong, sums };
  }
}

/** A number that tells sender and receiver. */
export function wordFor(from: number, to: number, number: number): number {
  return ((from + 1) * STORM_SERVICES + to) * WORDS + number;
}

function receiverOf(word: number): number {
  return Math.floor(word / WORDS) % STORM_SERVICES;
}

function senderOf(word: number): number {
  return Math.floor(word / WORDS / STORM_SERVICES) - 1;
}
