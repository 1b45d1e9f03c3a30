import { type Cpu, Ept, entryFrame, FaultCode, GuestMode, PAGE_SIZE, Pte, type SecondLevel, SecondLevelTables } from '@rpal/hw-x86';
import { FAULT_RESOLVED, handleFault, type MmStruct } from '@rpal/mm';
import { DuneStep } from '../steps.js';
import { GuestPhysical } from './guest-physical.js';

/** The memory of a process as its guest has it: second-level tables that are filled on demand from Linux's page tables, and never give more. */
export class GuestMemory {
  readonly mm: MmStruct;
  readonly physical: GuestPhysical;
  readonly tables: SecondLevelTables;
  /** EPT violations that Linux has resolved, and those that it could not. */
  served = 0;
  refused = 0;
  readonly #cpus: readonly Cpu[];

  constructor(mm: MmStruct, cpus: readonly Cpu[]) {
    this.mm = mm;
    this.#cpus = cpus;
    this.physical = new GuestPhysical(mm);
    this.tables = new SecondLevelTables(mm.manager.memory);
  }

  /**
   * An EPT violation, in the host's address space: Linux makes the page present as for an access of the process itself.
   * @returns false if the process has no such memory, or not this right to it
   */
  serve(cpu: Cpu, { guestPhysical, access }: SecondLevel): boolean {
    cpu.charge(DuneStep.violation);
    const address = this.physical.hostOf(guestPhysical);
    const write = (access & FaultCode.write) !== 0;
    if (address < 0 || !this.#makePresent(cpu, address, write)) {
      this.refused++;
      return false;
    }
    const { memory } = this.mm.manager;
    const entry = this.mm.tables.find(address);
    const low = memory.read32(entry);
    const frame = entryFrame(low, memory.read32(entry + 4));
    const rights = (low & Pte.writable) !== 0 ? Ept.all : Ept.read | Ept.execute;
    this.tables.map(guestPhysical - (guestPhysical % PAGE_SIZE), frame * PAGE_SIZE, rights);
    this.served++;
    return true;
  }

  /** @returns whether the process may access the page so, and it is there now */
  #makePresent(cpu: Cpu, address: number, write: boolean): boolean {
    const { mm } = this;
    const wanted = Pte.present | Pte.user | (write ? Pte.writable : 0);
    for (;;) {
      const entry = mm.tables.find(address);
      // A page of memory without any rights is the kernel's in the model's tables.
      if (entry >= 0 && (mm.manager.memory.read32(entry) & wanted) === wanted) return true;
      const code = FaultCode.user | (write ? FaultCode.write : 0);
      if (handleFault(cpu, mm, address, code) !== FAULT_RESOLVED) return false;
    }
  }

  /** Linux takes pages or rights of [`start`, `end`) away (its mmu notifier): no core may reach them through what it has cached. */
  invalidate(start: number, end: number): void {
    let cleared = false;
    for (const [from, to] of this.physical.ranges(start, end)) cleared = this.tables.clear(from, to) || cleared;
    if (cleared) for (const cpu of this.#cpus) GuestMode.of(cpu).inveptTables(this.tables);
  }

  /** The memory is gone; no thread is in Dune mode any more. */
  free(): void {
    for (const cpu of this.#cpus) GuestMode.of(cpu).forget(this.tables);
    this.tables.free();
  }
}
