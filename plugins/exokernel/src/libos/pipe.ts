import type { Environment, Routine } from '../kernel/environment.js';
import { LibraryStep } from './steps.js';
import { yieldTo } from './yield.js';

/** What an end of a pipe needs. @public for libraries of your own */
export interface PipeEnd {
  load(address: number): Routine<number>;
  store(address: number, value: number): Routine;
  charge(step: number): void;
  /** Lets the other side go on. @returns whether there is one still */
  turn(): Routine<boolean>;
}

/** How much of a library stands around the buffer: a file descriptor and procedures, or code compiled into the program. @public for libraries of your own */
export type PipeStyle = 'calls' | 'inline';

/** Words that wait in a pipe at most. */
const ROOM = 32;
const WRITTEN = 0;
const READ = 8;
const FIRST = 64;
/** What either counts up to before it starts anew: a multiple of ROOM. */
const COUNTS = 2 ** 32;

/** Bytes of a pipe; zero at first. @public for libraries of your own */
export const PIPE_BYTES: number = FIRST + 8 * ROOM;

/** A pipe of words in memory that two programs have bound: one writes, one reads. Each stores its own count only; the kernel has no part in it. @public for libraries of your own */
export class Pipe {
  readonly #end: PipeEnd;
  readonly #at: number;
  readonly #write: number;
  readonly #read: number;

  constructor(end: PipeEnd, at: number, style: PipeStyle = 'calls') {
    this.#end = end;
    this.#at = at;
    this.#write = style === 'calls' ? LibraryStep.pipeWrite : LibraryStep.inlineWrite;
    this.#read = style === 'calls' ? LibraryStep.pipeRead : LibraryStep.inlineRead;
  }

  /** Waits for room. @returns false if nobody will read it */
  *write(word: number): Routine<boolean> {
    const end = this.#end;
    end.charge(this.#write);
    const written = yield* end.load(this.#at + WRITTEN);
    for (;;) {
      const read = yield* end.load(this.#at + READ);
      if ((written - read + COUNTS) % COUNTS < ROOM) break;
      if (!(yield* end.turn())) return false;
    }
    yield* end.store(this.#slot(written), word);
    // Others see the word before the count: x86 keeps stores in order.
    yield* end.store(this.#at + WRITTEN, (written + 1) % COUNTS);
    return true;
  }

  /** Waits for a word. @returns null if nobody will write one any more */
  *read(): Routine<number | null> {
    const end = this.#end;
    end.charge(this.#read);
    const read = yield* end.load(this.#at + READ);
    for (let alive = true; (yield* end.load(this.#at + WRITTEN)) === read; ) {
      // What was written before the other side died is still read.
      if (!alive) return null;
      alive = yield* end.turn();
    }
    const word = yield* end.load(this.#slot(read));
    yield* end.store(this.#at + READ, (read + 1) % COUNTS);
    return word;
  }

  #slot(count: number): number {
    return this.#at + FIRST + (count % ROOM) * 8;
  }
}

/** An end in an environment's own memory, which gives its turns to the one at the other end. @public for libraries of your own */
export function endOf(environment: Environment, other: number): PipeEnd {
  return {
    load: (address) => environment.load(address),
    store: (address, value) => environment.store(address, value),
    charge: (step) => environment.charge(step),
    *turn() {
      return (yield* yieldTo(environment, other)) === null;
    },
  };
}
