import { HUGE_PAGE_SIZE, LARGE_PAGE_SIZE, PAGE_MASK, PAGE_SIZE } from './address.js';
import type { Cpu } from './cpu.js';
import { entryAddress, entryFrame, Pte } from './page-table.js';
import type { PhysicalMemory } from './physical-memory.js';
import type { CpuProfile } from './profile.js';
import { HwStep } from './steps.js';
import { Tlb, TlbFlag } from './tlb.js';

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

/** Page-fault error code bits. */
export const FaultCode = { present: 1, write: 2, user: 4, reserved: 8, fetch: 16, protectionKey: 32 } as const;

const CODE_BITS = 0x16;
/** Bits of a level-1 entry's high half that must be zero with 46 physical address bits: 14..19. */
const RESERVED_HIGH = 0xfc000;

/** Flags of a TLB entry that a table entry grants; bits of the levels are combined by AND, execute-disable by OR. */
const GRANT_ALL = TlbFlag.writable | TlbFlag.user | TlbFlag.executable;

/**
 * One core's memory-management unit: split L1 TLBs, a unified second-level TLB, paging-structure caches, and the walker.
 * `translate` answers with a physical address, or -1 and leaves the fault in `faultAddress` and `faultCode`.
 * A translation stays in use until it is invalidated, whatever the tables say meanwhile.
 */
export class Mmu {
  /** PKRU: two bits per protection key, bit 2k denies access, bit 2k+1 denies writes. */
  pkru = 0;
  /** Frame of the top-level table. */
  root = 0;
  pcid = 0;
  /** CR4.PKE, CR4.SMEP, CR4.SMAP, CR0.WP. */
  pke = true;
  smep = true;
  smap = true;
  wp = true;

  faultAddress = 0;
  faultCode = 0;

  readonly d4k: Tlb;
  readonly d2m: Tlb;
  readonly d1g: Tlb;
  readonly i4k: Tlb;
  readonly i2m: Tlb;
  readonly s4k: Tlb;
  readonly s2m: Tlb;
  readonly s1g: Tlb;
  /** Paging-structure caches: for levels 4, 3 and 2, the table the entry points to and the rights down to it. */
  readonly structure: readonly Tlb[];

  /** Since boot. */
  walks = 0;
  stlbHits = 0;

  readonly #cpu: Cpu;
  readonly #memory: PhysicalMemory;
  readonly #stlbCycles: number;
  readonly #levelCycles: number;

  constructor(cpu: Cpu, memory: PhysicalMemory, profile: CpuProfile) {
    this.#cpu = cpu;
    this.#memory = memory;
    const { tlb } = profile;
    this.d4k = new Tlb(tlb.l1d4k.entries, tlb.l1d4k.ways, PAGE_SIZE);
    this.d2m = new Tlb(tlb.l1d2m.entries, tlb.l1d2m.ways, LARGE_PAGE_SIZE);
    this.d1g = new Tlb(tlb.l1d1g.entries, tlb.l1d1g.ways, HUGE_PAGE_SIZE);
    this.i4k = new Tlb(tlb.l1i4k.entries, tlb.l1i4k.ways, PAGE_SIZE);
    this.i2m = new Tlb(tlb.l1i2m.entries, tlb.l1i2m.ways, LARGE_PAGE_SIZE);
    this.s4k = new Tlb(tlb.stlb.entries, tlb.stlb.ways, PAGE_SIZE);
    this.s2m = new Tlb(tlb.stlb.entries, tlb.stlb.ways, LARGE_PAGE_SIZE);
    this.s1g = new Tlb(tlb.stlb1g.entries, tlb.stlb1g.ways, HUGE_PAGE_SIZE);
    this.structure = [new Tlb(32, 4, LARGE_PAGE_SIZE), new Tlb(16, 4, HUGE_PAGE_SIZE), new Tlb(16, 4, 512 * HUGE_PAGE_SIZE)];
    this.pke = profile.features.pku;
    this.#stlbCycles = Math.round(cpu.costs.primitive('stlbHit'));
    this.#levelCycles = Math.round(cpu.costs.primitive('walkLevel'));
  }

  /**
   * Physical address behind `address` for an access of kind `access`, or -1 on a fault.
   * Misses and walks are charged to the core; a hit in the first level is free (it is part of the instruction).
   */
  translate(address: number, access: number): number {
    const offset = address & PAGE_MASK;
    const page = address - offset;
    const tlb = this.d4k;
    const at = tlb.mru[(page / PAGE_SIZE) & tlb.setMask] as number;
    if (tlb.tags[at] === page + this.pcid && (access & Access.fetch) === 0) {
      const flags = tlb.flags[at] as number;
      const need = access & 0x46;
      // User mode, or the kernel copying with AC set; other kernel accesses have SMAP to answer to.
      if ((flags & need) === need && (access & (Access.user | Access.ac)) !== 0) {
        const denied = (this.pkru >>> ((flags >>> (TlbFlag.keyShift - 1)) & 0x1e)) & 3;
        if (denied === 0 || !this.pke) return (tlb.frames[at] as number) * PAGE_SIZE + offset;
      }
    }
    return this.#lookUp(address, page, offset, access);
  }

  /** Every way a translation can go that is not a repeated user-mode data hit. */
  #lookUp(address: number, page: number, offset: number, access: number): number {
    const fetch = (access & Access.fetch) !== 0;
    const l1 = fetch ? this.i4k : this.d4k;
    let at = l1.find(page, this.pcid);
    if (at >= 0) return this.#use(l1, at, address, offset, access);

    const large = address - (address & (LARGE_PAGE_SIZE - 1));
    const l1Large = fetch ? this.i2m : this.d2m;
    at = l1Large.find(large, this.pcid);
    if (at >= 0) return this.#use(l1Large, at, address, address - large, access);

    const huge = address - (address & (HUGE_PAGE_SIZE - 1));
    if (!fetch) {
      at = this.d1g.find(huge, this.pcid);
      if (at >= 0) return this.#use(this.d1g, at, address, address - huge, access);
    }

    at = this.s4k.find(page, this.pcid);
    if (at >= 0) return this.#promote(l1, this.s4k, at, page, address, offset, access);
    at = this.s2m.find(large, this.pcid);
    if (at >= 0) return this.#promote(l1Large, this.s2m, at, large, address, address - large, access);
    at = this.s1g.find(huge, this.pcid);
    if (at >= 0) return this.#promote(this.d1g, this.s1g, at, huge, address, address - huge, access);

    return this.#walk(address, access);
  }

  #promote(l1: Tlb, l2: Tlb, at: number, page: number, address: number, offset: number, access: number): number {
    this.stlbHits++;
    this.#cpu.chargeCycles(HwStep.stlbHit, this.#stlbCycles);
    const inserted = l1.insert(page, this.pcid, l2.frames[at] as number, l2.flags[at] as number);
    return this.#use(l1, inserted, address, offset, access);
  }

  /** A translation is at hand: are the rights? A write through an entry whose page is clean goes back to set D. */
  #use(tlb: Tlb, at: number, address: number, offset: number, access: number): number {
    const flags = tlb.flags[at] as number;
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
    return (tlb.frames[at] as number) * PAGE_SIZE + offset;
  }

  /** The fault code of a denied access to a present page, or -1 if `flags` allow it. */
  #deny(flags: number, access: number): number {
    const user = (access & Access.user) !== 0;
    const write = (access & FaultCode.write) !== 0;
    const code = FaultCode.present | (access & CODE_BITS);
    if (user && (flags & TlbFlag.user) === 0) return code;
    if ((access & Access.fetch) !== 0) {
      if ((flags & TlbFlag.executable) === 0) return code;
      return !user && this.smep && (flags & TlbFlag.user) !== 0 ? code : -1;
    }
    if (write && (flags & TlbFlag.writable) === 0 && (user || this.wp)) return code;
    if ((flags & TlbFlag.user) === 0) return -1;
    if (!user && this.smap && (access & Access.ac) === 0) return code;
    if (!this.pke) return -1;
    const denied = this.pkru >>> ((flags >>> (TlbFlag.keyShift - 1)) & 0x1e);
    if ((denied & 1) !== 0) return code | FaultCode.protectionKey;
    if ((denied & 2) !== 0 && write && (user || this.wp)) return code | FaultCode.protectionKey;
    return -1;
  }

  /** Walks the tables from the deepest cached structure entry, sets A and D, enters the translation. */
  #walk(address: number, access: number): number {
    const memory = this.#memory;
    let table = this.root;
    let level = 4;
    let grant: number = GRANT_ALL;
    for (let cached = 2; cached <= 4; cached++) {
      const cache = this.structure[cached - 2] as Tlb;
      const base = Math.floor(address / cache.pageSize) * cache.pageSize;
      const at = cache.find(base, this.pcid);
      if (at >= 0) {
        table = cache.frames[at] as number;
        grant = cache.flags[at] as number;
        level = cached - 1;
        break;
      }
    }
    const top = level;
    for (; ; level--) {
      const entry = entryAddress(table, address, level);
      const low = memory.read32(entry);
      const high = memory.read32(entry + 4);
      if ((low & Pte.present) === 0) return this.#fault(address, access & CODE_BITS, top - level + 1);
      const leaf = level === 1 || (level < 4 && (low & Pte.pageSize) !== 0);
      if ((high & RESERVED_HIGH) !== 0 || (level === 4 && (low & Pte.pageSize) !== 0)) {
        const code = FaultCode.present | FaultCode.reserved | (access & CODE_BITS);
        return this.#fault(address, code, top - level + 1);
      }
      if ((low & Pte.writable) === 0) grant &= ~TlbFlag.writable;
      if ((low & Pte.user) === 0) grant &= ~TlbFlag.user;
      if (high < 0) grant &= ~TlbFlag.executable;
      if (!leaf) {
        if ((low & Pte.accessed) === 0) memory.write32(entry, low | Pte.accessed);
        table = entryFrame(low, high);
        const cache = this.structure[level - 2] as Tlb;
        cache.insert(Math.floor(address / cache.pageSize) * cache.pageSize, this.pcid, table, grant);
        continue;
      }
      const key = (high >>> Pte.keyShift) & 0xf;
      const code = this.#deny(grant | (key << TlbFlag.keyShift), access);
      if (code >= 0) return this.#fault(address, code, top - level + 1);
      const write = (access & FaultCode.write) !== 0;
      const marked = low | Pte.accessed | (write ? Pte.dirty : 0);
      if (marked !== low) memory.write32(entry, marked);
      let flags = grant | (key << TlbFlag.keyShift);
      if ((marked & Pte.dirty) !== 0) flags |= TlbFlag.dirty;
      if ((low & Pte.global) !== 0) flags |= TlbFlag.global;
      this.#chargeWalk(top - level + 1);
      return this.#enter(address, level, entryFrame(low, high), flags, (access & Access.fetch) !== 0);
    }
  }

  #enter(address: number, level: number, frame: number, flags: number, fetch: boolean): number {
    if (level === 1) {
      const page = address - (address & PAGE_MASK);
      this.s4k.insert(page, this.pcid, frame, flags);
      (fetch ? this.i4k : this.d4k).insert(page, this.pcid, frame, flags);
      return frame * PAGE_SIZE + (address - page);
    }
    const size = level === 2 ? LARGE_PAGE_SIZE : HUGE_PAGE_SIZE;
    const page = address - (address & (size - 1));
    // Bit 12 of a large entry is its PAT bit, not part of the frame number.
    const first = frame - (frame & (size / PAGE_SIZE - 1));
    (level === 2 ? this.s2m : this.s1g).insert(page, this.pcid, first, flags);
    if (level === 2) (fetch ? this.i2m : this.d2m).insert(page, this.pcid, first, flags);
    else this.d1g.insert(page, this.pcid, first, flags);
    return first * PAGE_SIZE + (address - page);
  }

  #fault(address: number, code: number, levels: number): number {
    this.#chargeWalk(levels);
    this.faultAddress = address;
    this.faultCode = code;
    return -1;
  }

  #chargeWalk(levels: number): void {
    this.walks++;
    this.#cpu.chargeCycles(HwStep.pageWalk, levels * this.#levelCycles);
  }

  /** Drops all cached translations of one address in the current context. */
  #drop(address: number): void {
    const page = address - (address & PAGE_MASK);
    const large = address - (address & (LARGE_PAGE_SIZE - 1));
    const huge = address - (address & (HUGE_PAGE_SIZE - 1));
    for (const tlb of [this.d4k, this.i4k, this.s4k]) tlb.dropPage(page, this.pcid, true);
    for (const tlb of [this.d2m, this.i2m, this.s2m]) tlb.dropPage(large, this.pcid, true);
    for (const tlb of [this.d1g, this.s1g]) tlb.dropPage(huge, this.pcid, true);
  }

  #all(): readonly Tlb[] {
    return [this.d4k, this.d2m, this.d1g, this.i4k, this.i2m, this.s4k, this.s2m, this.s1g, ...this.structure];
  }

  /** INVLPG: drops the page's translations in the current PCID and global ones, and all paging-structure entries of the PCID. */
  invlpg(address: number): void {
    this.#drop(address);
    for (const cache of this.structure) cache.dropContext(this.pcid);
  }

  /** INVPCID type 0: as INVLPG for another PCID, but global translations stay. */
  invpcidAddress(address: number, pcid: number): void {
    const page = address - (address & PAGE_MASK);
    for (const tlb of this.#all()) tlb.dropPage(page - (page & (tlb.pageSize - 1)), pcid, false);
    for (const cache of this.structure) cache.dropContext(pcid);
  }

  /** INVPCID type 1, and a CR3 write without the no-flush bit: drops the non-global translations of one PCID. */
  invpcidContext(pcid: number): void {
    for (const tlb of this.#all()) tlb.dropContext(pcid);
  }

  /** INVPCID type 2 (`globalToo`) and 3. */
  invpcidAll(globalToo: boolean): void {
    for (const tlb of this.#all()) tlb.dropAll(globalToo);
  }

  /**
   * Loads CR3.
   * @param noFlush bit 63 of the value written: translations of `pcid` stay. Without PCIDs (`pcid` 0) a load always flushes.
   */
  loadRoot(root: number, pcid: number, noFlush: boolean): void {
    this.root = root;
    this.pcid = pcid;
    if (!noFlush) this.invpcidContext(pcid);
  }
}
