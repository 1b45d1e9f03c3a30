import { entryAddress, entryFrame, entryHigh, entryLow, LARGE_PAGE_SIZE, PAGE_SIZE, Pte } from '@rpal/hw-x86';
import type { Call } from '@rpal/kernel';
import { DuneError } from '../errors.js';
import type { GuestPhysical } from '../module/guest-physical.js';

/** What `yield*` takes, and ends with a number. */
type Taken = Call | Generator<void, number>;

/** How tables are read and written: by a program before it is in Dune mode, or in ring 0. */
export interface TableAccess {
  load32(address: number): Taken;
  store32(address: number, value: number): Taken;
  storeBytes(address: number, bytes: Uint8Array): Taken;
  /** Charged for work on tables, by step. */
  filled(): void;
}

/** Pages of the process from which tables are made. */
export class TablePool {
  readonly start: number;
  readonly end: number;
  #next: number;

  constructor(start: number, bytes: number) {
    this.start = start;
    this.end = start + bytes;
    this.#next = start;
  }

  readonly #free: number[] = [];

  /** A page that is zeroed again. */
  give(page: number): void {
    this.#free.push(page);
  }

  /** @returns the address of a zeroed page @throws DuneError NO_TABLES */
  take(): number {
    const known = this.#free.pop();
    if (known !== undefined) return known;
    if (this.#next === this.end) throw new DuneError('NO_TABLES', 'the pages for page tables are used up; protect larger ranges, or fewer');
    this.#next += PAGE_SIZE;
    return this.#next - PAGE_SIZE;
  }
}

/**
 * Page tables in the process's own memory, with the true entry format. All memory of the process is mapped at its own address in pages of
 * 2 MiB, which come about as they are used, and are split where a part gets rights of its own.
 */
export class GuestTables {
  /** Address of the top-level table. */
  readonly root: number;
  /** Guest-physical frame of the top-level table, for CR3. */
  readonly frame: number;
  readonly pcid: number;
  /** CR3 has not been loaded with them yet: translations under their PCID are of others. */
  fresh = true;
  readonly #pool: TablePool;
  /** All pages that they are made of. */
  readonly #pages: number[] = [];
  readonly #physical: GuestPhysical;
  /** `Pte` bits of memory for which nothing else was said. */
  readonly #flags: number;

  constructor(pool: TablePool, physical: GuestPhysical, pcid: number, flags: number) {
    this.#pool = pool;
    this.#physical = physical;
    this.pcid = pcid;
    this.#flags = flags;
    this.root = this.#take();
    this.frame = physical.guestOf(this.root) / PAGE_SIZE;
  }

  /**
   * Maps the 2 MiB around an address that has been used for the first time.
   * @returns false if there is something already, or the address is no memory of the process
   */
  *grow(io: TableAccess, address: number): Generator<void, boolean> {
    const base = address - (address % LARGE_PAGE_SIZE);
    const physical = this.#physical.guestOf(base);
    if (physical < 0) return false;
    const entry = yield* this.#entry(io, address, 2);
    if ((yield* io.load32(entry)) !== 0) return false;
    yield* writeEntry(io, entry, physical / PAGE_SIZE, this.#flags | Pte.pageSize);
    return true;
  }

  /** The entry of a page of 4 KiB, with the tables above it made. @returns its address @throws DuneError NOT_MEMORY, NO_TABLES */
  *page(io: TableAccess, address: number): Generator<void, number> {
    return yield* this.#entry(io, address, 1);
  }

  *#entry(io: TableAccess, address: number, leaf: number): Generator<void, number> {
    let table = this.root;
    for (let level = 4; level > leaf; level--) {
      const entry = entryAt(table, address, level);
      const low = yield* io.load32(entry);
      if ((low & Pte.present) !== 0 && (low & Pte.pageSize) === 0) {
        table = this.#physical.hostOf(entryFrame(low, yield* io.load32(entry + 4)) * PAGE_SIZE);
        continue;
      }
      table = this.#take();
      if (level === 2) yield* this.#split(io, table, address, low);
      yield* writeEntry(io, entry, this.#physical.guestOf(table) / PAGE_SIZE, TABLE);
    }
    return entryAt(table, address, leaf);
  }

  #take(): number {
    const page = this.#pool.take();
    this.#pages.push(page);
    return page;
  }

  /** Gives all pages back. Nobody may use the tables any more. */
  *free(io: TableAccess): Generator<void, void> {
    for (const page of this.#pages) {
      yield* io.storeBytes(page, EMPTY);
      io.filled();
      this.#pool.give(page);
    }
    this.#pages.length = 0;
  }

  /** Fills a table with the pages of the 2 MiB around an address. @param low the entry that mapped them; 0: they were not mapped yet */
  *#split(io: TableAccess, table: number, address: number, low: number): Generator<void, void> {
    const base = this.#physical.guestOf(address - (address % LARGE_PAGE_SIZE));
    if (base < 0) throw new DuneError('NOT_MEMORY', `0x${address.toString(16)} is not among the addresses that the guest can map`);
    const flags = low === 0 ? this.#flags : low & Pte.flags & ~Pte.pageSize;
    const words = new Uint32Array(1024);
    for (let i = 0; i < 512; i++) {
      words[2 * i] = entryLow(base / PAGE_SIZE + i, flags);
      words[2 * i + 1] = entryHigh(base / PAGE_SIZE + i);
    }
    io.filled();
    yield* io.storeBytes(table, new Uint8Array(words.buffer));
  }
}

const EMPTY = new Uint8Array(PAGE_SIZE);

const TABLE = Pte.present | Pte.writable | Pte.user;

/** The entry for `address` in the table at `table`. @returns its address */
function entryAt(table: number, address: number, level: number): number {
  return entryAddress(table / PAGE_SIZE, address, level);
}

/** Stores the two halves of the entry at `entry`, the one with the present bit last. */
export function* writeEntry(io: TableAccess, entry: number, frame: number, flags: number): Generator<void, void> {
  yield* io.store32(entry + 4, entryHigh(frame));
  yield* io.store32(entry, entryLow(frame, flags) >>> 0);
}
