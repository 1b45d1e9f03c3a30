import { type Cpu, entryFrame, FaultCode, PAGE_SIZE, Pte } from '@rpal/hw-x86';
import { Errno, Prot } from '@rpal/uapi';
import { requireWhole } from '../errors.js';
import { protectHuge, splitHugeAt } from '../fault/huge-pages.js';
import { MmuGather } from '../fault/mmu-gather.js';
import { populateArea } from '../fault/populate.js';
import { mayExpand } from '../space/accounting.js';
import type { MmStruct } from '../space/mm-struct.js';
import { unsigned, wholePages } from '../space/unsigned.js';
import { protFlags, type Vma, VmFlag } from '../space/vma.js';
import { MmStep } from '../steps.js';
import { modifyRange } from './modify-range.js';
import { executeOnlyKey, isAllocated } from './pkeys.js';

/**
 * mprotect(2) and pkey_mprotect(2). What has been changed when an error is found stays changed, as in Linux.
 * @param key -1 keeps the key
 * @returns 0 or a negative errno
 */
export function mprotect(cpu: Cpu, mm: MmStruct, register: number, length: number, prot: number, key = -1): number {
  requireWhole(register, 'address');
  requireWhole(length, 'length');
  cpu.charge(MmStep.mprotectBody);
  if (key !== -1) {
    const answer = mm.manager.seams.hooks.mmKeyChange.call(mm, key);
    if (answer !== undefined) return answer;
  }
  const address = unsigned(register);
  const grows = prot & (Prot.GROWSDOWN | Prot.GROWSUP);
  const rights = prot & ~grows;
  if (grows === (Prot.GROWSDOWN | Prot.GROWSUP) || register % PAGE_SIZE !== 0) return -Errno.EINVAL;
  if (length === 0) return 0;
  const end = unsigned(address + wholePages(length));
  if (end <= address) return -Errno.ENOMEM;
  // PROT_SEM, bit 3, is accepted and means nothing on x86.
  if (prot < 0 || prot > 0xffff_ffff || (rights & ~(Prot.READ | Prot.WRITE | Prot.EXEC | 8)) !== 0) return -Errno.EINVAL;
  if (key !== -1 && (!cpu.mmu.pke || !isAllocated(mm, key))) return -Errno.EINVAL;
  const taken = mm.manager.seams.hooks.mmProtect.call(cpu, mm, address, end, rights);
  if (taken !== undefined) return taken;
  let start = address;
  const first = mm.areas.at(mm.areas.indexFrom(address));
  if ((grows & Prot.GROWSDOWN) !== 0) {
    // The change reaches down to where the stack begins.
    if (first === undefined || first.start >= end) return -Errno.ENOMEM;
    if ((first.flags & VmFlag.GROWSDOWN) === 0) return -Errno.EINVAL;
    start = first.start;
  } else if (first === undefined || first.start > address) {
    return -Errno.ENOMEM;
  } else if ((grows & Prot.GROWSUP) !== 0) {
    return -Errno.EINVAL;
  }
  return changeProtection(cpu, mm, start, end, rights, key);
}

/**
 * The working part of mprotect; plugins that re-key memory call it past the checks above.
 * @param prot null keeps the rights
 */
export function changeProtection(cpu: Cpu, mm: MmStruct, start: number, end: number, prot: number | null, key: number): number {
  let at = start;
  const gather = new MmuGather(mm);
  let result = 0;
  while (at < end && result === 0) {
    const area = mm.areas.containing(at);
    if (area === null) {
      result = -Errno.ENOMEM;
      break;
    }
    const stop = Math.min(area.end, end);
    const rights = prot === null ? area.flags & VmFlag.PROT : protFlags(prot);
    const newKey = key !== -1 ? key : prot === null ? area.key : impliedKey(cpu, mm, area, rights);
    result = changeArea(cpu, mm, area, at, stop, rights, newKey, gather);
    if (result === 0) at = stop;
  }
  gather.finish(cpu);
  const { memoryProtect } = mm.manager.seams.events;
  if (memoryProtect.observed && at > start) memoryProtect.emit(cpu.id, cpu.clock, mm, start, at);
  return result;
}

/** The key that mprotect without one gives (Linux: `__arch_override_mprotect_pkey`). */
function impliedKey(cpu: Cpu, mm: MmStruct, area: Vma, rights: number): number {
  if (rights === VmFlag.EXEC) {
    const key = executeOnlyKey(cpu, mm);
    if (key > 0) return key;
  } else if (area.key === mm.executeOnlyKey) {
    // Memory that was execute-only and is no longer goes back to the key everybody has.
    return 0;
  }
  return area.key;
}

/** Linux: `mprotect_fixup`. @returns 0 or a negative errno */
function changeArea(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number, rights: number, key: number, gather: MmuGather): number {
  let flags = (area.flags & ~VmFlag.PROT) | rights;
  if (((rights << 4) & ~area.flags & (VmFlag.PROT << 4)) !== 0) return -Errno.EACCES;
  if (flags === area.flags && key === area.key) return 0;
  const pages = (end - start) / PAGE_SIZE;
  const settled = VmFlag.ACCOUNT | VmFlag.WRITE | VmFlag.SHARED | VmFlag.NORESERVE;
  cpu.charge(MmStep.mprotectArea);
  let charged = 0;
  if ((flags & VmFlag.WRITE) !== 0) {
    // Memory that becomes data has to keep within the limit of data.
    if (!mayExpand(mm, flags, pages) && mayExpand(mm, area.flags, pages)) return -Errno.ENOMEM;
    if ((area.flags & settled) === 0) {
      if (!mm.manager.commitment.commit(pages)) return -Errno.ENOMEM;
      charged = pages;
      flags |= VmFlag.ACCOUNT;
    }
  } else if ((area.flags & VmFlag.ACCOUNT) !== 0 && area.object === null && area.anonVma === null) {
    // Nothing has been written yet: the commitment can be given back.
    flags &= ~VmFlag.ACCOUNT;
  }
  const released = (area.flags & VmFlag.ACCOUNT) !== 0 && (flags & VmFlag.ACCOUNT) === 0;
  const lockedOnly = (area.flags & (VmFlag.WRITE | VmFlag.SHARED | VmFlag.LOCKED)) === VmFlag.LOCKED;
  const part = modifyRange(cpu, mm, area, start, end, flags, key);
  if (part === null) {
    mm.manager.commitment.uncommit(charged);
    return -Errno.ENOMEM;
  }
  if (released) mm.manager.commitment.uncommit(pages);
  rewriteEntries(cpu, mm, part, start, end, gather);
  // Locked memory is not to fault when it is written for the first time: its private copies are made now.
  if (lockedOnly && (flags & VmFlag.WRITE) !== 0) populateArea(cpu, mm, part, start, end, FaultCode.write);
  return 0;
}

/**
 * Gives the pages of [start, end) the rights and the key of their area. A private page stays read-only unless it is
 * known to be nobody else's: it may have to be copied (Linux: `can_change_pte_writable`).
 * @param gather told of those that may be in a TLB with other rights (Linux: `pte_needs_flush`)
 */
function rewriteEntries(cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number, gather: MmuGather): void {
  const { memory, frames } = mm.manager;
  const hidden = !area.accessible;
  const mayWrite = (area.flags & VmFlag.WRITE) !== 0;
  const shared = (area.flags & VmFlag.SHARED) !== 0;
  const execute = (area.flags & VmFlag.EXEC) !== 0 ? 0 : Pte.noExecute;
  const keyed = (area.key << Pte.keyShift) | execute;
  splitHugeAt(cpu, mm, start);
  splitHugeAt(cpu, mm, end);
  mm.tables.forEachPage(start, end, {
    table(entries) {
      cpu.charge(MmStep.mprotectTable);
      cpu.chargeTimes(MmStep.scanEntry, entries);
    },
    page(address, entry) {
      const low = memory.read32(entry);
      const high = memory.read32(entry + 4);
      let flags = low & ~(Pte.writable | Pte.user);
      if (!hidden) flags |= Pte.user;
      if (mayWrite && (shared || ((low & Pte.dirty) !== 0 && frames.exclusive(entryFrame(low, high))))) flags |= Pte.writable;
      const upper = (high & ~(Pte.keyMask | Pte.noExecute)) | keyed;
      memory.write32(entry, flags);
      memory.write32(entry + 4, upper);
      cpu.charge(MmStep.mprotectPage);
      if (mayWrite) cpu.charge(MmStep.mprotectWritable);
      // An entry that nobody could use is in no TLB.
      if ((low & Pte.user) !== 0 && (flags !== low || upper !== high)) gather.pages(address);
    },
    folded(address, entry, level) {
      const flags = Pte.present | Pte.accessed | (hidden ? 0 : Pte.user) | (mayWrite && shared ? Pte.writable : 0);
      const pages = mm.tables.changeFolded(entry, level, flags, keyed);
      cpu.chargeTimes(MmStep.mprotectPage, pages);
      gather.pages(address, pages * PAGE_SIZE);
      return true;
    },
    huge(address, entry) {
      cpu.charge(MmStep.mprotectPage);
      if (protectHuge(mm, area, entry)) gather.hugePage(address);
      return true;
    },
  });
}
