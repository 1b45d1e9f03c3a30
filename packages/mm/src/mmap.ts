import { type Cpu, entryFrame, PAGE_SIZE, Pte, pageCeil, pageFloor } from '@rpal/hw-x86';
import { Errno, MapFlag, Prot } from '@rpal/uapi';
import { handleFault } from './fault.js';
import { MMAP_MIN_ADDR, STACK_GUARD_GAP } from './layout.js';
import type { MmStruct } from './mm-struct.js';
import { MmStep } from './steps.js';
import { flushRange } from './tlb-flush.js';
import { type MappedObject, protFlags, Vma, VmFlag } from './vma.js';

/** Most areas a process may have (vm.max_map_count). */
export const MAX_MAP_COUNT = 65_530;

/** What `mmap` is asked for beyond its address, length, protection and flags. */
export interface MmapExtra {
  /** Memory to map; anonymous if absent. */
  readonly object?: MappedObject;
  /** Offset in the object, in pages. */
  readonly offset?: number;
  /** VM flags to add, as drivers do. */
  readonly vmFlags?: number;
  /** Rights that mprotect may add later; all by default. */
  readonly maxProt?: number;
}

/**
 * mmap(2). @returns the address of the mapping, or a negative errno
 */
export function mmap(cpu: Cpu, mm: MmStruct, hint: number, length: number, prot: number, flags: number, extra: MmapExtra = {}): number {
  cpu.charge(MmStep.mmapBody);
  if (length === 0) return -Errno.EINVAL;
  const size = pageCeil(length);
  if (size > mm.layout.taskSize) return -Errno.ENOMEM;
  const type = flags & MapFlag.TYPE;
  if (type !== MapFlag.SHARED && type !== MapFlag.PRIVATE && type !== MapFlag.SHARED_VALIDATE) return -Errno.EINVAL;
  const fixed = (flags & (MapFlag.FIXED | MapFlag.FIXED_NOREPLACE)) !== 0;
  if (mm.areas.size >= MAX_MAP_COUNT) return -Errno.ENOMEM;

  let address: number;
  if (fixed) {
    if (hint % PAGE_SIZE !== 0) return -Errno.EINVAL;
    if (hint + size > mm.layout.taskSize) return -Errno.ENOMEM;
    if (hint < MMAP_MIN_ADDR) return -Errno.EPERM;
    if ((flags & MapFlag.FIXED_NOREPLACE) !== 0 && !mm.areas.isFree(hint, hint + size)) return -Errno.EEXIST;
    address = hint;
    if (!mm.areas.isFree(address, address + size)) unmapRange(cpu, mm, address, address + size);
  } else {
    address = unmappedArea(mm, hint, size, (flags & MapFlag.BIT32) !== 0);
    if (address < 0) return address;
  }

  const maxProt = extra.maxProt ?? Prot.READ | Prot.WRITE | Prot.EXEC;
  let vmFlags = protFlags(prot) | (maxProt << 4) | (extra.vmFlags ?? 0);
  if (type !== MapFlag.PRIVATE) vmFlags |= VmFlag.SHARED;
  if ((flags & MapFlag.GROWSDOWN) !== 0) vmFlags |= VmFlag.GROWSDOWN;
  if ((flags & MapFlag.NORESERVE) !== 0) vmFlags |= VmFlag.NORESERVE;
  const object = extra.object ?? null;
  const key = mm.manager.seams.hooks.mmNewKey.call(0, mm);
  const offset = object === null ? address / PAGE_SIZE : (extra.offset ?? 0);
  insertArea(mm, new Vma(address, address + size, vmFlags, key, object, offset));
  object?.mapped?.(1, mm.areas.containing(address) as Vma);
  if ((flags & MapFlag.POPULATE) !== 0) populateRange(cpu, mm, address, address + size);
  return address;
}

/** munmap(2). @returns 0 or a negative errno */
export function munmap(cpu: Cpu, mm: MmStruct, address: number, length: number): number {
  cpu.charge(MmStep.munmapBody);
  const size = pageCeil(length);
  if (address % PAGE_SIZE !== 0 || size === 0 || address < 0 || address + size > mm.layout.taskSize) return -Errno.EINVAL;
  const first = mm.areas.at(mm.areas.indexFrom(address));
  // Punching a hole makes one area more.
  if (first !== undefined && first.start < address && first.end > address + size && mm.areas.size >= MAX_MAP_COUNT) return -Errno.ENOMEM;
  unmapRange(cpu, mm, address, address + size);
  return 0;
}

/**
 * mprotect(2) and pkey_mprotect(2). @param key -1 keeps the key
 * @returns 0 or a negative errno
 */
export function mprotect(cpu: Cpu, mm: MmStruct, address: number, length: number, prot: number, key = -1): number {
  cpu.charge(MmStep.mprotectBody);
  if ((prot & ~(Prot.READ | Prot.WRITE | Prot.EXEC | Prot.GROWSDOWN | Prot.GROWSUP)) !== 0) return -Errno.EINVAL;
  if (address % PAGE_SIZE !== 0) return -Errno.EINVAL;
  if (length === 0) return 0;
  const end = address + pageCeil(length);
  if (end <= address) return -Errno.ENOMEM;
  if (key !== -1) {
    const answer = mm.manager.seams.hooks.mmKeyChange.call(mm, key);
    if (answer !== undefined) return answer;
    if ((mm.pkeyMap & (1 << key)) === 0 || key < 0 || key > 15) return -Errno.EINVAL;
  }
  return changeProtection(cpu, mm, address, end, prot, key);
}

/** The working part of mprotect; plugins that re-key memory call it past the checks above. */
export function changeProtection(cpu: Cpu, mm: MmStruct, start: number, end: number, prot: number | null, key: number): number {
  let at = start;
  const first = mm.areas.at(mm.areas.indexFrom(start));
  if (first === undefined || first.start > start) return -Errno.ENOMEM;
  while (at < end) {
    const area = mm.areas.containing(at);
    if (area === null) return -Errno.ENOMEM;
    const newKey = key === -1 ? area.key : key;
    const rights = prot === null ? area.flags & VmFlag.PROT : protFlags(prot);
    if (((rights << 4) & ~area.flags & (VmFlag.PROT << 4)) !== 0) return -Errno.EACCES;
    const stop = Math.min(area.end, end);
    const flags = (area.flags & ~VmFlag.PROT) | rights;
    if (flags !== area.flags || newKey !== area.key) {
      const part = isolate(mm, area, at, stop);
      part.flags = flags;
      part.key = newKey;
      rewriteEntries(cpu, mm, part);
      merge(mm, part);
    }
    at = stop;
  }
  return 0;
}

/** brk(2). @returns the end of the heap after the call */
export function brk(cpu: Cpu, mm: MmStruct, address: number): number {
  cpu.charge(MmStep.brkBody);
  if (address < mm.brkStart) return mm.brk;
  const oldEnd = pageCeil(mm.brk);
  const newEnd = pageCeil(address);
  if (newEnd === oldEnd) {
    mm.brk = address;
  } else if (newEnd < oldEnd) {
    unmapRange(cpu, mm, newEnd, oldEnd);
    mm.brk = address;
  } else if (newEnd + STACK_GUARD_GAP <= mm.layout.taskSize && mm.areas.isFree(oldEnd, newEnd + PAGE_SIZE)) {
    const key = mm.manager.seams.hooks.mmNewKey.call(0, mm);
    const flags = VmFlag.READ | VmFlag.WRITE | (VmFlag.PROT << 4) | VmFlag.ACCOUNT;
    insertArea(mm, new Vma(oldEnd, newEnd, flags, key, null, oldEnd / PAGE_SIZE));
    mm.brk = address;
  }
  return mm.brk;
}

/** Makes every page of [start, end) present. @returns 0, or the fault that stopped it */
export function populateRange(cpu: Cpu, mm: MmStruct, start: number, end: number): number {
  for (let page = pageFloor(start); page < end; page += PAGE_SIZE) {
    const area = mm.areas.containing(page);
    if (area === null) continue;
    const entry = mm.tables.find(page);
    if (entry >= 0 && (mm.manager.memory.read32(entry) & Pte.present) !== 0) continue;
    const result = handleFault(cpu, mm, page, (area.flags & VmFlag.WRITE) !== 0 ? 2 : 0, true);
    if (result !== 0) return result;
  }
  return 0;
}

/** Puts an area into a free range and lets it merge with its neighbours. Returns the area that now covers the range. */
export function insertArea(mm: MmStruct, area: Vma): Vma {
  mm.areas.insert(area);
  return merge(mm, area);
}

/** Removes all mappings of [start, end): areas, pages, empty tables, translations everywhere. */
export function unmapRange(cpu: Cpu, mm: MmStruct, start: number, end: number): void {
  let freedPages = 0;
  let any = false;
  for (let index = mm.areas.indexFrom(start); ; ) {
    const area = mm.areas.at(index);
    if (area === undefined || area.start >= end) break;
    const part = isolate(mm, area, Math.max(start, area.start), Math.min(end, area.end));
    freedPages += zap(cpu, mm, part);
    mm.areas.remove(part);
    part.object?.mapped?.(-1, part);
    any = true;
    index = mm.areas.indexFrom(start);
  }
  if (!any) return;
  const tables = mm.tables.freeEmpty(start, end);
  if (freedPages > 0 || tables > 0) flushRange(mm.manager, cpu, mm, start, end, tables > 0);
}

/** Where a mapping without a fixed address goes (Linux: `arch_get_unmapped_area_topdown`). */
function unmappedArea(mm: MmStruct, hint: number, size: number, low32: boolean): number {
  const { taskSize, mmapBase } = mm.layout;
  if (low32) {
    const start = mm.areas.lowestGap(size, 0x4000_0000, 0x8000_0000, guardGap);
    return start < 0 ? -Errno.ENOMEM : start;
  }
  if (hint !== 0) {
    const wanted = Math.max(pageFloor(hint), MMAP_MIN_ADDR);
    if (wanted + size <= taskSize && mm.areas.isFree(wanted, wanted + size)) {
      const next = mm.areas.at(mm.areas.indexFrom(wanted));
      if (next === undefined || wanted + size <= next.start - guardGap(next)) return wanted;
    }
  }
  const start = mm.areas.highestGap(size, MMAP_MIN_ADDR, mmapBase, guardGap);
  if (start >= 0) return start;
  const above = mm.areas.lowestGap(size, mmapBase, taskSize, guardGap);
  return above < 0 ? -Errno.ENOMEM : above;
}

function guardGap(area: Vma): number {
  return (area.flags & VmFlag.GROWSDOWN) !== 0 ? STACK_GUARD_GAP : 0;
}

/** Splits `area` so that [start, end) of it is an area of its own, and returns that. */
function isolate(mm: MmStruct, area: Vma, start: number, end: number): Vma {
  let part = area;
  if (start > part.start) part = splitAt(mm, part, start);
  if (end < part.end) splitAt(mm, part, end);
  return part;
}

/** Cuts `area` at `address`; it keeps the lower part, the upper part is returned. */
function splitAt(mm: MmStruct, area: Vma, address: number): Vma {
  const offset = area.offset + (address - area.start) / PAGE_SIZE;
  const upper = new Vma(address, area.end, area.flags, area.key, area.object, offset);
  upper.anonymous = area.anonymous;
  area.end = address;
  mm.areas.insert(upper);
  return upper;
}

function merge(mm: MmStruct, area: Vma): Vma {
  let merged = area;
  const index = mm.areas.indexFrom(area.start);
  const previous = mm.areas.at(index - 1);
  if (previous?.mergesWith(merged)) {
    mm.areas.remove(merged);
    previous.end = merged.end;
    previous.anonymous ??= merged.anonymous;
    merged = previous;
  }
  const next = mm.areas.at(mm.areas.indexFrom(merged.end));
  if (next !== undefined && merged.mergesWith(next)) {
    mm.areas.remove(next);
    merged.end = next.end;
    merged.anonymous ??= next.anonymous;
  }
  return merged;
}

/** Clears the pages of an area; returns how many there were. */
function zap(cpu: Cpu, mm: MmStruct, area: Vma): number {
  const { memory, frames, zeroFrame } = mm.manager;
  let pages = 0;
  mm.tables.forEachPage(area.start, area.end, (_, entry) => {
    const frame = entryFrame(memory.read32(entry), memory.read32(entry + 4));
    memory.write32(entry, 0);
    memory.write32(entry + 4, 0);
    cpu.charge(MmStep.zapPage);
    frames.put(frame);
    if (frame !== zeroFrame) mm.residentPages--;
    pages++;
  });
  return pages;
}

/** Gives the pages of an area its rights and key. A private page stays read-only until it is written: it may be shared. */
function rewriteEntries(cpu: Cpu, mm: MmStruct, area: Vma): void {
  const { memory } = mm.manager;
  const hidden = (area.flags & VmFlag.PROT) === 0;
  const mayWrite = (area.flags & VmFlag.WRITE) !== 0;
  const shared = (area.flags & VmFlag.SHARED) !== 0;
  let pages = 0;
  mm.tables.forEachPage(area.start, area.end, (_, entry) => {
    const low = memory.read32(entry);
    const high = memory.read32(entry + 4);
    let flags = low & ~(Pte.writable | Pte.user);
    if (!hidden) flags |= Pte.user;
    if (mayWrite && (shared || ((low & Pte.dirty) !== 0 && mm.manager.frames.count(entryFrame(low, high)) === 1))) flags |= Pte.writable;
    const execute = (area.flags & VmFlag.EXEC) !== 0 ? 0 : Pte.noExecute;
    memory.write32(entry, flags);
    memory.write32(entry + 4, (high & ~(Pte.keyMask | Pte.noExecute)) | (area.key << Pte.keyShift) | execute);
    cpu.charge(MmStep.mprotectPage);
    pages++;
  });
  if (pages > 0) flushRange(mm.manager, cpu, mm, area.start, area.end, false);
}
