import { type Cpu, entryAddress, entryFrame, entryHigh, entryLow, HUGE_PAGE_SIZE, PAGE_SIZE, Pte } from '@rpal/hw-x86';
import type { FlushTargets, MmStruct } from '@rpal/mm';
import type { RpalService, Sharing } from '@rpal/rpal-core';
import { Errno } from '@rpal/uapi';
import { SHARED_ENTRY } from './region.js';
import { MshareStep } from './steps.js';

/** One service's window onto another's slice: a level-3 table of its own, whose entries lead into the owner's level-2 tables. */
interface Window {
  readonly owner: RpalService;
  readonly user: RpalService;
  /** Frame of the level-3 table. */
  readonly table: number;
}

/**
 * RPAL's sharing by shared page tables below the top level: two services that have requested each other get a level-3 table
 * for the other's slice, empty at first, and the first access to a GiB puts the owner's level-2 table into it. What has
 * never been touched through a window is not reachable through it, and costs a fault once.
 */
export class SharedTables implements Sharing {
  readonly name = 'shared page tables, by the GiB';
  /** Level-3 entries that faults have shared, since boot. */
  sharedTables = 0;
  readonly #windows: Window[] = [];

  link(cpu: Cpu, a: RpalService, b: RpalService): number {
    if (a.mm.dead || b.mm.dead) return -Errno.EINVAL;
    for (const [owner, user] of [
      [a, b],
      [b, a],
    ] as const) {
      const failed = this.#open(cpu, owner, user);
      if (failed < 0) {
        this.unlink(cpu, a, b);
        return failed;
      }
    }
    return 0;
  }

  #open(cpu: Cpu, owner: RpalService, user: RpalService): number {
    cpu.charge(MshareStep.attach);
    const { memory } = cpu;
    const { frames } = user.mm.manager;
    const entry = user.mm.tables.topEntry(owner.base);
    if ((memory.read32(entry) & Pte.present) !== 0) return -Errno.EINVAL;
    const table = frames.allocate(cpu.socket);
    if (table < 0) return -Errno.ENOMEM;
    memory.fill(table * PAGE_SIZE, PAGE_SIZE);
    // The rights of a table entry are those of the owner's own top-level entry.
    const own = memory.read32(owner.mm.tables.topEntry(owner.base));
    memory.write32(entry + 4, entryHigh(table));
    memory.write32(entry, entryLow(table, (own & (Pte.present | Pte.writable | Pte.user | Pte.accessed)) | SHARED_ENTRY));
    this.#windows.push({ owner, user, table });
    return 0;
  }

  unlink(cpu: Cpu, a: RpalService, b: RpalService): void {
    for (const window of this.#windows.filter(({ owner, user }) => (owner === a && user === b) || (owner === b && user === a))) {
      this.#close(cpu, window);
    }
  }

  #close(cpu: Cpu, window: Window): void {
    const { owner, user, table } = window;
    this.#windows.splice(this.#windows.indexOf(window), 1);
    if (!user.mm.dead) {
      const entry = user.mm.tables.topEntry(owner.base);
      cpu.memory.write32(entry, 0);
      cpu.memory.write32(entry + 4, 0);
    }
    user.mm.manager.frames.put(table);
  }

  /** The page is in the owner's tables; now the level-2 table that leads there is in the user's. */
  resolved(cpu: Cpu, user: RpalService, owner: RpalService, address: number): void {
    const window = this.#windows.find((other) => other.owner === owner && other.user === user);
    if (window === undefined) return;
    const { memory } = cpu;
    const top = owner.mm.tables.topEntry(owner.base);
    const from = entryAddress(entryFrame(memory.read32(top), memory.read32(top + 4)), address, 3);
    const to = entryAddress(window.table, address, 3);
    if (memory.read32(to) === memory.read32(from) && memory.read32(to + 4) === memory.read32(from + 4)) return;
    cpu.charge(MshareStep.shareTable);
    memory.write32(to + 4, memory.read32(from + 4));
    memory.write32(to, memory.read32(from));
    this.sharedTables++;
  }

  /** Tables of an owner go: they must go from all windows before their frames are used for anything else. */
  widen({ mm, start, end, freedTables }: FlushTargets<MmStruct>): void {
    if (!freedTables) return;
    for (const { owner, table } of this.#windows) {
      if (owner.mm !== mm) continue;
      const { memory } = mm.manager;
      const first = Math.max(owner.base, start - (start % HUGE_PAGE_SIZE));
      for (let at = first; at < Math.min(owner.top, end); at += HUGE_PAGE_SIZE) {
        const entry = entryAddress(table, at, 3);
        memory.write32(entry, 0);
        memory.write32(entry + 4, 0);
      }
    }
  }

  /** The windows of an address space end with it. */
  forget(cpu: Cpu, mm: MmStruct): void {
    for (const window of this.#windows.filter(({ owner, user }) => owner.mm === mm || user.mm === mm)) this.#close(cpu, window);
  }
}
