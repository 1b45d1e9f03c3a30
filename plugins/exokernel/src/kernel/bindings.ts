import {
  entryAddress,
  entryFrame,
  entryHigh,
  entryLow,
  LEVEL_SPAN,
  PAGE_SIZE,
  type PhysicalMemory,
  Pte,
  USER_TOP,
  walk,
} from '@rpal/hw-x86';
import type { Capability, Refusal } from './capability.js';
import type { Environment } from './environment.js';
import type { FrameTable, OwnedFrame } from './frames.js';

/** Which table a frame becomes: 1 is that of pages, 3 the one below the top. */
export type TableLevel = 1 | 2 | 3;

/**
 * Secure bindings. Programs lay out their page tables: which frames become tables, and what each entry shows. The kernel holds every entry
 * against a capability before it writes it; from then on the hardware checks.
 */
export class Bindings {
  readonly #memory: PhysicalMemory;
  readonly #frames: FrameTable;
  /** A translation is gone: TLBs must not keep it. */
  readonly #invalidate: (environment: Environment, address: number) => void;

  constructor(memory: PhysicalMemory, frames: FrameTable, invalidate: (environment: Environment, address: number) => void) {
    this.#memory = memory;
    this.#frames = frames;
    this.#invalidate = invalidate;
  }

  /** Makes a frame of the environment's own the table that covers `address`. It is cleared, and cannot be written any more. */
  bindTable(environment: Environment, capability: Capability, address: number, level: TableLevel): Refusal | null {
    if (!inUserMemory(address, LEVEL_SPAN[level + 1] as number)) return 'BAD_ADDRESS';
    const frame = this.#frames.find(capability);
    if (frame === null) return 'FORGED';
    if (!capability.writable) return 'NO_RIGHT';
    if (frame.owner !== environment) return 'NOT_OWNER';
    if (frame.table || frame.bindings.length > 0) return 'IN_USE';
    const above = walk(this.#memory, environment.root, address);
    if (above.present || above.level <= level) return 'BOUND';
    if (above.level > level + 1) return 'NO_TABLE';
    this.#memory.fill(frame.number * PAGE_SIZE, PAGE_SIZE);
    frame.table = true;
    this.#write(above.entry, frame.number, Pte.present | Pte.writable | Pte.user);
    return null;
  }

  /** Shows a frame at `address`. */
  bind(environment: Environment, capability: Capability, address: number, writable: boolean): Refusal | null {
    if (!inUserMemory(address, PAGE_SIZE)) return 'BAD_ADDRESS';
    const frame = this.#frames.find(capability);
    if (frame === null) return 'FORGED';
    if (writable && !capability.writable) return 'NO_RIGHT';
    if (writable && frame.table) return 'IS_TABLE';
    const { present, level, entry } = walk(this.#memory, environment.root, address);
    if (present) return 'BOUND';
    if (level > 1) return 'NO_TABLE';
    this.#write(entry, frame.number, Pte.present | Pte.user | (writable ? Pte.writable : 0));
    frame.bindings.push({ environment, address });
    return null;
  }

  /** Takes the right to write away from a page that the environment shows, and clears its A and D bits: that needs no capability. */
  restrict(environment: Environment, address: number): Refusal | null {
    const shown = this.#shown(environment, address);
    if (shown === null) return 'NOT_BOUND';
    this.#write(shown.entry, shown.frame.number, Pte.present | Pte.user);
    this.#invalidate(environment, address);
    return null;
  }

  unbind(environment: Environment, address: number): Refusal | null {
    const shown = this.#shown(environment, address);
    if (shown === null) return 'NOT_BOUND';
    const { frame, entry } = shown;
    const at = frame.bindings.findIndex((binding) => binding.environment === environment && binding.address === address);
    frame.bindings.splice(at, 1);
    this.#clear(entry);
    this.#invalidate(environment, address);
    return null;
  }

  /** Breaks all bindings of a page. @returns where its owner showed it */
  breakAll(frame: OwnedFrame): readonly number[] {
    const addresses = frame.bindings.filter(({ environment }) => environment === frame.owner).map(({ address }) => address);
    for (const { environment, address } of [...frame.bindings]) this.unbind(environment, address);
    return addresses;
  }

  /** Breaks all bindings that an environment has. */
  leave(environment: Environment): void {
    this.#each(environment.root, 4, 0, (address) => this.unbind(environment, address));
  }

  #shown(environment: Environment, address: number): { readonly frame: OwnedFrame; readonly entry: number } | null {
    if (!inUserMemory(address, PAGE_SIZE)) return null;
    const { present, entry, low, high } = walk(this.#memory, environment.root, address);
    return present ? { frame: this.#frames.get(entryFrame(low, high)), entry } : null;
  }

  /** Calls `visit` with every page that is shown by a table and those below it. */
  #each(table: number, level: number, base: number, visit: (address: number) => void): void {
    for (let i = 0; i < 512; i++) {
      const address = base + i * (LEVEL_SPAN[level] as number);
      const entry = entryAddress(table, address, level);
      const low = this.#memory.read32(entry);
      if ((low & Pte.present) === 0) continue;
      if (level === 1) visit(address);
      else this.#each(entryFrame(low, this.#memory.read32(entry + 4)), level - 1, address, visit);
    }
  }

  #write(entry: number, frame: number, flags: number): void {
    this.#memory.write32(entry + 4, entryHigh(frame));
    this.#memory.write32(entry, entryLow(frame, flags));
  }

  #clear(entry: number): void {
    this.#memory.write32(entry, 0);
    this.#memory.write32(entry + 4, 0);
  }
}

function inUserMemory(address: number, span: number): boolean {
  return Number.isInteger(address) && address >= 0 && address + span <= USER_TOP && address % span === 0;
}
