import { type Cpu, entryFrame, entryHigh, entryLow, HUGE_PAGE_SIZE, LARGE_PAGE_SIZE, Pte } from '@rpal/hw-x86';
import { copyHuge, zapHuge } from '../fault/huge-pages.js';
import type { MmStruct } from '../space/mm-struct.js';
import { AnonVma, Vma, VmFlag } from '../space/vma.js';
import { MmStep } from '../steps.js';

/** A copy of `parent` whose private pages are shared until one side writes (Linux: `dup_mmap`). */
export function forkMm(cpu: Cpu, parent: MmStruct): MmStruct {
  const { manager } = parent;
  cpu.charge(MmStep.forkMm);
  const child = manager.create(cpu, parent.layout);
  child.brkStart = parent.brkStart;
  child.brk = parent.brk;
  child.pkeyMap = parent.pkeyMap;
  child.executeOnlyKey = parent.executeOnlyKey;
  Object.assign(child.limits, parent.limits);
  for (const area of parent.areas) {
    if ((area.flags & VmFlag.DONTCOPY) !== 0) continue;
    cpu.charge(MmStep.forkArea);
    const copy = new Vma(area.start, area.end, area.flags & ~VmFlag.LOCKED, area.key, area.object, area.offset);
    if (area.anonVma !== null) {
      // From now on it has pages of its own, besides those of its ancestors.
      cpu.charge(MmStep.forkAnon);
      copy.anonVma = new AnonVma();
      copy.anonChain = area.anonChain + 1;
    }
    child.areas.insert(copy);
    copy.object?.mapped?.(1, copy, child);
    if ((area.flags & VmFlag.ACCOUNT) !== 0) manager.commitment.pages += area.pages;
    // Pages of files are found again by faults; only what exists nowhere else is copied.
    const hasPages = area.anonVma !== null || ((area.flags & VmFlag.PFNMAP) !== 0 && area.object !== null);
    if (hasPages) {
      copyPages(cpu, parent, child, area);
      parent.guards.copyTo(child.guards, area.start, area.end);
    }
  }
  cpu.chargeTimes(MmStep.tableAlloc, child.tables.tables);
  // The parent's pages have become read-only: no CPU may keep the right to write them.
  manager.tlb.flushRange(cpu, parent, 0, Number.POSITIVE_INFINITY);
  manager.seams.hooks.mmFork.call(parent, child);
  return child;
}

/** Linux: `copy_page_range`. */
function copyPages(cpu: Cpu, parent: MmStruct, child: MmStruct, area: Vma): void {
  const { memory, frames } = parent.manager;
  const shared = (area.flags & VmFlag.SHARED) !== 0;
  copyTables(parent, child, area);
  parent.tables.forEachPage(area.start, area.end, {
    table(entries) {
      cpu.chargeTimes(MmStep.scanEntry, entries);
    },
    page(address, entry) {
      cpu.charge(MmStep.forkPage);
      const low = memory.read32(entry);
      const high = memory.read32(entry + 4);
      const frame = entryFrame(low, high);
      const flags = shared ? low & Pte.flags : low & Pte.flags & ~Pte.writable;
      memory.write32(entry, entryLow(frame, flags));
      frames.get(frame);
      if (!shared) frames.clearExclusive(frame);
      const target = child.tables.make(address);
      memory.write32(target, entryLow(frame, flags));
      memory.write32(target + 4, entryHigh(frame, area.key, high < 0));
      child.countPage(area, frame);
    },
    huge(address, entry) {
      cpu.charge(MmStep.forkPage);
      copyHuge(parent, child, address, entry);
      return true;
    },
  });
}

/** Makes the tables that the parent has for an area, whether anything is in them or not. */
function copyTables(parent: MmStruct, child: MmStruct, area: Vma): void {
  const { memory } = parent.manager;
  for (let at = area.start, span = 0; at < area.end; at += span - (at % span)) {
    span = 512 * HUGE_PAGE_SIZE;
    const gib = parent.tables.entryAt(at, 3);
    if (gib < 0) continue;
    child.tables.makeEntry(at, 3);
    span = HUGE_PAGE_SIZE;
    if (memory.read32(gib) === 0) continue;
    child.tables.makeEntry(at, 2);
    span = LARGE_PAGE_SIZE;
    const low = memory.read32(parent.tables.entryAt(at, 2));
    if (low !== 0 && (low & Pte.pageSize) === 0) child.tables.make(at);
  }
}

/** Takes down an address space whose last task has left it (Linux: `exit_mmap`). */
export function exitMm(cpu: Cpu, mm: MmStruct): void {
  const { manager } = mm;
  const { memory, frames } = manager;
  cpu.charge(MmStep.exitMm);
  manager.lru.drain(cpu);
  mm.dead = true;
  manager.addressSpaces.delete(mm);
  for (const area of mm.areas) {
    cpu.charge(MmStep.exitArea);
    if (area.anonVma !== null) cpu.charge(MmStep.unlinkAnon);
    mm.tables.forEachPage(area.start, area.end, {
      table(entries) {
        cpu.chargeTimes(MmStep.scanEntry, entries);
      },
      page(_, entry) {
        const frame = entryFrame(memory.read32(entry), memory.read32(entry + 4));
        cpu.charge(frames.count(frame) === 1 ? MmStep.zapPage : MmStep.exitPage);
        frames.put(frame);
        memory.write32(entry, 0);
        memory.write32(entry + 4, 0);
      },
      folded(_, entry, level) {
        cpu.chargeTimes(MmStep.zapPage, mm.tables.clearFolded(entry, level));
        return true;
      },
      huge(_, entry) {
        cpu.charge(MmStep.zapPage);
        zapHuge(mm, entry);
        return true;
      },
    });
    if ((area.flags & VmFlag.ACCOUNT) !== 0) manager.commitment.uncommit(area.pages);
    area.object?.mapped?.(-1, area, mm);
  }
  mm.areas.clear();
  mm.residentPages = 0;
  mm.anonPages = 0;
  manager.seams.hooks.mmExit.call(mm);
  manager.tlb.flushRange(cpu, mm, 0, Number.POSITIVE_INFINITY);
  cpu.chargeTimes(MmStep.tableFree, mm.tables.tables);
  mm.tables.destroy();
}
