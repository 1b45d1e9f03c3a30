import { PAGE_MASK } from '../memory/address.js';
import { isDevice } from '../memory/device-windows.js';
import { FaultCode } from '../mmu/mmu.js';
import { EMPTY_ENTRY, type TlbEntry } from '../mmu/tlb.js';
import type { Cpu } from './cpu.js';

/**
 * A linear address that is used over and over. It remembers what the last access found: the translation, the rights, and that
 * the line is here. As long as none of these can have changed, an access skips the look-ups. Its cost and effect are those of
 * `Cpu.data`.
 */
export class Pointer {
  #address = Number.NaN;
  #physical = 0;
  /** The accesses that need no look-up, as `Access` bits; 0 for none. */
  #known = 0;
  /** The translation, and what tells it from a later one in the same TLB entry. `#cpu` is the processor whose TLB it is in. */
  #entry: TlbEntry = EMPTY_ENTRY;
  #enteredAt = 0;
  #cpu = -1;
  #lineEpoch = 0;

  constructor(address = Number.NaN) {
    this.address = address;
  }

  get address(): number {
    return this.#address;
  }

  set address(address: number) {
    if (address === this.#address) return;
    this.#address = address;
    this.#known = 0;
  }

  /** Physical address for a data access of the context that `cpu` runs, or -1 on a fault: `Cpu.data` of the address. */
  data(cpu: Cpu, access: number): number {
    const entry = this.#entry;
    if (
      (access & ~this.#known) === 0 &&
      entry.enteredAt === this.#enteredAt &&
      cpu.id === this.#cpu &&
      cpu.coherence.lineEpoch === this.#lineEpoch &&
      cpu.mmu.admits(entry)
    ) {
      cpu.mmu.use(entry);
      return this.#physical;
    }
    return this.#find(cpu, access);
  }

  #find(cpu: Cpu, access: number): number {
    const address = this.#address;
    const physical = cpu.data(address, access);
    if (physical < 0) return -1;
    const { mmu, coherence } = cpu;
    const entry = mmu.lately(address);
    const page = address - (address & PAGE_MASK);
    if (
      isDevice(physical) ||
      entry.page !== page ||
      !mmu.hit(entry, access) ||
      !coherence.holds(cpu, physical, (access & FaultCode.write) !== 0)
    ) {
      return physical;
    }
    const same = entry === this.#entry && entry.enteredAt === this.#enteredAt && coherence.lineEpoch === this.#lineEpoch;
    this.#known = same ? this.#known | access : access;
    this.#physical = physical;
    this.#entry = entry;
    this.#enteredAt = entry.enteredAt;
    this.#cpu = cpu.id;
    this.#lineEpoch = coherence.lineEpoch;
    return physical;
  }
}
