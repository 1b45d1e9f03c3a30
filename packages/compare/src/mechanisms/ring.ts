import { PAGE_SIZE, pageCeil } from '@rpal/hw-x86';
import { done, type Program } from '@rpal/kernel';
import { MapFlag, Prot } from '@rpal/uapi';
import type { Meeting, Routine } from '../mechanism/mechanism.js';

const LINE = 64;
/** The counts of messages put and taken, each in a line of its own, before the slots. */
const HEADER = 2 * LINE;
/** Bytes of all slots together; there are at least two slots. */
const ROOM = 64 * 1024;

/** Bytes of a ring for messages of up to `size` bytes, and how many of them it holds. */
function geometry(size: number): { readonly slot: number; readonly slots: number; readonly bytes: number } {
  const slot = Math.ceil(size / LINE) * LINE;
  const slots = Math.max(2, Math.floor(ROOM / slot));
  return { slot, slots, bytes: pageCeil(HEADER + slot * slots) };
}

/** Memory behind a descriptor that both sides have mapped: a ring for each way. @returns their addresses */
export function* mapRings(p: Program, { size }: Pick<Meeting, 'size'>): Routine<readonly [there: number, back: number]> {
  const { bytes } = geometry(size);
  const fd = done('memfd_create', yield* p.memfd('rings'));
  done('ftruncate', yield* p.ftruncate(fd, 2 * bytes));
  const there = done('mmap', yield* p.mmap(0, 2 * bytes, Prot.READ | Prot.WRITE, MapFlag.SHARED, fd));
  yield* p.memset(there, 0, 2 * bytes);
  return [there, there + bytes];
}

/** Reads each page of both rings: so that the first messages do not meet pages that are not mapped yet. */
export function* touchRings(p: Program, rings: readonly [number, number], size: number): Routine {
  const { bytes } = geometry(size);
  for (const ring of rings) for (let at = 0; at < bytes; at += PAGE_SIZE) yield* p.load8(ring + at);
}

/**
 * A ring in shared memory with one writer and one reader, as seen by one of them. Messages are copied into a slot and out of it; a
 * count is stored once its message is there, or gone, which x86 keeps in order.
 */
export class Ring {
  /** Where the writer's count is; the reader watches it. */
  readonly put: number;
  /** Where the reader's count is; a writer that is ahead by all slots watches it. */
  readonly taken: number;
  readonly #p: Program;
  readonly #base: number;
  readonly #slot: number;
  readonly #slots: number;
  /** Messages that this side has put or taken. */
  #count = 0;

  constructor(p: Program, base: number, size: number) {
    const { slot, slots } = geometry(size);
    this.#p = p;
    this.put = base;
    this.taken = base + LINE;
    this.#base = base + HEADER;
    this.#slot = slot;
    this.#slots = slots;
  }

  /** For the writer: whether a slot is free. */
  *hasRoom(): Routine<boolean> {
    return this.#count - (yield* this.#look(this.taken)) < this.#slots;
  }

  /** For the reader: whether a message is there. */
  *hasMessage(): Routine<boolean> {
    return (yield* this.#look(this.put)) !== this.#count;
  }

  /** For the writer: copies a message into the free slot and shows it. */
  *write(address: number, length: number): Routine {
    yield* this.#p.memcpy(this.#next(), address, length);
    yield* this.#show(this.put);
  }

  /** For the reader: copies the message out of its slot and frees it. */
  *read(address: number, length: number): Routine {
    yield* this.#p.memcpy(address, this.#next(), length);
    yield* this.#show(this.taken);
  }

  /** How many messages this side has put or taken, as in memory. */
  get count(): number {
    return this.#count;
  }

  #next(): number {
    return this.#base + (this.#count % this.#slots) * this.#slot;
  }

  *#look(word: number): Routine<number> {
    // Other cores have their turn first: accesses happen in the order of time.
    yield* this.#p.compute(1);
    return yield* this.#p.load32(word);
  }

  *#show(word: number): Routine {
    this.#count++;
    yield* this.#p.compute(1);
    yield* this.#p.store32(word, this.#count);
  }
}
