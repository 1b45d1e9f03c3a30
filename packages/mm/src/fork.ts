import { type Cpu, entryFrame, entryHigh, entryLow, Pte } from '@rpal/hw-x86';
import type { MmStruct } from './mm-struct.js';
import { MmStep } from './steps.js';
import { flushRange } from './tlb-flush.js';
import { Vma, VmFlag } from './vma.js';

/** A copy of `parent` whose private pages are shared until one side writes (Linux: `dup_mmap`). */
export function forkMm(cpu: Cpu, parent: MmStruct): MmStruct {
  const { manager } = parent;
  const { memory, frames } = manager;
  cpu.charge(MmStep.forkMm);
  const child = manager.create(cpu, parent.layout);
  child.brkStart = parent.brkStart;
  child.brk = parent.brk;
  child.pkeyMap = parent.pkeyMap;
  for (const area of parent.areas) {
    if ((area.flags & VmFlag.DONTCOPY) !== 0) continue;
    const copy = new Vma(area.start, area.end, area.flags, area.key, area.object, area.offset);
    copy.anonymous = area.anonymous;
    child.areas.insert(copy);
    copy.object?.mapped?.(1, copy);
    if ((area.flags & VmFlag.PFNMAP) !== 0 && area.object === null) continue;
    const shared = (area.flags & VmFlag.SHARED) !== 0;
    parent.tables.forEachPage(area.start, area.end, (address, entry) => {
      cpu.charge(MmStep.forkPage);
      const low = memory.read32(entry);
      const high = memory.read32(entry + 4);
      const frame = entryFrame(low, high);
      const flags = shared ? low & Pte.flags : low & Pte.flags & ~Pte.writable;
      memory.write32(entry, entryLow(frame, flags));
      frames.get(frame);
      const target = child.tables.make(address);
      memory.write32(target, entryLow(frame, flags));
      memory.write32(target + 4, entryHigh(frame, area.key, high < 0));
      if (frame !== manager.zeroFrame) child.residentPages++;
    });
  }
  // The parent's pages have become read-only: no CPU may keep the right to write them.
  flushRange(manager, cpu, parent, 0, Number.POSITIVE_INFINITY, false);
  manager.seams.hooks.mmFork.call(parent, child);
  return child;
}

/** Takes down an address space whose last task has left it (Linux: `exit_mmap`). */
export function exitMm(cpu: Cpu, mm: MmStruct): void {
  const { manager } = mm;
  const { memory, frames } = manager;
  cpu.charge(MmStep.exitMm);
  mm.dead = true;
  for (const area of mm.areas) {
    mm.tables.forEachPage(area.start, area.end, (_, entry) => {
      cpu.charge(MmStep.exitPage);
      frames.put(entryFrame(memory.read32(entry), memory.read32(entry + 4)));
      memory.write32(entry, 0);
      memory.write32(entry + 4, 0);
    });
    area.object?.mapped?.(-1, area);
  }
  mm.areas.clear();
  mm.residentPages = 0;
  manager.seams.hooks.mmExit.call(mm);
  flushRange(manager, cpu, mm, 0, Number.POSITIVE_INFINITY, true);
  mm.tables.destroy();
}
