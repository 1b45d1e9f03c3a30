import { type Cpu, entryFrame, entryHigh, entryLow, FaultCode, LARGE_PAGE_SIZE, PAGE_SIZE, Pte, pageFloor } from '@rpal/hw-x86';
import { Pkey, Signal, SignalCode } from '@rpal/uapi';
import { FAULT_RESOLVED, type FaultResult, faultSignal } from '../fault-result.js';
import { mayExpand, mayLock } from '../space/accounting.js';
import { prepareAnonVma } from '../space/anon-vma.js';
import { MMAP_MIN_ADDR, STACK_GUARD_GAP } from '../space/layout.js';
import type { MmStruct } from '../space/mm-struct.js';
import { type MappedObject, type Vma, VmFlag } from '../space/vma.js';
import { MmStep } from '../steps.js';
import { USER_PAGE, WRITTEN_PAGE } from '../tables/entries.js';
import { resolveHuge, solelyUsed } from './huge-pages.js';

/** Linux: fault_around_bytes. */
export const FAULT_AROUND_BYTES: number = 16 * PAGE_SIZE;

const OUT_OF_MEMORY = faultSignal(Signal.KILL, SignalCode.KERNEL);

/**
 * Resolves a fault at `address` of `mm` (Linux: `do_user_addr_fault` and `handle_mm_fault`). Entry to and return from the
 * kernel are the caller's to charge.
 * @param code `FaultCode` bits; without `user` it is the kernel that copies from or to user memory
 */
export function handleFault(cpu: Cpu, mm: MmStruct, address: number, code: number): FaultResult {
  const { hooks, events } = mm.manager.seams;
  const redirected = hooks.mmFault.call(cpu, mm, address, code);
  const result = redirected === undefined ? resolveFault(cpu, mm, address, code) : redirected;
  if (events.pageFault.observed) events.pageFault.emit(cpu.id, cpu.clock, mm, address, code, result);
  return result;
}

/** As `handleFault`, in `mm` itself: no plugin is asked. */
export function resolveFault(cpu: Cpu, mm: MmStruct, address: number, code: number): FaultResult {
  const area = mm.areas.containing(address) ?? growStack(mm, address);
  if (area === null) {
    cpu.charge(MmStep.faultBody);
    return faultSignal(Signal.SEGV, SignalCode.SEGV_MAPERR);
  }
  const write = (code & FaultCode.write) !== 0;
  if ((code & FaultCode.protectionKey) !== 0 || ((code & FaultCode.fetch) === 0 && pkruDenies(cpu, mm, area, write))) {
    cpu.charge(MmStep.faultBody);
    return faultSignal(Signal.SEGV, SignalCode.SEGV_PKUERR);
  }
  if (!allows(area, code)) {
    cpu.charge(MmStep.faultBody);
    return faultSignal(Signal.SEGV, SignalCode.SEGV_ACCERR);
  }
  return resolveInArea(cpu, mm, area, address, code);
}

/**
 * Makes an allowed access possible (Linux: `handle_mm_fault`). Everything below takes the address as it was accessed: a number of more
 * than 31 bits that is computed again and passed on is put on the host's heap.
 */
export function resolveInArea(cpu: Cpu, mm: MmStruct, area: Vma, address: number, code: number): FaultResult {
  cpu.charge(MmStep.faultBody);
  if (mm.guards.meets(address, address + 1)) return faultSignal(Signal.SEGV, SignalCode.SEGV_MAPERR);
  const write = (code & FaultCode.write) !== 0;
  if ((mm.manager.hugePages !== 'never' || mm.tables.hugePages > 0) && resolveHuge(cpu, mm, area, address, write)) {
    mm.minorFaults++;
    return FAULT_RESOLVED;
  }
  const { residentPages } = mm;
  const { tables } = mm.tables;
  const entry = mm.tables.make(address);
  if (entry < 0) return OUT_OF_MEMORY;
  const low = mm.manager.memory.read32(entry);
  let result: FaultResult = FAULT_RESOLVED;
  if ((low & Pte.present) === 0) result = makePresent(cpu, mm, area, address, entry, write);
  else if (write && (low & Pte.writable) === 0) result = copyOnWrite(cpu, mm, area, address, entry);
  // It has been resolved meanwhile, or the TLB was stale: the access is repeated.
  else cpu.mmu.invlpg(address);
  if (result === FAULT_RESOLVED) mm.minorFaults++;
  // A table that was made for a page of a file is given back if there is neither that page nor one around it (Linux: `prealloc_pte`).
  else if (mm.tables.tables > tables && area.object !== null && mm.residentPages === residentPages) mm.tables.giveBack(address);
  return result;
}

/** Rights an area gives, as Linux's `access_error` judges them. */
function allows(area: Vma, code: number): boolean {
  if ((code & FaultCode.write) !== 0) return (area.flags & VmFlag.WRITE) !== 0;
  // A page that is present and still faulted on a read or a fetch lacks the right; otherwise any right makes it readable
  // on x86, and a fetch finds out when it is repeated.
  return (code & FaultCode.present) === 0 && area.accessible;
}

/**
 * Would the access fail for its protection key once the page is there? Then it is not made present (Linux:
 * `arch_vma_access_permitted`). PKRU is that of the process that runs: of other address spaces it says nothing.
 */
export function pkruDenies(cpu: Cpu, mm: MmStruct, area: Vma, write: boolean): boolean {
  if (!cpu.mmu.pke || mm.manager.tlb.state(cpu).loaded !== mm) return false;
  const rights = (cpu.mmu.pkru >>> (2 * area.key)) & 3;
  return (rights & Pkey.DISABLE_ACCESS) !== 0 || (write && (rights & Pkey.DISABLE_WRITE) !== 0);
}

/** A fault below an area that grows down extends it, if the gap below stays free (Linux: `expand_downwards`). */
function growStack(mm: MmStruct, address: number): Vma | null {
  const index = mm.areas.indexFrom(address);
  const area = mm.areas.at(index);
  if (area === undefined || (area.flags & VmFlag.GROWSDOWN) === 0) return null;
  const start = pageFloor(address);
  const below = mm.areas.at(index - 1);
  const guarded = below?.accessible && (below.flags & VmFlag.GROWSDOWN) === 0;
  if (start < MMAP_MIN_ADDR || (guarded && start - below.end < STACK_GUARD_GAP)) return null;
  prepareAnonVma(mm, area);
  const pages = (area.start - start) / PAGE_SIZE;
  if (!mayExpand(mm, area.flags, pages) || area.end - start > mm.limits.stack || !mayLock(mm, area.flags, pages)) return null;
  if ((area.flags & VmFlag.ACCOUNT) !== 0 && !mm.manager.commitment.commit(pages)) return null;
  area.offset -= pages;
  area.start = start;
  return area;
}

/** The first access to a page: it gets a frame. */
function makePresent(cpu: Cpu, mm: MmStruct, area: Vma, address: number, entry: number, write: boolean): FaultResult {
  const { memory, frames, zeroFrame } = mm.manager;
  const shared = (area.flags & VmFlag.SHARED) !== 0;
  const { object } = area;
  let frame: number;
  let writable = (area.flags & VmFlag.WRITE) !== 0;
  if (object !== null) {
    const offset = area.offset + Math.floor((address - area.start) / PAGE_SIZE);
    if (!write && mapAround(cpu, mm, area, object, address, entry)) return FAULT_RESOLVED;
    if (write && !shared) prepareAnonVma(mm, area);
    frame = object.frame(offset, cpu);
    if (frame === -1) return faultSignal(Signal.BUS, SignalCode.BUS_ADRERR);
    if (frame < 0) return OUT_OF_MEMORY;
    if (write && !shared) {
      const copy = freshFrame(cpu, mm);
      if (copy < 0) return OUT_OF_MEMORY;
      cpu.chargeBytes(MmStep.pageCopy, PAGE_SIZE);
      memory.copy(copy * PAGE_SIZE, frame * PAGE_SIZE, PAGE_SIZE);
      frame = copy;
    } else {
      frames.get(frame);
      writable &&= shared;
    }
  } else if (write) {
    prepareAnonVma(mm, area);
    frame = freshFrame(cpu, mm);
    if (frame < 0) return OUT_OF_MEMORY;
    cpu.chargeBytes(MmStep.pageZero, PAGE_SIZE);
    memory.fill(frame * PAGE_SIZE, PAGE_SIZE);
  } else {
    frame = zeroFrame;
    frames.get(frame);
    writable = false;
  }
  setEntry(mm, area, entry, frame, USER_PAGE | (writable ? Pte.writable : 0) | (write ? Pte.dirty : 0));
  mm.countPage(area, frame);
  return FAULT_RESOLVED;
}

/**
 * A read of a file's page maps what else of the 16 pages around it is in memory, within its area and its page table
 * (Linux: `do_fault_around`). @returns true if the page itself was there
 */
function mapAround(cpu: Cpu, mm: MmStruct, area: Vma, object: MappedObject, address: number, entry: number): boolean {
  if (object.cachedFrame === undefined) return false;
  const page = pageFloor(address);
  const { memory, frames } = mm.manager;
  const window = page - (page & (FAULT_AROUND_BYTES - 1));
  const start = Math.max(window, area.start);
  const end = Math.min(start + FAULT_AROUND_BYTES, page - (page & (LARGE_PAGE_SIZE - 1)) + LARGE_PAGE_SIZE, area.end);
  const writable = (area.flags & (VmFlag.SHARED | VmFlag.WRITE)) === (VmFlag.SHARED | VmFlag.WRITE);
  const flags = writable ? USER_PAGE | Pte.writable : USER_PAGE;
  let found = false;
  for (let at = start; at < end; at += PAGE_SIZE) {
    const slot = entry + ((at - page) / PAGE_SIZE) * 8;
    if (memory.read32(slot) !== 0 || mm.guards.meets(at, at + 1)) continue;
    const frame = object.cachedFrame(area.offset + (at - area.start) / PAGE_SIZE, cpu);
    if (frame < 0) continue;
    if (at === page) found = true;
    else cpu.charge(MmStep.faultAround);
    frames.get(frame);
    setEntry(mm, area, slot, frame, flags);
    mm.countPage(area, frame);
  }
  return found;
}

/** A write to a page that may not be written yet (Linux: `do_wp_page`). */
function copyOnWrite(cpu: Cpu, mm: MmStruct, area: Vma, address: number, entry: number): FaultResult {
  const { memory, frames, zeroFrame } = mm.manager;
  const frame = entryFrame(memory.read32(entry), memory.read32(entry + 4));
  cpu.charge(MmStep.copyOnWrite);
  const shared = (area.flags & VmFlag.SHARED) !== 0;
  if (shared || (frame !== zeroFrame && (frames.exclusive(frame) || solelyUsed(mm, address, frame)))) {
    // The last user of the page: it may be written in place.
    if (!shared) frames.setExclusive(frame);
    memory.write32(entry, memory.read32(entry) | Pte.writable | Pte.dirty);
    cpu.mmu.invlpg(address);
    return FAULT_RESOLVED;
  }
  prepareAnonVma(mm, area);
  const copy = freshFrame(cpu, mm);
  if (copy < 0) return OUT_OF_MEMORY;
  cpu.chargeBytes(frame === zeroFrame ? MmStep.pageZero : MmStep.pageCopy, PAGE_SIZE);
  memory.copy(copy * PAGE_SIZE, frame * PAGE_SIZE, PAGE_SIZE);
  mm.uncountPage(area, frame);
  mm.countPage(area, copy);
  setEntry(mm, area, entry, copy, WRITTEN_PAGE);
  mm.manager.tlb.flushPage(cpu, mm, address);
  frames.put(frame);
  return FAULT_RESOLVED;
}

/** Writes a level-1 entry with these flags, and with the key of its area and its right to execute. */
export function setEntry(mm: MmStruct, area: Vma, entry: number, frame: number, flags: number): void {
  const { memory } = mm.manager;
  memory.write32(entry + 4, entryHigh(frame, area.key, (area.flags & VmFlag.EXEC) === 0));
  memory.write32(entry, entryLow(frame, flags));
}

function freshFrame(cpu: Cpu, mm: MmStruct): number {
  cpu.charge(MmStep.pageAlloc);
  const frame = mm.manager.frames.allocate(cpu.socket);
  if (frame < 0) return frame;
  mm.manager.lru.add(cpu);
  cpu.coherence.claim(cpu, frame);
  mm.manager.frames.setExclusive(frame);
  return frame;
}
