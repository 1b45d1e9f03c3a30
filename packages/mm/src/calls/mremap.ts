import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import { Errno, MapFlag, Mremap } from '@rpal/uapi';
import { requireWhole } from '../errors.js';
import { populateRange } from '../fault/populate.js';
import { mayExpand, mayLock } from '../space/accounting.js';
import type { MmStruct } from '../space/mm-struct.js';
import { unmappedArea } from '../space/unmapped-area.js';
import { unsigned, wholePages } from '../space/unsigned.js';
import { type Vma, VmFlag } from '../space/vma.js';
import { MAX_MAP_COUNT, mergeNewRange } from '../space/vma-merge.js';
import { MmStep } from '../steps.js';
import { movePageTables } from './move-page-tables.js';
import { unmap, unmapRange } from './munmap.js';

/** What mremap is asked for, in whole pages (Linux: `struct vma_remap_struct`). */
interface Remap {
  readonly address: number;
  readonly oldSize: number;
  readonly newSize: number;
  readonly flags: number;
  readonly target: number;
}

const FLAGS = Mremap.MAYMOVE | Mremap.FIXED | Mremap.DONTUNMAP;

/**
 * mremap(2).
 * @param target where to, if FIXED; with DONTUNMAP alone a hint
 * @returns the address of the mapping after the call, or a negative errno
 */
export function mremap(cpu: Cpu, mm: MmStruct, from: number, oldLength: number, newLength: number, flags: number, to = 0): number {
  requireWhole(from, 'address');
  requireWhole(oldLength, 'oldLength');
  requireWhole(newLength, 'newLength');
  requireWhole(to, 'target');
  cpu.charge(MmStep.mremapBody);
  const address = unsigned(from);
  const target = unsigned(to);
  const oldSize = wholePages(oldLength);
  const newSize = wholePages(newLength);
  if (from % PAGE_SIZE !== 0 || (to % PAGE_SIZE !== 0 && (flags & (Mremap.FIXED | Mremap.DONTUNMAP)) !== 0)) return -Errno.EINVAL;
  if (flags < 0 || flags > FLAGS) return -Errno.EINVAL;
  const remap: Remap = { address, oldSize, newSize, flags, target };
  const invalid = checkArguments(mm, remap);
  if (invalid < 0) return invalid;
  if (mm.manager.rules.moveManyAreas && (flags & Mremap.FIXED) !== 0 && oldSize === newSize) return moveRange(cpu, mm, remap);
  const area = mm.areas.containing(address);
  if (area === null) return -Errno.EFAULT;
  if (mm.manager.rules.moveManyAreas && (hasTarget(remap) || newSize > oldSize)) {
    // Since 6.17 the area is judged before anything is unmapped.
    const refused = checkArea(mm, area, { ...remap, oldSize: Math.min(oldSize, newSize) });
    if (refused < 0) return refused;
  }
  if (hasTarget(remap)) return moveTo(cpu, mm, remap);
  if (newSize === oldSize) return address;
  if (newSize < oldSize) {
    const failed = unmap(cpu, mm, address + newSize, oldSize - newSize);
    return failed < 0 ? failed : address;
  }
  return expand(cpu, mm, area, remap);
}

/** The caller gives the place. */
function hasTarget({ flags }: Remap): boolean {
  return (flags & (Mremap.FIXED | Mremap.DONTUNMAP)) !== 0;
}

/** Linux: `check_mremap_params`. */
function checkArguments(mm: MmStruct, remap: Remap): number {
  const { address, oldSize, newSize, flags, target } = remap;
  const { taskSize } = mm.layout;
  if ((flags & ~FLAGS) !== 0 || address % PAGE_SIZE !== 0 || newSize === 0) return -Errno.EINVAL;
  if (!hasTarget(remap)) return mm.manager.rules.moveManyAreas && newSize > taskSize ? -Errno.EINVAL : 0;
  if (target % PAGE_SIZE !== 0 || (flags & Mremap.MAYMOVE) === 0) return -Errno.EINVAL;
  if ((flags & Mremap.DONTUNMAP) !== 0 && oldSize !== newSize) return -Errno.EINVAL;
  const badTarget = newSize > taskSize || target > taskSize - newSize || (address + oldSize > target && target + newSize > address);
  const tooMany = mm.areas.size + 2 >= MAX_MAP_COUNT - 3;
  if (mm.manager.rules.moveManyAreas) return badTarget ? -Errno.EINVAL : tooMany ? -Errno.ENOMEM : 0;
  // Up to 6.16 there has to be an area before the target is looked at.
  if (tooMany) return -Errno.ENOMEM;
  return badTarget ? (mm.areas.containing(address) === null ? -Errno.EFAULT : -Errno.EINVAL) : 0;
}

/** May the area be moved or grown (Linux: `remap_is_valid`)? @returns 0 or a negative errno */
function checkArea(mm: MmStruct, area: Vma, { address, oldSize, newSize, flags }: Remap): number {
  if (oldSize === 0 && (area.flags & (VmFlag.SHARED | VmFlag.MAYSHARE)) === 0) return -Errno.EINVAL;
  const pinned = (area.flags & (VmFlag.DONTEXPAND | VmFlag.PFNMAP)) !== 0;
  if ((flags & Mremap.DONTUNMAP) !== 0 && pinned) return -Errno.EINVAL;
  if (oldSize > area.end - address) return -Errno.EFAULT;
  if (newSize === oldSize) return 0;
  if (pinned) return -Errno.EFAULT;
  const more = (newSize - oldSize) / PAGE_SIZE;
  if (!mayLock(mm, area.flags, more)) return -Errno.EAGAIN;
  return mayExpand(mm, area.flags, more) ? 0 : -Errno.ENOMEM;
}

/** Linux: `mremap_to`. */
function moveTo(cpu: Cpu, mm: MmStruct, remap: Remap): number {
  const { address, oldSize, newSize, flags, target } = remap;
  if ((flags & Mremap.FIXED) !== 0) {
    const failed = unmapRange(cpu, mm, target, target + newSize);
    if (failed < 0) return failed;
  }
  if (oldSize > newSize) {
    const failed = unmap(cpu, mm, address + newSize, oldSize - newSize);
    if (failed < 0) return failed;
  }
  const rest: Remap = { ...remap, oldSize: Math.min(oldSize, newSize) };
  const area = mm.areas.containing(address);
  if (area === null) return -Errno.EFAULT;
  if (!mm.manager.rules.moveManyAreas) {
    const refused = checkArea(mm, area, rest);
    if (refused < 0) return refused;
  }
  if ((flags & Mremap.DONTUNMAP) !== 0 && !mayExpand(mm, area.flags, rest.oldSize / PAGE_SIZE)) return -Errno.ENOMEM;
  const to = (flags & Mremap.FIXED) !== 0 ? target : placeFor(mm, area, target, newSize);
  return to < 0 ? to : move(cpu, mm, area, { ...rest, target: to });
}

/** Linux: `expand_vma`: in place if there is room behind it, else somewhere else. */
function expand(cpu: Cpu, mm: MmStruct, area: Vma, remap: Remap): number {
  const { address, oldSize, newSize, flags } = remap;
  if (!mm.manager.rules.moveManyAreas) {
    const refused = checkArea(mm, area, remap);
    if (refused < 0) return refused;
  }
  const more = newSize - oldSize;
  const { end } = area;
  if (end - address === oldSize && end + more <= mm.layout.taskSize && mm.areas.isFree(end, end + more)) {
    if ((area.flags & VmFlag.ACCOUNT) !== 0 && !mm.manager.commitment.commit(more / PAGE_SIZE)) return -Errno.ENOMEM;
    const { flags: vmFlags, key, object, anonVma } = area;
    const offset = area.offset + area.pages;
    // An area always goes with its own continuation.
    mergeNewRange(mm, { start: end, end: end + more, flags: vmFlags, key, object, offset, anonVma, source: area });
    announce(cpu, mm, end, end + more);
    if ((vmFlags & VmFlag.LOCKED) !== 0) populateRange(cpu, mm, end, end + more);
    return address;
  }
  if ((flags & Mremap.MAYMOVE) === 0) return -Errno.ENOMEM;
  const to = placeFor(mm, area, 0, newSize);
  return to < 0 ? to : move(cpu, mm, area, { ...remap, target: to });
}

function placeFor(mm: MmStruct, area: Vma, hint: number, size: number): number {
  const shared = (area.flags & VmFlag.MAYSHARE) !== 0 ? MapFlag.SHARED : 0;
  return unmappedArea(mm, hint, size, shared, area.object === null);
}

/** Linux: `move_vma`: a copy of the area at the target, its page-table entries moved, the old range unmapped. */
function move(cpu: Cpu, mm: MmStruct, area: Vma, { address, oldSize, newSize, flags, target: to }: Remap): number {
  if (mm.areas.size >= MAX_MAP_COUNT - 3) return -Errno.ENOMEM;
  const keep = (flags & Mremap.DONTUNMAP) !== 0;
  const accounted = (area.flags & VmFlag.ACCOUNT) !== 0;
  // What is unmapped below gives its share back; so the whole of the new range is committed here.
  if (accounted && !mm.manager.commitment.commit((keep ? newSize : newSize - oldSize) / PAGE_SIZE)) return -Errno.ENOMEM;
  const { copy, source } = copyArea(mm, area, address, newSize, to);
  cpu.charge(MmStep.mremapMove);
  if (oldSize > 0) movePageTables(cpu, mm, { source, copy, from: address, to, size: oldSize });
  announce(cpu, mm, to, to + newSize);
  if (accounted && !keep) mm.manager.commitment.pages += oldSize / PAGE_SIZE;
  if ((copy.flags & VmFlag.LOCKED) !== 0 && newSize > oldSize) populateRange(cpu, mm, to + oldSize, to + newSize);
  if (!keep) {
    // A length of 0 made a second mapping of shared memory: nothing goes.
    if (oldSize > 0) unmapRange(cpu, mm, address, address + oldSize);
    return to;
  }
  if ((source.flags & VmFlag.LOCKED) !== 0) mm.lockedBehind += source.pages;
  source.flags &= ~VmFlag.LOCKED;
  if (!mm.manager.rules.dontUnmapKeepsAccount) source.flags &= ~VmFlag.ACCOUNT;
  if (copy !== source && source.start === address && source.end === address + oldSize) {
    source.anonVma = null;
    source.anonChain = 0;
  }
  return to;
}

function announce(cpu: Cpu, mm: MmStruct, start: number, end: number): void {
  const { memoryMap } = mm.manager.seams.events;
  if (memoryMap.observed) memoryMap.emit(cpu.id, cpu.clock, mm, start, end);
}

/** Linux: `copy_vma`. An area without pages takes the offset that suits its new place, so that it may merge there. */
function copyArea(mm: MmStruct, area: Vma, address: number, size: number, to: number): { readonly copy: Vma; readonly source: Vma } {
  const untouched = area.object === null && area.anonVma === null;
  const offset = untouched ? to / PAGE_SIZE : area.offset + (address - area.start) / PAGE_SIZE;
  const { flags, key, object, anonVma } = area;
  const merged = mergeNewRange(mm, { start: to, end: to + size, flags, key, object, offset, anonVma, source: area });
  if (merged !== null) {
    // The copy may have merged with what it was copied from.
    const swallowed = address >= merged.start && address < merged.end;
    return { copy: merged, source: swallowed ? merged : area };
  }
  const copy = area.copy(to, to + size, offset);
  mm.areas.insert(copy);
  copy.object?.mapped?.(1, copy, mm);
  return { copy, source: area };
}

/** Since 6.17: moves every area of a range, keeping the gaps between them (Linux: `remap_move`). */
function moveRange(cpu: Cpu, mm: MmStruct, { address, oldSize, flags, target }: Remap): number {
  const end = address + oldSize;
  const first = mm.areas.at(mm.areas.indexFrom(address));
  if (first === undefined || first.start > address) return -Errno.EFAULT;
  for (let at = address; at < end; ) {
    const area = mm.areas.at(mm.areas.indexFrom(at));
    if (area === undefined || area.start >= end) break;
    const start = Math.max(area.start, at);
    const stop = Math.min(area.end, end);
    const size = stop - start;
    const part: Remap = { address: start, oldSize: size, newSize: size, flags, target: target + (start - address) };
    const refused = checkArea(mm, area, part);
    if (refused < 0) return refused;
    const moved = moveTo(cpu, mm, part);
    if (moved < 0) return moved;
    at = stop;
  }
  return target;
}
