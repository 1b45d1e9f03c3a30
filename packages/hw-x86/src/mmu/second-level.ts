import { HardwareError } from '../errors.js';
import { GIB, HUGE_PAGE_SIZE, LARGE_PAGE_SIZE, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE } from '../memory/address.js';
import { entryAddress, entryFrame, entryHigh, entryLow, LEVEL_SPAN } from '../memory/page-table.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { Access } from './mmu.js';
import { Globals, Tlb, type TlbEntry, TlbFlag } from './tlb.js';

/** Rights of a second-level entry (SDM vol. 3, table 29-6), and the bit that makes it map a large page. */
export const Ept = { read: 1, write: 2, execute: 4, all: 7, pageSize: 1 << 7 } as const;

const RIGHTS = 7;
/** Write-back memory, bits 5:3 of an entry that maps a page. */
const WRITE_BACK = 6 << 3;

/**
 * Second-level (extended) page tables in physical memory, with the true entry format: from what a guest takes for
 * physical addresses to where the bytes are. Changes are seen once `Mmu.invept` has dropped what was cached.
 */
export class SecondLevelTables {
  /** Frame of the top-level table. */
  readonly root: number;
  readonly #memory: PhysicalMemory;

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
    this.root = this.#table();
  }

  /**
   * Maps a guest page.
   * @param guest guest-physical address, a multiple of `size` @param host physical address, a multiple of `size`
   * @param rights `Ept` bits; 0 unmaps @param size 4 KiB, 2 MiB or 1 GiB
   * @throws HardwareError INVALID_ARGUMENT naming the argument
   */
  map(guest: number, host: number, rights: number, size: number = PAGE_SIZE): void {
    const leaf = LEVEL_SPAN.indexOf(size);
    if (leaf < 1 || leaf > 3) throw new HardwareError('INVALID_ARGUMENT', `size: ${size} is not 4096, 2 MiB or 1 GiB`);
    if (guest % size !== 0) throw new HardwareError('INVALID_ARGUMENT', `guest: ${guest} is not a multiple of ${size}`);
    if (host % size !== 0) throw new HardwareError('INVALID_ARGUMENT', `host: ${host} is not a multiple of ${size}`);
    requireRights(rights);
    this.#write(this.#entry(guest, leaf), rights === 0 ? 0 : host / PAGE_SIZE, rights, leaf);
  }

  /** Maps the first `bytes` onto themselves, in pages of 1 GiB. @param bytes multiple of 1 GiB */
  mapIdentity(bytes: number, rights: number = Ept.all): void {
    if (bytes % GIB !== 0) throw new HardwareError('INVALID_ARGUMENT', `bytes: ${bytes} is not a multiple of 1 GiB`);
    for (let at = 0; at < bytes; at += HUGE_PAGE_SIZE) this.map(at, at, rights, HUGE_PAGE_SIZE);
  }

  /** Changes the rights of one 4 KiB page that is mapped, splitting the large page it lies in; 0 unmaps it. */
  protect(guest: number, rights: number): void {
    requireRights(rights);
    if (guest % PAGE_SIZE !== 0) throw new HardwareError('INVALID_ARGUMENT', `guest: ${guest} is not a multiple of 4096`);
    const entry = this.#entry(guest, 1);
    const frame = entryFrame(this.#memory.read32(entry), this.#memory.read32(entry + 4));
    // A page that was taken away before keeps no address: in an identity map it is its own.
    this.#write(entry, frame === 0 ? guest / PAGE_SIZE : frame, rights, 1);
  }

  /**
   * Unmaps what lies in [`start`, `end`): what is left is found by violations. Tables stay.
   * @param start guest-physical address, a multiple of 4096; a large page that begins before it stays @param end address behind the range
   * @returns true if something was mapped: cores that use the tables need an INVEPT
   */
  clear(start: number, end: number): boolean {
    return this.#clear(this.root, 4, 0, start, end);
  }

  #clear(table: number, level: number, base: number, start: number, end: number): boolean {
    const span = LEVEL_SPAN[level] as number;
    const last = Math.min(511, Math.ceil((end - base) / span) - 1);
    let cleared = false;
    for (let index = Math.max(0, Math.floor((start - base) / span)); index <= last; index++) {
      const entry = table * PAGE_SIZE + index * 8;
      const low = this.#memory.read32(entry);
      if ((low & RIGHTS) === 0) continue;
      const at = base + index * span;
      if (level > 1 && (low & Ept.pageSize) === 0) {
        cleared = this.#clear(entryFrame(low, this.#memory.read32(entry + 4)), level - 1, at, start, end) || cleared;
      } else if (at >= start) {
        this.#write(entry, 0, 0, level);
        cleared = true;
      }
    }
    return cleared;
  }

  /** Returns the frames of the tables. No core may use them any more (`GuestMode.forget`). */
  free(): void {
    this.#freeTable(this.root, 4);
  }

  #freeTable(table: number, level: number): void {
    for (let entry = table * PAGE_SIZE; level > 1 && entry < (table + 1) * PAGE_SIZE; entry += 8) {
      const low = this.#memory.read32(entry);
      if ((low & RIGHTS) !== 0 && (low & Ept.pageSize) === 0) this.#freeTable(entryFrame(low, this.#memory.read32(entry + 4)), level - 1);
    }
    this.#memory.free(table);
  }

  /** Address of the entry at `leaf`, with the tables above it made, and large pages above it split. */
  #entry(guest: number, leaf: number): number {
    let table = this.root;
    for (let level = 4; level > leaf; level--) {
      const entry = entryAddress(table, guest, level);
      const low = this.#memory.read32(entry);
      const high = this.#memory.read32(entry + 4);
      if ((low & RIGHTS) === 0 || (low & Ept.pageSize) !== 0) {
        const next = this.#table();
        if ((low & Ept.pageSize) !== 0) this.#split(next, entryFrame(low, high), low & RIGHTS, level - 1);
        this.#memory.write32(entry, entryLow(next, Ept.all));
        this.#memory.write32(entry + 4, entryHigh(next));
        table = next;
      } else {
        table = entryFrame(low, high);
      }
    }
    return entryAddress(table, guest, leaf);
  }

  /** Fills a table with entries that together map what one large page mapped. */
  #split(table: number, frame: number, rights: number, level: number): void {
    const frames = (LEVEL_SPAN[level] as number) / PAGE_SIZE;
    for (let i = 0; i < 512; i++) this.#write(table * PAGE_SIZE + i * 8, frame + i * frames, rights, level);
  }

  #write(entry: number, frame: number, rights: number, level: number): void {
    this.#memory.write32(entry, entryLow(frame, rights | (rights === 0 ? 0 : WRITE_BACK) | (level > 1 && rights !== 0 ? Ept.pageSize : 0)));
    this.#memory.write32(entry + 4, entryHigh(frame));
  }

  #table(): number {
    const frame = this.#memory.allocate();
    if (frame < 0) throw new HardwareError('OUT_OF_MEMORY', 'no frame left for a second-level table');
    this.#memory.fill(frame * PAGE_SIZE, PAGE_SIZE);
    return frame;
  }
}

/** A page that can be written and not read is an EPT misconfiguration (SDM vol. 3, 29.3.3.1). */
function requireRights(rights: number): void {
  if ((rights & ~RIGHTS) !== 0 || (rights & (Ept.read | Ept.write)) === Ept.write) {
    throw new HardwareError('INVALID_ARGUMENT', `rights: ${rights} is not 0, read, execute, read|write, read|execute or all`);
  }
}

/** In the flags of a guest-physical translation: data can be read. No flag of the TLBs has this bit. */
const READABLE = 1;

/**
 * One core's view through one set of second-level tables: walks them, caches guest-physical translations, and keeps what
 * the last walk found. A guest's page walk translates the address of every entry that it reads, then that of the page.
 */
export class SecondLevel {
  /** Tells the translations of this view apart in the TLBs: 1 .. 15; 0: none yet. */
  tag = 0;
  readonly root: number;
  /** The last translation failed: `guestPhysical` and `access` say on what. */
  violated = false;
  guestPhysical = 0;
  access = 0;
  /** Entries read since `begin`. */
  reads = 0;
  /** TLB flags that the entries of the last translation leave standing. */
  grant = 0;
  readonly #memory: PhysicalMemory;
  readonly #onViolation: (view: SecondLevel) => boolean;
  /** Guest-physical translations of tables and pages, 4 KiB each; flags are those of `grant`. */
  readonly #nested: Tlb = new Tlb(64, 4, PAGE_SIZE);

  /** @param onViolation the hypervisor: true if it has resolved the violation and the guest is to try again */
  constructor(memory: PhysicalMemory, root: number, onViolation: (view: SecondLevel) => boolean) {
    this.#memory = memory;
    this.root = root;
    this.#onViolation = onViolation;
  }

  /** A new page walk of the guest begins. */
  begin(): void {
    this.violated = false;
    this.reads = 0;
  }

  /** Physical address behind a guest-physical one for `access` (`Access` bits), or -1 with the violation left behind. */
  translate(guest: number, access: number): number {
    const entry = this.#nested.find(guest, 0) ?? this.#walk(guest);
    this.guestPhysical = guest;
    this.access = access;
    if (entry === null) {
      this.violated = true;
      return -1;
    }
    this.grant = entry.flags | TlbFlag.global;
    const need = (access & (TlbFlag.writable | TlbFlag.executable)) | ((access & TlbFlag.executable) === 0 ? READABLE : 0);
    if ((this.grant & need) !== need) {
      // What led to a violation is not kept (SDM vol. 3, 29.4.3.1): a right that the hypervisor grants is seen at once.
      this.#nested.dropPage(guest, 0, Globals.DROP);
      this.violated = true;
      return -1;
    }
    return entry.frame * PAGE_SIZE + (guest & PAGE_MASK);
  }

  /** The page translated last can be executed but not read: its translation serves fetches only. */
  get executeOnly(): boolean {
    return (this.grant & READABLE) === 0;
  }

  /** The walker may set bits in the entry it translated last. */
  mayWrite(): boolean {
    if ((this.grant & TlbFlag.writable) !== 0) return true;
    this.#nested.dropPage(this.guestPhysical, 0, Globals.DROP);
    this.access |= Access.write;
    this.violated = true;
    return false;
  }

  /** Takes the violation to the hypervisor. @returns true if the guest is to try again */
  exit(): boolean {
    return this.#onViolation(this);
  }

  /** Drops the cached guest-physical translations. */
  flush(): void {
    this.#nested.dropAll(Globals.DROP);
  }

  #walk(guest: number): TlbEntry | null {
    let table = this.root;
    let rights = RIGHTS;
    for (let level = 4; ; level--) {
      const entry = entryAddress(table, guest, level);
      const low = this.#memory.read32(entry);
      this.reads++;
      rights &= low;
      if ((low & RIGHTS) === 0) return null;
      const frame = entryFrame(low, this.#memory.read32(entry + 4));
      if (level > 1 && (low & Ept.pageSize) === 0) {
        table = frame;
        continue;
      }
      const size = level === 3 ? HUGE_PAGE_SIZE : level === 2 ? LARGE_PAGE_SIZE : PAGE_SIZE;
      // All flags except those the entry withholds: user rights and keys are checked in the guest's own tables.
      let grant = ~(READABLE | TlbFlag.writable | TlbFlag.executable);
      if ((rights & Ept.read) !== 0) grant |= READABLE;
      if ((rights & Ept.write) !== 0) grant |= TlbFlag.writable;
      if ((rights & Ept.execute) !== 0) grant |= TlbFlag.executable;
      return this.#nested.insert(guest, 0, frame + ((guest & (size - 1)) >>> PAGE_SHIFT), grant & ~TlbFlag.global);
    }
  }
}
