import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import { Errno, MapFlag, Prot } from '@rpal/uapi';
import { MmError, requireWhole } from '../errors.js';
import { MappedFile, MemoryFile } from '../fault/memory-file.js';
import { populateRange } from '../fault/populate.js';
import { accountable, mayExpand, mayLock } from '../space/accounting.js';
import type { MmStruct } from '../space/mm-struct.js';
import { unmappedArea } from '../space/unmapped-area.js';
import { unsigned, wholePages } from '../space/unsigned.js';
import { type MappedObject, protFlags, Vma, VmFlag } from '../space/vma.js';
import { MAX_MAP_COUNT, mergeNewRange } from '../space/vma-merge.js';
import { MmStep } from '../steps.js';
import { isolateRange, measureRange, removeRange } from './munmap.js';
import { executeOnlyKey } from './pkeys.js';

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

/** Flags that MAP_SHARED_VALIDATE knows; MAP_SHARED ignores others. */
const KNOWN_FLAGS =
  MapFlag.TYPE |
  MapFlag.FIXED |
  MapFlag.ANONYMOUS |
  MapFlag.BIT32 |
  MapFlag.GROWSDOWN |
  MapFlag.DENYWRITE |
  0x1000 | // MAP_EXECUTABLE
  MapFlag.LOCKED |
  MapFlag.NORESERVE |
  MapFlag.POPULATE |
  MapFlag.NONBLOCK |
  MapFlag.STACK |
  0x4_0000; // MAP_HUGETLB

/** Pages of the largest file: its last byte has an offset of 63 bits. */
const FILE_PAGES = 2 ** 51;
/** Pages of the largest file that is not a regular one. */
const OBJECT_PAGES = 2 ** 52;

/** Results from here up to -1 are errors. */
const MAX_ERRNO = 4095;

const MAY_ALL = VmFlag.MAYREAD | VmFlag.MAYWRITE | VmFlag.MAYEXEC;

/**
 * mmap(2).
 * @param extra.object what is mapped; its name, rights and pages
 * @returns the address of the mapping, or a negative errno
 */
export function mmap(cpu: Cpu, mm: MmStruct, hint: number, length: number, prot: number, flags: number, extra: MmapExtra = {}): number {
  requireWhole(hint, 'hint');
  requireWhole(length, 'length');
  cpu.charge(MmStep.mmapBody);
  if (length === 0) return -Errno.EINVAL;
  const size = wholePages(length);
  if (size === 0) return -Errno.ENOMEM;
  if (mm.areas.size > MAX_MAP_COUNT) return -Errno.ENOMEM;
  const { hooks } = mm.manager.seams;
  const key = hooks.mmNewKey.call(prot === Prot.EXEC ? executeOnlyKey(cpu, mm) : 0, mm);

  if ((flags & (MapFlag.FIXED | MapFlag.FIXED_NOREPLACE)) === 0) cpu.charge(MmStep.mmapSearch);
  const address = place(mm, hint, size, flags, extra.object === undefined);
  if (address < 0) return address;
  const noReplace = (flags & MapFlag.FIXED_NOREPLACE) !== 0;
  if (noReplace && !mm.areas.isFree(address, address + size)) return -Errno.EEXIST;
  if ((flags & MapFlag.LOCKED) !== 0) {
    if (mm.limits.locked === 0) return -Errno.EPERM;
    if (!mayLock(mm, VmFlag.LOCKED, size / PAGE_SIZE)) return -Errno.EAGAIN;
  }

  const requested = protFlags(prot) | flagBits(flags) | MAY_ALL;
  if (extra.object !== undefined) {
    const limit = extra.object.mappable === false ? OBJECT_PAGES : FILE_PAGES;
    if ((extra.offset ?? 0) >= limit - size / PAGE_SIZE) return -Errno.EOVERFLOW;
  }
  const allowed = extra.object === undefined ? anonymousFlags(requested, flags) : objectFlags(requested, prot, flags, extra.object);
  if (allowed < 0) return allowed;
  let vmFlags = allowed | (extra.vmFlags ?? 0);
  if (extra.maxProt !== undefined) vmFlags &= ~(~(extra.maxProt << 4) & MAY_ALL);
  if ((flags & MapFlag.NORESERVE) !== 0 && mm.manager.commitment.policy !== 'never') vmFlags |= VmFlag.NORESERVE;
  const anonymousShared = extra.object === undefined && (vmFlags & VmFlag.SHARED) !== 0;
  const offset = extra.object !== undefined ? (extra.offset ?? 0) : anonymousShared ? 0 : address / PAGE_SIZE;

  const failed = mapRegion(cpu, mm, new Vma(address, address + size, vmFlags, key, extra.object ?? null, offset));
  if (failed < 0) return failed;
  const { memoryMap } = mm.manager.seams.events;
  if (memoryMap.observed) memoryMap.emit(cpu.id, cpu.clock, mm, address, address + size);
  if ((vmFlags & VmFlag.LOCKED) !== 0 || (flags & (MapFlag.POPULATE | MapFlag.NONBLOCK)) === MapFlag.POPULATE) {
    populateRange(cpu, mm, address, address + size);
  }
  return address;
}

/** Linux: `__get_unmapped_area`. @returns the address or a negative errno */
function place(mm: MmStruct, register: number, size: number, flags: number, anonymous: boolean): number {
  if (size > mm.layout.taskSize) return -Errno.ENOMEM;
  const hint = unsigned(register);
  if ((flags & (MapFlag.FIXED | MapFlag.FIXED_NOREPLACE)) === 0) return unmappedArea(mm, hint, size, flags, anonymous);
  // An address that looks like an error is taken for one.
  if (register < 0 && register >= -MAX_ERRNO) return register;
  if (hint > mm.layout.taskSize - size) return -Errno.ENOMEM;
  if (hint % PAGE_SIZE !== 0) return -Errno.EINVAL;
  return hint < mm.limits.lowest ? -Errno.EPERM : hint;
}

/** VM flags that flags of mmap stand for (Linux: `calc_vm_flag_bits`). */
function flagBits(flags: number): number {
  let bits = 0;
  if ((flags & MapFlag.GROWSDOWN) !== 0) bits |= VmFlag.GROWSDOWN;
  if ((flags & MapFlag.LOCKED) !== 0) bits |= VmFlag.LOCKED;
  // A stack gets no large pages: its first touch would cost 2 MiB.
  if ((flags & MapFlag.STACK) !== 0) bits |= VmFlag.NOHUGEPAGE;
  return bits;
}

/** @returns the VM flags of anonymous memory or a negative errno */
function anonymousFlags(vmFlags: number, flags: number): number {
  const type = flags & MapFlag.TYPE;
  if (type === MapFlag.PRIVATE) return vmFlags;
  if (type !== MapFlag.SHARED || (vmFlags & VmFlag.GROWSDOWN) !== 0) return -Errno.EINVAL;
  return vmFlags | VmFlag.SHARED | VmFlag.MAYSHARE;
}

/** @returns the VM flags of a mapping of `object` or a negative errno */
function objectFlags(vmFlags: number, prot: number, flags: number, object: MappedObject): number {
  const { readable = true, writable = true } = object;
  const type = flags & MapFlag.TYPE;
  let result = vmFlags;
  if (type === MapFlag.SHARED || type === MapFlag.SHARED_VALIDATE) {
    if (type === MapFlag.SHARED_VALIDATE && (flags & ~KNOWN_FLAGS) !== 0) return -Errno.EOPNOTSUPP;
    if ((prot & Prot.WRITE) !== 0 && !writable) return -Errno.EACCES;
    result |= VmFlag.MAYSHARE | VmFlag.SHARED;
    if (!writable) result &= ~(VmFlag.MAYWRITE | VmFlag.SHARED);
  } else if (type !== MapFlag.PRIVATE) {
    return -Errno.EINVAL;
  }
  if (!readable) return -Errno.EACCES;
  if (object.mappable === false) return -Errno.ENODEV;
  return (vmFlags & VmFlag.GROWSDOWN) !== 0 ? -Errno.EINVAL : result;
}

/** Replaces what is mapped in the range of `area` by it (Linux: `mmap_region`). @returns 0 or a negative errno */
function mapRegion(cpu: Cpu, mm: MmStruct, area: Vma): number {
  const { manager } = mm;
  const { start, end, pages, flags, key, object, offset } = area;
  const replaced = !mm.areas.isFree(start, end);
  if (replaced && !isolateRange(cpu, mm, start, end)) return -Errno.ENOMEM;
  const old = replaced ? measureRange(mm, start, end) : NOTHING;
  if (!mayExpand(mm, flags, pages - old.pages)) return -Errno.ENOMEM;
  if (accountable(flags)) {
    if (!manager.commitment.commit(pages - old.accounted)) return -Errno.ENOMEM;
    // The pages that go have been set off against those that come.
    manager.commitment.pages += old.accounted;
    area.flags |= VmFlag.ACCOUNT;
  }
  if (replaced) {
    cpu.charge(MmStep.mmapReplace);
    removeRange(cpu, mm, start, end);
  }

  if (object === null && (flags & VmFlag.SHARED) !== 0) {
    const shared = MemoryFile.anonymous(manager, end - start, (flags & VmFlag.NORESERVE) === 0);
    if (shared === null) return -Errno.ENOMEM;
    addArea(mm, new Vma(start, end, area.flags, key, new MappedFile(shared), 0));
    return 0;
  }
  const proposal = { start, end, flags: area.flags, key, object, offset, anonVma: null, source: null };
  if (mergeNewRange(mm, proposal) === null) addArea(mm, area);
  return 0;
}

function addArea(mm: MmStruct, area: Vma): void {
  mm.areas.insert(area);
  area.object?.mapped?.(1, area, mm);
}

const NOTHING = { pages: 0, accounted: 0 };

/**
 * Puts an area into a free range and lets it merge with its neighbours. Returns the area that now covers the range.
 * @throws MmError INVALID_ARGUMENT if its borders are no page borders, OVERLAP if the range is not free
 */
export function insertArea(mm: MmStruct, area: Vma): Vma {
  const { start, end } = area;
  if (!(start % PAGE_SIZE === 0 && end % PAGE_SIZE === 0 && start < end && start >= 0 && end <= mm.layout.taskSize)) {
    throw new MmError('INVALID_ARGUMENT', `area: [${start}, ${end}) is not a range of whole pages within the user's addresses`);
  }
  if (!mm.areas.isFree(start, end)) throw new MmError('OVERLAP', `area: something is mapped within [${start}, ${end})`);
  if ((area.flags & VmFlag.ACCOUNT) !== 0) mm.manager.commitment.commit(area.pages);
  const { flags, key, object, offset } = area;
  const merged = mergeNewRange(mm, { start, end, flags, key, object, offset, anonVma: area.anonVma, source: null });
  if (merged !== null) return merged;
  addArea(mm, area);
  return area;
}
