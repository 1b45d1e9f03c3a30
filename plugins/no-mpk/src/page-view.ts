import { type Cpu, HardwareError, PAGE_SIZE, Pte, Translations } from '@rpal/hw-x86';
import type { MmStruct } from '@rpal/mm';
import { RPAL_ADDR_SPACE_SIZE, type RpalService } from '@rpal/rpal-core';
import { Pkey } from '@rpal/uapi';
import { deniedBy } from './rights.js';

const ENTRIES = 512;

/**
 * The address space of a service as a thread with certain rights sees it: a top-level table of its own, with the entries
 * of those slices that the rights open. Everything below is shared with the full address space.
 */
export class PageView {
  /** Unique on a machine; names the view in what CPUs know of their PCIDs. */
  readonly id: number;
  readonly mm: MmStruct;
  readonly rights: number;
  /** Frame of the top-level table. */
  readonly root: number;
  readonly #service: RpalService;

  /** @throws Error if no frame is left */
  constructor(id: number, service: RpalService, rights: number) {
    this.id = id;
    this.mm = service.mm;
    this.rights = rights;
    this.#service = service;
    this.root = this.mm.manager.frames.allocate(0);
    if (this.root < 0) throw new HardwareError('OUT_OF_MEMORY', 'no frame left for the top-level table of a view');
    this.fill();
  }

  /** Copies the entries that the rights open from the full table; the caller flushes where one went. */
  fill(): void {
    const { memory } = this.mm.manager;
    const full = this.mm.tables.root;
    for (let index = 0; index < ENTRIES; index++) {
      const from = full * PAGE_SIZE + 8 * index;
      const to = this.root * PAGE_SIZE + 8 * index;
      const owner = this.#ownerOf(index);
      const denied = owner === null ? 0 : deniedBy(this.rights, owner);
      const low = memory.read32(from);
      memory.write32(to, (denied & Pkey.DISABLE_ACCESS) !== 0 ? 0 : (denied & Pkey.DISABLE_WRITE) !== 0 ? low & ~Pte.writable : low);
      memory.write32(to + 4, (denied & Pkey.DISABLE_ACCESS) !== 0 ? 0 : memory.read32(from + 4));
    }
  }

  /** The service whose slice a top-level entry maps. */
  #ownerOf(index: number): RpalService | null {
    const address = index * RPAL_ADDR_SPACE_SIZE;
    if (address === this.#service.base) return this.#service;
    return this.#service.isCorrect(address) ? null : (this.#service.peerAt(address)?.service ?? null);
  }

  free(): void {
    this.mm.manager.frames.put(this.root);
  }
}

/** Views that one CPU keeps apart by PCID at the same time; PCIDs 1 to 6 are Linux's. */
const SLOTS = 16;
const FIRST_PCID = 64;

/** What one CPU knows of views, as Linux's `cpu_tlbstate` does of address spaces. */
export class CpuPageViews {
  current: PageView | null = null;
  #slot = 0;
  #next = 0;
  readonly #ids: Int32Array = new Int32Array(SLOTS);
  /** Generation of the address space up to which the translations of each slot are current. */
  readonly #seen: Float64Array = new Float64Array(SLOTS);
  readonly #cpu: Cpu;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }

  /**
   * The CPU stops using its view. While a view is loaded, flushes of the address space apply to it, and what the kernel
   * books as seen for the address space is what the view has seen.
   */
  leave(): void {
    const view = this.current;
    if (view === null) return;
    this.current = null;
    const state = view.mm.manager.tlb.state(this.#cpu);
    const asid = state.contextIds.indexOf(view.mm.contextId);
    this.#seen[this.#slot] = asid < 0 ? 0 : (state.generations[asid] as number);
  }

  /** Loads CR3 with `view`, whose address space is the loaded one. @returns true if that flushed */
  enter(view: PageView): boolean {
    this.leave();
    const { mm } = view;
    const state = mm.manager.tlb.state(this.#cpu);
    const pcids = mm.manager.tlb.pcids;
    this.#slot = this.#choose(view);
    const flush = !pcids || this.#seen[this.#slot] !== mm.tlbGeneration;
    this.#cpu.mmu.loadRoot(view.root, pcids ? FIRST_PCID + this.#slot : 0, flush ? Translations.DROP : Translations.KEEP);
    state.generations[state.asid] = mm.tlbGeneration;
    this.current = view;
    return flush;
  }

  #choose(view: PageView): number {
    const found = this.#ids.indexOf(view.id);
    if (found >= 0) return found;
    const slot = this.#next++ % SLOTS;
    this.#ids[slot] = view.id;
    this.#seen[slot] = 0;
    return slot;
  }
}
