import { Ept, entryFrame, HardwareError, PAGE_SIZE, type PhysicalMemory, Pte, SecondLevelTables } from '@rpal/hw-x86';
import type { RpalService } from '@rpal/rpal-core';
import { Pkey } from '@rpal/uapi';
import { deniedBy } from './rights.js';

/**
 * Extended page tables in which a service's closed peers are missing. Guest-physical memory is mapped onto itself, but for
 * the level-3 tables of closed slices: each is the one table through which all translations of its slice go, so a guest
 * without that frame reaches none of the peer's memory at those addresses, whatever its own tables say, and whatever the
 * peer maps later. The attempt is an EPT violation in the middle of the walk.
 *
 * An EPT entry of a table cannot make what lies below read-only. For slices that rights open for reading alone, the frame
 * of the service's top-level table leads to a copy that lacks the W bits.
 */
export class EptView {
  readonly rights: number;
  readonly tables: SecondLevelTables;
  readonly #service: RpalService;
  readonly #memory: PhysicalMemory;
  #hidden: ReadonlySet<number> = new Set();
  /** Frame of the copied top-level table; -1: none. */
  readonly #copy: number;

  /** @param guestBytes physical memory of the guest, a multiple of 1 GiB */
  constructor(memory: PhysicalMemory, guestBytes: number, service: RpalService, rights: number) {
    this.rights = rights;
    this.#memory = memory;
    this.#service = service;
    this.tables = new SecondLevelTables(memory);
    this.tables.mapIdentity(guestBytes);
    const readOnly = (rights & ~(rights << 1) & 0xaaaa_aaaa) !== 0;
    this.#copy = readOnly ? memory.allocate() : -1;
    if (readOnly) {
      if (this.#copy < 0) throw new HardwareError('OUT_OF_MEMORY', 'no frame left for the copy of a top-level table');
      this.tables.map(service.mm.tables.root * PAGE_SIZE, this.#copy * PAGE_SIZE, Ept.all);
    }
    this.update();
  }

  /** Guest frames that the view lacks. */
  get hidden(): ReadonlySet<number> {
    return this.#hidden;
  }

  /** Hides and shows what the service's top-level table calls for now. @returns true if a cached translation may have to go */
  update(): boolean {
    const { mm, map } = this.#service;
    const hidden = new Set<number>();
    const readOnly: number[] = [];
    for (const owner of [this.#service, ...map.map(({ service }) => service)]) {
      if (owner === null) continue;
      const entry = mm.tables.topEntry(owner.base);
      const low = this.#memory.read32(entry);
      const denied = deniedBy(this.rights, owner);
      if ((low & Pte.present) === 0 || denied === 0) continue;
      if ((denied & Pkey.DISABLE_ACCESS) !== 0) hidden.add(entryFrame(low, this.#memory.read32(entry + 4)));
      else readOnly.push(entry);
    }
    for (const frame of this.#hidden) if (!hidden.has(frame)) this.tables.protect(frame * PAGE_SIZE, Ept.all);
    let gone = this.#copy >= 0;
    for (const frame of hidden) {
      if (this.#hidden.has(frame)) continue;
      this.tables.protect(frame * PAGE_SIZE, 0);
      gone = true;
    }
    this.#hidden = hidden;
    if (this.#copy >= 0) this.#fillCopy(mm.tables.root * PAGE_SIZE, readOnly);
    return gone;
  }

  #fillCopy(root: number, readOnly: readonly number[]): void {
    const copy = this.#copy * PAGE_SIZE;
    this.#memory.copy(copy, root, PAGE_SIZE);
    for (const entry of readOnly) {
      const at = copy + (entry - root);
      this.#memory.write32(at, this.#memory.read32(at) & ~Pte.writable);
    }
  }

  /** Returns the frames; no CPU may know the tables any more. */
  free(): void {
    this.tables.free();
    if (this.#copy >= 0) this.#memory.free(this.#copy);
  }
}
