import type { Program } from '@rpal/kernel';
import type { Routine } from '../mechanism/mechanism.js';
import { Ring, touchRings } from '../mechanisms/ring.js';
import type { MemoryQueues, Move } from './memory-bandwidth.js';

/** Two rings in shared memory: what one rank sends to another, and what comes back about it. */
export interface Link {
  readonly there: number;
  readonly back: number;
  /** Bytes of the largest message of either. */
  readonly slot: number;
}

/** One end of a link. */
export interface LinkEnd {
  readonly out: Ring;
  readonly into: Ring;
}

/** What all ranks know of each other. */
export interface World {
  readonly size: number;
  /** Socket of each rank's CPU and of its memory. */
  readonly sockets: readonly number[];
  /** Process ids, known once each has begun. */
  readonly pids: number[];
  /** By `from * size + to`. */
  readonly links: ReadonlyMap<number, Link>;
  /** Whether a rank's messages come from memory each time: more is touched between two uses than its cache has. */
  readonly uncached: readonly boolean[];
  readonly memory: MemoryQueues;
}

/** A process of a parallel program. */
export class Rank {
  readonly p: Program;
  readonly index: number;
  readonly world: World;
  readonly #ends = new Map<number, LinkEnd>();

  constructor(p: Program, index: number, world: World) {
    this.p = p;
    this.index = index;
    this.world = world;
  }

  /** The way from here to another rank. */
  *to(other: number): Routine<LinkEnd> {
    return yield* this.#end(this.index, other);
  }

  /** The way from another rank to here, as the receiver has it. */
  *from(other: number): Routine<LinkEnd> {
    return yield* this.#end(other, this.index);
  }

  /** After a copy of messages that began at `began`: waits for memory, if they do not come from a cache. */
  *copied(began: number, moves: readonly Move[]): Routine {
    const { memory, uncached } = this.world;
    if (uncached[this.index] === true) yield* memory.moved(this.p, began, moves);
  }

  *#end(from: number, to: number): Routine<LinkEnd> {
    const key = from * this.world.size + to;
    const known = this.#ends.get(key);
    if (known !== undefined) return known;
    const { there, back, slot } = this.world.links.get(key) as Link;
    yield* touchRings(this.p, [there, back], slot);
    const [data, answers] = [new Ring(this.p, there, slot), new Ring(this.p, back, slot)];
    const end = from === this.index ? { out: data, into: answers } : { out: answers, into: data };
    this.#ends.set(key, end);
    return end;
  }
}
