import { entryAddress, LARGE_PAGE_SIZE, LEVEL_SPAN, PAGE_SIZE, Pte } from '@rpal/hw-x86';
import type { TableLevel } from '../kernel/bindings.js';
import type { Capability, Refusal } from '../kernel/capability.js';
import type { Environment, Routine } from '../kernel/environment.js';
import { granted } from '../kernel/frames.js';

/** Where the lowest tables are shown to the program, for reading: one page for each 2 MiB that is mapped. */
const TABLES = 0x6000_0000_0000;

/** Page tables as a library has them: it supplies the frames for them, decides what is mapped where, and reads what the hardware has noted. */
export class PageTables {
  readonly #environment: Environment;
  /** The lowest table of each 2 MiB, by its first address, and where it is shown. */
  readonly #tables: Map<number, Capability> = new Map();
  readonly #shown: Map<number, number> = new Map();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Maps a frame, with the tables that are missing on the way. */
  *map(capability: Capability, address: number, access: 'read' | 'write'): Routine<Refusal | null> {
    const refused = yield* this.#environment.bind(capability, address, access);
    if (refused !== 'NO_TABLE') return refused;
    const supplied = (yield* this.#supply(address, 3)) ?? (yield* this.#supply(address, 2)) ?? (yield* this.#supply(address, 1));
    return supplied ?? (yield* this.#environment.bind(capability, address, access));
  }

  /** A frame, mapped for writing. @returns its capability, or why there is none */
  *fresh(address: number): Routine<Capability | Refusal> {
    const capability = yield* this.#environment.allocate();
    if (!granted(capability)) return capability;
    const refused = yield* this.map(capability, address, 'write');
    if (refused === null) return capability;
    yield* this.#environment.free(capability);
    return refused;
  }

  /** Shows the lowest table of an address to the program itself, so that it can read entries there. */
  *show(address: number): Routine<Refusal | null> {
    const first = address - (address % LARGE_PAGE_SIZE);
    const table = this.#tables.get(first);
    if (table === undefined) return 'NO_TABLE';
    const at = TABLES + this.#shown.size * PAGE_SIZE;
    const refused = yield* this.map(table, at, 'read');
    if (refused === null) this.#shown.set(first, at);
    return refused;
  }

  /** Whether a page has been written since it was mapped or restricted: two loads, and no call of the kernel. @returns null if its table is not shown */
  *dirty(address: number): Routine<boolean | null> {
    const shown = this.#shown.get(address - (address % LARGE_PAGE_SIZE));
    if (shown === undefined) return null;
    const entry = yield* this.#environment.load(entryAddress(shown / PAGE_SIZE, address, 1));
    return (entry & Pte.dirty) !== 0;
  }

  *#supply(address: number, level: TableLevel): Routine<Refusal | null> {
    const frame = yield* this.#environment.allocate();
    if (!granted(frame)) return frame;
    const first = address - (address % (LEVEL_SPAN[level + 1] as number));
    const refused = yield* this.#environment.bindTable(frame, first, level);
    if (refused === null) {
      if (level === 1) this.#tables.set(first, frame);
      return null;
    }
    yield* this.#environment.free(frame);
    return refused === 'BOUND' ? null : refused;
  }
}
