import { type Cpu, entryFrame, FaultCode, PAGE_SIZE, Pte } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { FAULT_RESOLVED, MmStep, type MmStruct, resolveInArea, setEntry, type Vma, VmFlag, WRITTEN_PAGE } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import { FlipStep } from './steps.js';

/** What becomes of the sender's pages. */
export const PageSend = {
  /** They are the receiver's from now on: the sender's next access finds fresh zeroed memory. */
  MOVE: 0,
  /** Both have them, until one side writes: its write makes a copy. */
  SHARE: 1,
} as const;

/** Memory that its owner lets another process put pages into. */
export interface Window {
  readonly start: number;
  readonly end: number;
  /** The process that may. */
  readonly from: number;
}

/** Pages of one side of a transfer. */
interface Side {
  readonly mm: MmStruct;
  readonly area: Vma;
}

/** Freed tables would concern lazy CPUs, too; none is freed here. */
const NO_TABLES_FREED = false;

/**
 * Maps `length` bytes of the sender's private memory at `from` into the receiver's window at `to`, in place of what is there. The pages of the
 * sender that are not present yet are made first.
 * @returns 0, or -EINVAL, -EFAULT, -EPERM, -ENOMEM; then nothing has been sent, or, without memory, a part
 */
export function sendPages(
  cpu: Cpu,
  sender: Thread,
  receiver: MmStruct,
  windows: readonly Window[],
  from: number,
  to: number,
  length: number,
  how: number,
): number {
  cpu.charge(FlipStep.call);
  if (how !== PageSend.MOVE && how !== PageSend.SHARE) return -Errno.EINVAL;
  if (!(length > 0) || from % PAGE_SIZE !== 0 || to % PAGE_SIZE !== 0 || length % PAGE_SIZE !== 0) return -Errno.EINVAL;
  const own = sender.memory;
  if (own === receiver) return -Errno.EINVAL;
  if (!windows.some((one) => one.from === sender.process.pid && to >= one.start && to + length <= one.end)) return -Errno.EPERM;
  const source = privateArea(own, from, length);
  const target = privateArea(receiver, to, length);
  if (source === null || target === null) return -Errno.EFAULT;
  let wasWritable = false;
  let wasMapped = false;
  for (let done = 0; done < length; done += PAGE_SIZE) {
    const entry = presentEntry(cpu, source, from + done);
    const slot = presentEntry(cpu, target, to + done);
    if (entry < 0 || slot < 0) return -Errno.ENOMEM;
    wasMapped = true;
    wasWritable = replace(cpu, source, target, entry, slot, how) || wasWritable;
  }
  // Nobody may keep a right, or a page, that the entries do not give any more.
  if (wasWritable) own.manager.tlb.flushChanged(cpu, own, from, from + length, PAGE_SIZE, NO_TABLES_FREED);
  if (wasMapped) receiver.manager.tlb.flushChanged(cpu, receiver, to, to + length, PAGE_SIZE, NO_TABLES_FREED);
  return 0;
}

/** The one private, writable area that the range lies in; null if it does not, or has huge pages. */
export function privateArea(mm: MmStruct, start: number, length: number): Side | null {
  const area = mm.areas.containing(start);
  if (area === null || area.end < start + length || area.object !== null || mm.tables.hugePages > 0) return null;
  return (area.flags & VmFlag.WRITE) !== 0 && (area.flags & VmFlag.SHARED) === 0 ? { mm, area } : null;
}

/** The entry of a page that is the side's own, made if it is not there. @returns -1 without memory */
function presentEntry(cpu: Cpu, { mm, area }: Side, address: number): number {
  const { memory, zeroFrame } = mm.manager;
  const entry = mm.tables.find(address);
  if (entry >= 0) {
    const low = memory.read32(entry);
    if ((low & Pte.present) !== 0 && entryFrame(low, memory.read32(entry + 4)) !== zeroFrame) return entry;
  }
  if (resolveInArea(cpu, mm, area, address, FaultCode.user | FaultCode.write) !== FAULT_RESOLVED) return -1;
  return mm.tables.find(address);
}

/** One page. @returns true if the sender's CPUs may have a translation that is wrong now */
function replace(cpu: Cpu, source: Side, target: Side, entry: number, slot: number, how: number): boolean {
  const { memory, frames } = source.mm.manager;
  const low = memory.read32(entry);
  const frame = entryFrame(low, memory.read32(entry + 4));
  const old = entryFrame(memory.read32(slot), memory.read32(slot + 4));
  // The page that was in the window goes.
  cpu.charge(MmStep.zapPage);
  target.mm.uncountPage(target.area, old);
  frames.put(old);
  target.mm.countPage(target.area, frame);
  if (how === PageSend.MOVE) {
    cpu.charge(MmStep.mremapPage);
    source.mm.uncountPage(source.area, frame);
    memory.write32(entry, 0);
    memory.write32(entry + 4, 0);
    // A page that others have, too, after a fork or an earlier SHARE, is not to be written in place.
    setEntry(target.mm, target.area, slot, frame, frames.exclusive(frame) ? WRITTEN_PAGE : WRITTEN_PAGE & ~Pte.writable);
    return true;
  }
  cpu.charge(MmStep.forkPage);
  frames.get(frame);
  frames.clearExclusive(frame);
  setEntry(source.mm, source.area, entry, frame, low & Pte.flags & ~Pte.writable);
  setEntry(target.mm, target.area, slot, frame, WRITTEN_PAGE & ~Pte.writable);
  return (low & Pte.writable) !== 0;
}
