import { type Cpu, entryFrame, entryHigh, entryLow, FaultCode, PAGE_SIZE, Pte, pageFloor } from '@rpal/hw-x86';
import { Signal, SignalCode } from '@rpal/uapi';
import { STACK_GUARD_GAP } from './layout.js';
import type { MmStruct } from './mm-struct.js';
import { MmStep } from './steps.js';
import { flushRange } from './tlb-flush.js';
import { type Vma, VmFlag } from './vma.js';

/**
 * How a page fault ended: 0 if the access may be repeated, else the signal (bits 0..7) and its `si_code` (from bit 8).
 * In kernel mode the signal part means that the copy fails with EFAULT.
 */
export type FaultResult = number;

export const FAULT_RESOLVED = 0;

export function faultSignal(signal: number, code: number): FaultResult {
  return signal | (code << 8);
}

const OUT_OF_MEMORY = faultSignal(Signal.KILL, SignalCode.KERNEL);

/**
 * Resolves a fault at `address` of `mm` (Linux: `do_user_addr_fault` and `handle_mm_fault`). Entry to and return from the
 * kernel are the caller's to charge.
 */
export function handleFault(cpu: Cpu, mm: MmStruct, address: number, code: number, kernelMode: boolean): FaultResult {
  const redirected = mm.manager.seams.hooks.mmFault.call(cpu, mm, address, code, kernelMode);
  return redirected === undefined ? resolveFault(cpu, mm, address, code) : redirected;
}

/** As `handleFault`, in `mm` itself: no plugin is asked. */
export function resolveFault(cpu: Cpu, mm: MmStruct, address: number, code: number): FaultResult {
  cpu.charge(MmStep.faultBody);
  const area = mm.areas.containing(address) ?? growStack(mm, address);
  if (area === null) return faultSignal(Signal.SEGV, SignalCode.SEGV_MAPERR);
  if ((code & FaultCode.protectionKey) !== 0) return faultSignal(Signal.SEGV, SignalCode.SEGV_PKUERR);
  if (!allows(area, code)) return faultSignal(Signal.SEGV, SignalCode.SEGV_ACCERR);
  const write = (code & FaultCode.write) !== 0;
  const page = pageFloor(address);
  const entry = mm.tables.make(page);
  if (entry < 0) return OUT_OF_MEMORY;
  mm.minorFaults++;
  const { memory } = mm.manager;
  const low = memory.read32(entry);
  if ((low & Pte.present) === 0) return populate(cpu, mm, area, page, entry, write);
  if (write && (low & Pte.writable) === 0) return copyOnWrite(cpu, mm, area, page, entry);
  // Somebody else resolved it meanwhile, or the TLB was stale: the access is repeated.
  cpu.mmu.invlpg(page);
  return FAULT_RESOLVED;
}

/** Rights an area gives, as Linux's `access_error` judges them. */
function allows(area: Vma, code: number): boolean {
  if ((code & FaultCode.write) !== 0) return (area.flags & VmFlag.WRITE) !== 0;
  if ((code & FaultCode.fetch) !== 0) return (area.flags & VmFlag.EXEC) !== 0;
  // A page that is present and still faulted on a read lacks the right; otherwise any right makes it readable on x86.
  if ((code & FaultCode.present) !== 0) return false;
  return (area.flags & VmFlag.PROT) !== 0;
}

/** A fault just below an area that grows down extends it, if the gap below stays free. */
function growStack(mm: MmStruct, address: number): Vma | null {
  const index = mm.areas.indexFrom(address);
  const area = mm.areas.at(index);
  if (area === undefined || (area.flags & VmFlag.GROWSDOWN) === 0) return null;
  const start = pageFloor(address);
  const below = mm.areas.at(index - 1);
  if (area.end - start > 8 * 0x10_0000) return null;
  if (below !== undefined && (below.flags & VmFlag.PROT) !== 0 && start - below.end < STACK_GUARD_GAP) return null;
  area.offset -= (area.start - start) / PAGE_SIZE;
  area.start = start;
  return area;
}

function populate(cpu: Cpu, mm: MmStruct, area: Vma, page: number, entry: number, write: boolean): FaultResult {
  const { memory, frames, zeroFrame } = mm.manager;
  const shared = (area.flags & VmFlag.SHARED) !== 0;
  let frame: number;
  let writable = (area.flags & VmFlag.WRITE) !== 0;
  if (area.object !== null) {
    frame = area.object.frame(area.offset + (page - area.start) / PAGE_SIZE);
    if (frame === -1) return faultSignal(Signal.BUS, SignalCode.BUS_ADRERR);
    if (frame < 0) return OUT_OF_MEMORY;
    if (!shared && write) {
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
    frame = freshFrame(cpu, mm);
    if (frame < 0) return OUT_OF_MEMORY;
    cpu.chargeBytes(MmStep.pageZero, PAGE_SIZE);
    memory.fill(frame * PAGE_SIZE, PAGE_SIZE);
  } else {
    frame = zeroFrame;
    frames.get(frame);
    writable = false;
  }
  if (area.object === null && area.anonymous === null && write) area.anonymous = area;
  setEntry(mm, area, entry, frame, writable, write);
  if (frame !== zeroFrame) mm.residentPages++;
  return FAULT_RESOLVED;
}

function copyOnWrite(cpu: Cpu, mm: MmStruct, area: Vma, page: number, entry: number): FaultResult {
  const { memory, frames, zeroFrame } = mm.manager;
  const frame = entryFrame(memory.read32(entry), memory.read32(entry + 4));
  cpu.charge(MmStep.copyOnWrite);
  if ((area.flags & VmFlag.SHARED) !== 0 || (frame !== zeroFrame && area.object === null && frames.count(frame) === 1)) {
    // The last user of the page: it may be written in place.
    memory.write32(entry, memory.read32(entry) | Pte.writable | Pte.dirty);
    cpu.mmu.invlpg(page);
    return FAULT_RESOLVED;
  }
  const copy = freshFrame(cpu, mm);
  if (copy < 0) return OUT_OF_MEMORY;
  cpu.chargeBytes(frame === zeroFrame ? MmStep.pageZero : MmStep.pageCopy, PAGE_SIZE);
  memory.copy(copy * PAGE_SIZE, frame * PAGE_SIZE, PAGE_SIZE);
  if (frame === zeroFrame) mm.residentPages++;
  area.anonymous ??= area;
  setEntry(mm, area, entry, copy, true, true);
  flushRange(mm.manager, cpu, mm, page, page + PAGE_SIZE, false);
  frames.put(frame);
  return FAULT_RESOLVED;
}

function freshFrame(cpu: Cpu, mm: MmStruct): number {
  cpu.charge(MmStep.pageAlloc);
  const frame = mm.manager.frames.allocate(cpu.socket);
  if (frame >= 0) cpu.coherence.claim(cpu, frame);
  return frame;
}

/** Writes a level-1 entry with the rights and the key of its area. */
export function setEntry(mm: MmStruct, area: Vma, entry: number, frame: number, writable: boolean, dirty: boolean): void {
  const { memory } = mm.manager;
  const flags = Pte.present | Pte.user | Pte.accessed | (writable ? Pte.writable : 0) | (dirty ? Pte.dirty : 0);
  memory.write32(entry + 4, entryHigh(frame, area.key, (area.flags & VmFlag.EXEC) === 0));
  memory.write32(entry, entryLow(frame, flags));
}
