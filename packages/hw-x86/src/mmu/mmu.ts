import type { CpuProfile } from '../costs/profile.js';
import { HwStep } from '../costs/steps.js';
import { HUGE_PAGE_SIZE, LARGE_PAGE_SIZE, PAGE_MASK, PAGE_SIZE } from '../memory/address.js';
import { entryAddress, entryFrame, LEVEL_SPAN, Pte } from '../memory/page-table.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { taggedNumber } from '../tagged-number.js';
import type { CoreClock } from '../time/core-clock.js';
import type { SecondLevel } from './second-level.js';
import { EMPTY_ENTRY, Globals, Tlb, type TlbEntry, TlbFlag, type TlbUses, translationSpace } from './tlb.js';

/**
 * What an access asks for. The values double as the bits of a page-fault error code (SDM vol. 3, 4.7), but for
 * `write`, which also asks for the dirty bit, and `ac` (EFLAGS.AC set: SMAP does not apply).
 */
export const Access = {
  read: 0,
  write: 0x42,
  user: 0x4,
  fetch: 0x10,
  ac: 0x80,
} as const;

/** What a write of CR3 does with the translations of the PCID that it loads. */
export const Translations = { DROP: false, KEEP: true } as const;

export type Translations = (typeof Translations)[keyof typeof Translations];

/** Page-fault error code bits. */
export const FaultCode = { present: 1, write: 2, user: 4, reserved: 8, fetch: 16, protectionKey: 32 } as const;

const CODE_BITS = 0x16;
/** Bits that must be zero in the low half of an entry that maps a page, by level (SDM vol. 3, tables 4-15 to 4-20). */
const RESERVED_LOW = [0, 0, 0x1f_e000, 0x3fff_e000];

/** Flags of a TLB entry that a table entry grants; bits of the levels are combined by AND, execute-disable by OR. */
const GRANT_ALL = TlbFlag.writable | TlbFlag.user | TlbFlag.executable;

/** Places for recent translations; a power of two. */
const RECENT = 256;

/** What an MMU begins with: a copy of this is made at once, and not one by one. */
const NO_RECENT: readonly TlbEntry[] = Array.from({ length: RECENT }, () => EMPTY_ENTRY);

/** Where a translation is kept, by the low half of an address in the page. Processes that share a page get different slots. */
function hash(low: number, space: number): number {
  return ((low >>> 12) ^ (low >>> 20) ^ (space << 5)) & (RECENT - 1);
}

/**
 * One core's memory-management unit: split L1 TLBs, a unified second-level TLB, paging-structure caches, and the walker.
 * `translate` answers with a physical address, or -1 and leaves the fault in `faultAddress` and `faultCode`.
 * A translation stays in use until it is invalidated, whatever the tables say meanwhile.
 */
export class Mmu {
  /** Frame of the top-level table. */
  root = 0;
  pcid = 0;
  /** Whose translations are in use: `translationSpace` of the PCID and the second-level tables' tag. */
  space = 0;
  /** CR4.SMEP, CR4.SMAP, CR0.WP. */
  smep = true;
  smap = true;
  wp = true;
  /** CR4.PGE: G bits count. Write it with `writePge`, as a change flushes. */
  pge = true;
  /**
   * Charges the walker's read of the entry at a physical address, where caches are modelled. Otherwise each read costs
   * `walkLevel`, as with warm tables.
   */
  readEntry: ((address: number) => void) | null = null;
  /** Second-level tables, if the core runs a guest. */
  second: SecondLevel | null = null;

  /** Of the last fault: the linear address (CR2). */
  faultAddress: number = taggedNumber();
  /** Of the last fault: `FaultCode` bits. */
  faultCode = 0;

  readonly d4k: Tlb;
  readonly d2m: Tlb;
  readonly d1g: Tlb;
  readonly i4k: Tlb;
  readonly i2m: Tlb;
  readonly s4k: Tlb;
  /** The second-level TLB that 4 KiB pages share with those of 1 GiB; `s4k` again where they do not. */
  readonly s4k1g: Tlb;
  readonly s2m: Tlb;
  readonly s1g: Tlb;
  /** Paging-structure caches: for levels 4, 3 and 2, the table the entry points to and the rights down to it. */
  readonly structure: readonly Tlb[];

  /**
   * Asked about an entry that is not present and not zero, at physical address `entry`, before its walk ends in a fault: a
   * kernel model may keep tables of a regular shape in short and write them out when the hardware gets there. True if the
   * entry has become present. It takes no time: on the modelled hardware the entry was there all along.
   */
  unfold: ((entry: number, level: number, address: number) => boolean) | null = null;

  /** Since boot. */
  walks = 0;
  stlbHits = 0;

  #pkru = 0;
  #pke: boolean;
  /** PKRU as far as it counts: nothing is denied without CR4.PKE. */
  #keyRights = 0;

  /** First-level entries of 4 KiB data pages that were used lately, each at the hash of its page. */
  readonly #recent: TlbEntry[] = NO_RECENT.slice();
  readonly #uses: TlbUses;
  readonly #clock: CoreClock;
  readonly #memory: PhysicalMemory;
  /** Every cache of translations; `s2m` shares its entries with `s4k`, `s1g` perhaps with `s4k1g`. */
  readonly #all: readonly Tlb[];
  readonly #stlbCycles: number;
  readonly #levelCycles: number;
  /** Bits that must be zero in the high half of any entry: those above the physical address width. */
  readonly #reservedHigh: number;
  readonly #gib1Pages: boolean;
  /** Bit of the page number that tells which of the second-level TLBs a 4 KiB page is in; 0 if there is one. */
  readonly #halfBit: number;

  constructor(clock: CoreClock, memory: PhysicalMemory, profile: CpuProfile) {
    this.#clock = clock;
    this.#memory = memory;
    this.faultAddress = 0;
    const { tlb } = profile;
    this.d4k = new Tlb(tlb.l1d4k.entries, tlb.l1d4k.ways, PAGE_SIZE);
    this.#uses = this.d4k.uses;
    this.d2m = new Tlb(tlb.l1d2m.entries, tlb.l1d2m.ways, LARGE_PAGE_SIZE);
    this.d1g = new Tlb(tlb.l1d1g.entries, tlb.l1d1g.ways, HUGE_PAGE_SIZE);
    this.i4k = new Tlb(tlb.l1i4k.entries, tlb.l1i4k.ways, PAGE_SIZE);
    this.i2m = new Tlb(tlb.l1i2m.entries, tlb.l1i2m.ways, LARGE_PAGE_SIZE);
    this.s4k = new Tlb(tlb.stlb.entries, tlb.stlb.ways, PAGE_SIZE);
    this.s2m = new Tlb(tlb.stlb.entries, tlb.stlb.ways, LARGE_PAGE_SIZE, this.s4k);
    const { entries, ways, with4k = false } = tlb.stlb1g;
    this.s4k1g = with4k ? new Tlb(entries, ways, PAGE_SIZE) : this.s4k;
    this.s1g = new Tlb(entries, ways, HUGE_PAGE_SIZE, with4k ? this.s4k1g : undefined);
    this.#halfBit = with4k ? this.s4k.setMask + 1 : 0;
    this.structure = [new Tlb(32, 4, LARGE_PAGE_SIZE), new Tlb(16, 4, HUGE_PAGE_SIZE), new Tlb(16, 4, 512 * HUGE_PAGE_SIZE)];
    this.#all = [this.d4k, this.d2m, this.d1g, this.i4k, this.i2m, this.s4k, this.s4k1g, this.s1g, ...this.structure];
    this.#pke = profile.features.pku;
    this.#gib1Pages = profile.features.gib1Pages;
    this.#reservedHigh = 0xf_ffff & ~(2 ** (profile.physicalAddressBits - 32) - 1);
    this.#stlbCycles = Math.round(clock.costs.primitive('stlbHit'));
    this.#levelCycles = Math.round(clock.costs.primitive('walkLevel'));
  }

  /** PKRU: two bits per protection key, bit 2k denies access, bit 2k+1 denies writes. */
  get pkru(): number {
    return this.#pkru;
  }

  set pkru(value: number) {
    this.#pkru = value;
    if (this.#pke) this.#keyRights = value;
  }

  /** CR4.PKE. */
  get pke(): boolean {
    return this.#pke;
  }

  set pke(on: boolean) {
    this.#pke = on;
    this.#keyRights = on ? this.#pkru : 0;
  }

  /**
   * A shortcut to a recently used translation that allows a user-mode data access of kind `access`; null if there is none, and
   * `translate` must decide. The recent translations are in an array of their own, indexed by a hash of the page that separates
   * pages of one TLB set. The real TLB counts every use.
   */
  recent(address: number, access: number): TlbEntry | null {
    const entry = this.lately(address);
    return entry.page === address - (address & PAGE_MASK) && this.hit(entry, access) ? entry : null;
  }

  /** The entry in the slot for the page around `address`: its translation if that was used recently, else another one. */
  lately(address: number): TlbEntry {
    return this.#recent[hash(address | 0, this.space)] as TlbEntry;
  }

  /** True if `entry`, a first-level one of this core, allows an access of kind `access` as it is; counts as a use then. */
  hit(entry: TlbEntry, access: number): boolean {
    const need = access & (Access.write | Access.user);
    if (
      this.admits(entry) &&
      (entry.flags & need) === need &&
      // User mode, or the kernel copying with AC set; other kernel accesses have SMAP to answer to.
      (access & (Access.user | Access.ac)) !== 0
    ) {
      this.use(entry);
      return true;
    }
    return false;
  }

  /** The entry belongs to the space in use, and its protection key denies nothing. */
  admits(entry: TlbEntry): boolean {
    return entry.space === this.space && ((this.#keyRights >>> ((entry.flags >>> (TlbFlag.keyShift - 1)) & 0x1e)) & 3) === 0;
  }

  /** `entry`, a first-level one of this core, is used. */
  use(entry: TlbEntry): void {
    entry.lastUse = ++this.#uses.count;
  }

  /**
   * Physical address behind `address` for an access of kind `access`, or -1 on a fault.
   * Misses and walks are charged to the core; a hit in the first level is free (it is part of the instruction).
   */
  translate(address: number, access: number): number {
    const fetch = (access & Access.fetch) !== 0;
    if (!fetch) {
      const entry = this.recent(address, access);
      if (entry !== null) return entry.frame * PAGE_SIZE + (address & PAGE_MASK);
    }
    const l1 = fetch ? this.i4k : this.d4k;
    let entry = l1.find(address, this.space);
    if (entry !== null) {
      if (!fetch && entry.space === this.space) this.#recent[hash(address | 0, this.space)] = entry;
      return this.#use(entry, PAGE_MASK, address, access);
    }
    const l1Large = fetch ? this.i2m : this.d2m;
    if (l1Large.filled) {
      entry = l1Large.find(address, this.space);
      if (entry !== null) return this.#use(entry, LARGE_PAGE_SIZE - 1, address, access);
    }
    if (!fetch && this.d1g.filled) {
      entry = this.d1g.find(address, this.space);
      if (entry !== null) return this.#use(entry, HUGE_PAGE_SIZE - 1, address, access);
    }

    const s4k = this.#stlb(address);
    entry = s4k.find(address, this.space);
    if (entry !== null) return this.#promote(l1, s4k, entry, address, access);
    if (this.s2m.filled) {
      entry = this.s2m.find(address, this.space);
      if (entry !== null) return this.#promote(l1Large, this.s2m, entry, address, access);
    }
    if (this.s1g.filled) {
      entry = this.s1g.find(address, this.space);
      // There are no first-level entries for fetches from 1 GiB pages: the 2 MiB around the address stand in.
      if (entry !== null) return this.#promote(fetch ? this.i2m : this.d1g, this.s1g, entry, address, access);
    }

    return this.#walk(address, access);
  }

  #stlb(address: number): Tlb {
    return (Math.floor(address / PAGE_SIZE) & this.#halfBit) === 0 ? this.s4k : this.s4k1g;
  }

  /** A hit in the second level: the page moves to the first level, or as much of it as a page has there. */
  #promote(l1: Tlb, l2: Tlb, entry: TlbEntry, address: number, access: number): number {
    this.stlbHits++;
    this.#clock.chargeCycles(HwStep.stlbHit, this.#stlbCycles);
    const part = address & (l2.pageSize - 1) & -l1.pageSize;
    const inserted = l1.insert(address, this.space, entry.frame + part / PAGE_SIZE, entry.flags);
    return this.#use(inserted, l1.pageSize - 1, address, access);
  }

  /** A translation was found: checks its rights. A write through an entry whose D bit is clear walks again to set it. */
  #use({ frame, flags }: TlbEntry, offsetMask: number, address: number, access: number): number {
    const code = this.#deny(flags, access);
    if (code >= 0) {
      // A denied access makes the processor walk again before it faults (SDM vol. 3, 4.10.4.1), so that a right
      // granted since the translation was cached is honoured without a flush.
      this.#drop(address);
      return this.#walk(address, access);
    }
    if ((access & TlbFlag.dirty) !== 0 && (flags & TlbFlag.dirty) === 0) {
      this.#drop(address);
      return this.#walk(address, access);
    }
    return frame * PAGE_SIZE + (address & offsetMask);
  }

  /**
   * The fault code of a denied access to a present page, or -1 if `flags` allow it (SDM vol. 3, 4.6 and 4.7).
   * The protection-key bit tells whether PKRU denies the access, whatever else does.
   */
  #deny(flags: number, access: number): number {
    const user = (access & Access.user) !== 0;
    const userPage = (flags & TlbFlag.user) !== 0;
    let denied: boolean;
    let key = 0;
    if ((access & Access.fetch) !== 0) {
      denied = (flags & TlbFlag.executable) === 0 || (user ? !userPage : userPage && this.smep);
    } else {
      const protectedWrite = (access & FaultCode.write) !== 0 && (user || this.wp);
      denied = protectedWrite && (flags & TlbFlag.writable) === 0;
      if (!userPage) {
        denied ||= user;
      } else {
        denied ||= !user && this.smap && (access & Access.ac) === 0;
        const rights = this.#keyRights >>> ((flags >>> (TlbFlag.keyShift - 1)) & 0x1e);
        if ((rights & 1) !== 0 || ((rights & 2) !== 0 && protectedWrite)) key = FaultCode.protectionKey;
      }
    }
    return denied || key !== 0 ? FaultCode.present | (access & CODE_BITS) | key : -1;
  }

  /** Walks the tables from the deepest cached structure entry, sets A and D, enters the translation. */
  #walk(address: number, access: number): number {
    const { second } = this;
    if (second === null) return this.#walkOnce(address, access);
    for (;;) {
      const physical = this.#walkOnce(address, access);
      // An EPT violation goes to the hypervisor. Once it is resolved, the guest repeats the access.
      if (physical >= 0 || !second.violated || !second.exit()) return physical;
    }
  }

  #walkOnce(address: number, access: number): number {
    const memory = this.#memory;
    const { second } = this;
    let table = this.root;
    let level = 4;
    let grant: number = GRANT_ALL;
    for (let cached = 2; cached <= 4; cached++) {
      const cache = this.structure[cached - 2] as Tlb;
      const cachedEntry = cache.find(address, this.space);
      if (cachedEntry !== null) {
        table = cachedEntry.frame;
        grant = cachedEntry.flags;
        level = cached - 1;
        break;
      }
    }
    let reads = 0;
    if (second !== null) second.begin();
    for (; ; level--) {
      let entry = entryAddress(table, address, level);
      if (second !== null) {
        entry = second.translate(entry, Access.read);
        if (entry < 0) return this.#violation(address, access, reads);
      }
      reads++;
      if (this.readEntry !== null) this.readEntry(entry);
      let low = memory.read32(entry);
      let high = memory.read32(entry + 4);
      if ((low & Pte.present) === 0) {
        if (low === 0 || this.unfold?.(entry, level, address) !== true) return this.#fault(address, access & CODE_BITS, reads);
        low = memory.read32(entry);
        high = memory.read32(entry + 4);
      }
      const leaf = level === 1 || (level < 4 && (low & Pte.pageSize) !== 0);
      if ((high & this.#reservedHigh) !== 0 || (level > 1 && this.#reserved(low, level))) {
        return this.#fault(address, FaultCode.present | FaultCode.reserved | (access & CODE_BITS), reads);
      }
      if ((low & Pte.writable) === 0) grant &= ~TlbFlag.writable;
      if ((low & Pte.user) === 0) grant &= ~TlbFlag.user;
      if (high < 0) grant &= ~TlbFlag.executable;
      if (!leaf) {
        if ((low & Pte.accessed) === 0) {
          if (second !== null && !second.mayWrite()) return this.#violation(address, access, reads);
          memory.write32(entry, low | Pte.accessed);
        }
        table = entryFrame(low, high);
        const cache = this.structure[level - 2] as Tlb;
        cache.insert(address, this.space, table, grant);
        continue;
      }
      const key = (high >>> Pte.keyShift) & 0xf;
      const code = this.#deny(grant | (key << TlbFlag.keyShift), access);
      if (code >= 0) return this.#fault(address, code, reads);
      const write = (access & FaultCode.write) !== 0;
      const marked = low | Pte.accessed | (write ? Pte.dirty : 0);
      if (marked !== low) {
        if (second !== null && !second.mayWrite()) return this.#violation(address, access, reads);
        memory.write32(entry, marked);
      }
      let flags = grant | (key << TlbFlag.keyShift);
      if ((marked & Pte.dirty) !== 0) flags |= TlbFlag.dirty;
      if (this.pge && (low & Pte.global) !== 0) flags |= TlbFlag.global;
      const frame = entryFrame(low, high);
      if (second !== null) return this.#enterGuest(second, address, level, frame, flags, access, reads);
      this.#chargeWalk(reads);
      return this.#enter(address, level, frame, flags, (access & Access.fetch) !== 0);
    }
  }

  #reserved(low: number, level: number): boolean {
    if ((low & Pte.pageSize) === 0) return false;
    return level === 4 || (level === 3 && !this.#gib1Pages) || (low & (RESERVED_LOW[level] as number)) !== 0;
  }

  #enter(address: number, level: number, frame: number, flags: number, fetch: boolean): number {
    if (level === 1) {
      this.#stlb(address).insert(address, this.space, frame, flags);
      (fetch ? this.i4k : this.d4k).insert(address, this.space, frame, flags);
      return frame * PAGE_SIZE + (address & PAGE_MASK);
    }
    const size = level === 2 ? LARGE_PAGE_SIZE : HUGE_PAGE_SIZE;
    // Bit 12 of a large entry is its PAT bit, not part of the frame number.
    const first = frame - (frame & (size / PAGE_SIZE - 1));
    (level === 2 ? this.s2m : this.s1g).insert(address, this.space, first, flags);
    if (level === 2) (fetch ? this.i2m : this.d2m).insert(address, this.space, first, flags);
    else if (!fetch) this.d1g.insert(address, this.space, first, flags);
    return first * PAGE_SIZE + (address & (size - 1));
  }

  /** The last step of a guest's walk: the page itself. The translation entered is the 4 KiB around the address. */
  #enterGuest(second: SecondLevel, address: number, level: number, frame: number, flags: number, access: number, reads: number): number {
    const size = LEVEL_SPAN[level] as number;
    const first = frame - (frame & (size / PAGE_SIZE - 1));
    const host = second.translate(first * PAGE_SIZE + (address & (size - 1)), access);
    if (host < 0) return this.#violation(address, access, reads);
    this.#chargeWalk(reads + second.reads);
    const hostFrame = Math.floor(host / PAGE_SIZE);
    if (second.executeOnly) {
      // Only the TLB for fetches may have it: the others do not ask whether a page can be read.
      this.i4k.insert(address, this.space, hostFrame, flags & second.grant);
      return hostFrame * PAGE_SIZE + (address & PAGE_MASK);
    }
    return this.#enter(address, 1, hostFrame, flags & second.grant, (access & Access.fetch) !== 0);
  }

  /** An unresolved EPT violation reaches the guest as the #PF that a hypervisor would inject: on a present page. */
  #violation(address: number, access: number, reads: number): number {
    return this.#report(address, FaultCode.present | (access & CODE_BITS), reads);
  }

  /** Reports a fault. Translations cached for the address are dropped (SDM vol. 3, 4.10.4.1), so that a repaired table is seen. */
  #fault(address: number, code: number, reads: number): number {
    this.#drop(address);
    for (const cache of this.structure) cache.dropPage(address, this.pcid, Globals.DROP);
    return this.#report(address, code, reads);
  }

  #report(address: number, code: number, reads: number): number {
    this.#chargeWalk(reads + (this.second === null ? 0 : this.second.reads));
    this.faultAddress = address;
    this.faultCode = code;
    return -1;
  }

  #chargeWalk(reads: number): void {
    this.walks++;
    // The second-level TLB missed first, which takes as long as a hit.
    const levels = this.readEntry === null ? reads * this.#levelCycles : 0;
    this.#clock.chargeCycles(HwStep.pageWalk, this.#stlbCycles + levels);
  }

  /** Drops all cached translations of one address in the current context. */
  #drop(address: number): void {
    this.d4k.dropPage(address, this.pcid, Globals.DROP);
    this.i4k.dropPage(address, this.pcid, Globals.DROP);
    this.#stlb(address).dropPage(address, this.pcid, Globals.DROP);
    this.d2m.dropPage(address, this.pcid, Globals.DROP);
    this.i2m.dropPage(address, this.pcid, Globals.DROP);
    this.s2m.dropPage(address, this.pcid, Globals.DROP);
    this.d1g.dropPage(address, this.pcid, Globals.DROP);
    this.s1g.dropPage(address, this.pcid, Globals.DROP);
  }

  /** INVLPG: drops the page's translations in the current PCID and global ones, and all paging-structure entries of the PCID. */
  invlpg(address: number): void {
    this.#drop(address);
    for (const cache of this.structure) cache.dropContext(this.pcid);
  }

  /** INVPCID type 0: as INVLPG for another PCID, but global translations stay. */
  invpcidAddress(address: number, pcid: number): void {
    this.s2m.dropPage(address, pcid, Globals.KEEP);
    for (const tlb of this.#all) tlb.dropPage(address, pcid, Globals.KEEP);
    for (const cache of this.structure) cache.dropContext(pcid);
  }

  /** INVPCID type 1, and a CR3 write without the no-flush bit: drops the non-global translations of one PCID. */
  invpcidContext(pcid: number): void {
    for (const tlb of this.#all) tlb.dropContext(pcid);
  }

  /** INVPCID type 2 (global translations are dropped, too) and 3 (they stay). */
  invpcidAll(globals: Globals): void {
    for (const tlb of this.#all) tlb.dropAll(globals);
  }

  /**
   * Loads CR3.
   * @param translations those of `pcid`: KEEP is bit 63 of the value written. Without PCIDs (`pcid` 0) a load always drops them.
   */
  loadRoot(root: number, pcid: number, translations: Translations): void {
    this.root = root;
    this.pcid = pcid;
    this.space = translationSpace(pcid, this.second === null ? 0 : this.second.tag);
    if (translations === Translations.DROP) this.invpcidContext(pcid);
  }

  /** Writes CR4.PGE. A change drops everything, global translations too (SDM vol. 3, 4.10.4.1). */
  writePge(on: boolean): void {
    if (this.pge !== on) this.invpcidAll(Globals.DROP);
    this.pge = on;
  }

  /**
   * Selects the second-level tables that the guest runs on, or none. Nothing is flushed: translations are tagged with
   * the tables they came through.
   */
  selectSecondLevel(second: SecondLevel | null): void {
    this.second = second;
    this.space = translationSpace(this.pcid, second === null ? 0 : second.tag);
  }

  /** INVEPT: drops the translations that came through tables with `tag`, or through any second-level tables (undefined). */
  invept(tag?: number): void {
    for (const tlb of this.#all) tlb.dropSecondLevel(tag);
  }
}
