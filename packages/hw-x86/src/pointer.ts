import { PAGE_MASK, PAGE_SIZE } from './address.js';
import type { Cpu } from './cpu.js';
import { EMPTY_ENTRY, type TlbEntry } from './tlb.js';

/**
 * A linear address that is used over and over. It remembers the TLB entry that the last access found, so that the next
 * one need not look for it; what an access costs and does is the same as with `Cpu.data`.
 */
export class Pointer {
  #address = Number.NaN;
  #page = Number.NaN;
  #offset = 0;
  #entry: TlbEntry = EMPTY_ENTRY;
  /** Whose entry it is. */
  #cpu: Cpu | null = null;

  constructor(address = Number.NaN) {
    this.address = address;
  }

  get address(): number {
    return this.#address;
  }

  set address(address: number) {
    if (address === this.#address) return;
    this.#address = address;
    this.#offset = address & PAGE_MASK;
    this.#page = address - this.#offset;
    this.#entry = EMPTY_ENTRY;
  }

  /** Physical address for a data access of the context that `cpu` runs, or -1 on a fault: `Cpu.data` of the address. */
  data(cpu: Cpu, access: number): number {
    const entry = this.#entry;
    if (entry.page === this.#page && this.#cpu === cpu && entry.ownedIn === cpu.coherence.epoch && cpu.mmu.hit(entry, access)) {
      return entry.frame * PAGE_SIZE + this.#offset;
    }
    return this.#find(cpu, access);
  }

  #find(cpu: Cpu, access: number): number {
    const physical = cpu.data(this.#address, access);
    if (physical >= 0) {
      this.#entry = cpu.mmu.lately(this.#address);
      this.#cpu = cpu;
    }
    return physical;
  }
}
