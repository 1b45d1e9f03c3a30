import { type BareMetal, PAGE_SIZE, Pte, USER_TOP } from '@rpal/hw-x86';
import type { Capability, Refusal } from '../caps/capability.js';

/** A page that is mapped, and of which frame it is. */
interface Mapping {
  readonly address: number;
  readonly frame: number;
}

/** Where user memory ends, and what is below: the kernel's pages and those that every dispatcher has. */
const FIRST_ADDRESS = 0x1_0000_0000;

/** A domain's page tables: one or more dispatchers run in them, each on a core of its own. */
export class AddressSpace {
  readonly root: number;
  readonly #machine: BareMetal;
  readonly #mappings: Mapping[] = [];

  constructor(machine: BareMetal) {
    this.#machine = machine;
    this.root = machine.addressSpace();
  }

  /** Maps all frames of a capability. @returns null, or why not */
  map({ type, first, count, writable }: Capability, address: number, write: boolean): Refusal | null {
    if (type !== 'frame') return 'WRONG_TYPE';
    if (write && !writable) return 'NO_RIGHT';
    const end = address + count * PAGE_SIZE;
    if (!(address >= FIRST_ADDRESS && end <= USER_TOP && address % PAGE_SIZE === 0)) return 'BAD_ADDRESS';
    if (this.#mappings.some((mapping) => mapping.address >= address && mapping.address < end)) return 'BAD_ADDRESS';
    const flags = Pte.user | (write ? Pte.writable : 0);
    for (let i = 0; i < count; i++) {
      const mapping = { address: address + i * PAGE_SIZE, frame: first + i };
      this.#machine.map(this.root, mapping.address, { frame: mapping.frame, flags });
      this.#mappings.push(mapping);
    }
    return null;
  }

  /** Addresses of the pages that show frames of a piece of memory. */
  showing({ first, count }: Capability): readonly number[] {
    return this.#mappings.filter(({ frame }) => frame >= first && frame < first + count).map(({ address }) => address);
  }

  /** Clears the entry of a page, if there is one. What TLBs have of it stays there until it is invalidated. @returns whether it was mapped */
  unmap(address: number): boolean {
    const at = this.#mappings.findIndex((mapping) => mapping.address === address);
    if (at < 0) return false;
    this.#mappings.splice(at, 1);
    this.#machine.unmap(this.root, address);
    return true;
  }
}
