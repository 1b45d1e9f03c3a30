import { type Cpu, PAGE_SIZE, pageCeil, pageFloor } from '@rpal/hw-x86';
import { type Process, type SyscallHandler, type Thread, underMmapLock } from '@rpal/kernel';
import {
  installGuards,
  lockRange,
  type MmStruct,
  madvise,
  mlock,
  modifyRange,
  mremap,
  munlock,
  populateRange,
  removeGuards,
  TASK_SIZE,
  type Vma,
  VmFlag,
  wholePages,
} from '@rpal/mm';
import { Errno, Madvise } from '@rpal/uapi';
import { putBytes } from '@rpal/vfs';
import type { Calls } from '../calls.js';
import { PosixStep } from '../steps.js';

const Msync = { ASYNC: 1, INVALIDATE: 2, SYNC: 4 } as const;
const Mlock = { ONFAULT: 1 } as const;
const Mcl = { CURRENT: 1, FUTURE: 2, ONFAULT: 4 } as const;

/** Advice besides that of the kernel's memory management (include/uapi/asm-generic/mman-common.h). */
export const Advice = {
  NORMAL: 0,
  RANDOM: 1,
  SEQUENTIAL: 2,
  WILLNEED: 3,
  FREE: 8,
  MERGEABLE: 12,
  UNMERGEABLE: 13,
  DONTDUMP: 16,
  DODUMP: 17,
  WIPEONFORK: 18,
  KEEPONFORK: 19,
  COLD: 20,
  PAGEOUT: 21,
} as const;

/** What an advice does to a part of an area. @returns 0 or a negative errno */
type Visit = (cpu: Cpu, mm: MmStruct, area: Vma, start: number, end: number) => number;

/** The area has other flags from now on: it is split if it is a part. */
function flagging(set: number, clear: number, refused: (area: Vma) => boolean = () => false): Visit {
  return (cpu, mm, area, start, end) => {
    if (refused(area)) return -Errno.EINVAL;
    const flags = (area.flags & ~clear) | set;
    if (flags === area.flags) return 0;
    return modifyRange(cpu, mm, area, start, end, flags, area.key) === null ? -Errno.EAGAIN : 0;
  };
}

const isShared = (area: Vma): boolean => (area.flags & VmFlag.SHARED) !== 0 || area.object !== null;
const isPinned = ({ flags }: Vma): boolean => (flags & (VmFlag.LOCKED | VmFlag.PFNMAP)) !== 0;
/** Nothing is ever paged out: there is no swap. */
const unlessPinned: Visit = (_cpu, _mm, area) => (isPinned(area) ? -Errno.EINVAL : 0);
const { SEQ_READ, RAND_READ, DONTDUMP, WIPEONFORK } = VmFlag;

const ADVICE: { readonly [advice: number]: Visit } = {
  [Advice.NORMAL]: flagging(0, SEQ_READ | RAND_READ),
  [Advice.RANDOM]: flagging(RAND_READ, SEQ_READ),
  [Advice.SEQUENTIAL]: flagging(SEQ_READ, RAND_READ),
  [Advice.WILLNEED]: () => 0,
  // Pages may be taken at any time from now on. The model takes them at once.
  [Advice.FREE]: (cpu, mm, area, start, end) =>
    isShared(area) || isPinned(area) ? -Errno.EINVAL : madvise(cpu, mm, start, end - start, Madvise.DONTNEED),
  [Advice.MERGEABLE]: () => 0,
  [Advice.UNMERGEABLE]: () => 0,
  [Advice.DONTDUMP]: flagging(DONTDUMP, 0),
  [Advice.DODUMP]: flagging(0, DONTDUMP, (area) => (area.flags & VmFlag.SPECIAL) !== 0),
  [Advice.WIPEONFORK]: flagging(WIPEONFORK, 0, isShared),
  [Advice.KEEPONFORK]: flagging(0, WIPEONFORK),
  [Advice.COLD]: unlessPinned,
  [Advice.PAGEOUT]: unlessPinned,
  [Madvise.GUARD_INSTALL]: installGuards,
  [Madvise.GUARD_REMOVE]: removeGuards,
};

/** Memory: moving it, advice, locks for all of it, what is present. */
export function defineMemoryCalls(calls: Calls): void {
  const { hooks, plugin } = calls;
  /** Processes whose future mappings are locked, and how (`Mcl` bits). */
  const future = new WeakMap<Process, number>();

  calls.define(
    'mremap',
    underMmapLock(calls.kernel.scheduler, (cpu, thread, { a0, a1, a2, a3, a4 }) => mremap(cpu, thread.memory, a0, a1, a2, a3, a4)),
    { signature: 'addr* old_length new_length flags* new_addr*' },
  );

  calls.extend(
    'madvise',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const visit = ADVICE[registers.a2 | 0];
        if (visit === undefined) return inner(cpu, thread, registers);
        cpu.charge(PosixStep.advice);
        return advise(cpu, thread.memory, registers.a0, registers.a1, visit);
      },
    {
      missing: 'REMOVE, HWPOISON, SOFT_OFFLINE and DONTNEED_LOCKED are EINVAL; FREE takes pages at once; MERGEABLE merges nothing',
    },
  );

  // All memory is in RAM: there is nothing to write back.
  calls.define('msync', (cpu, thread, { a0, a1, a2 }) => {
    cpu.charge(PosixStep.advice);
    const flags = a2 | 0;
    if ((flags & ~(Msync.ASYNC | Msync.INVALIDATE | Msync.SYNC)) !== 0 || a0 % PAGE_SIZE !== 0) return -Errno.EINVAL;
    if ((flags & Msync.ASYNC) !== 0 && (flags & Msync.SYNC) !== 0) return -Errno.EINVAL;
    const length = wholePages(a1);
    if (length === 0) return 0;
    if (!isRange(a0, length)) return -Errno.ENOMEM;
    return advise(cpu, thread.memory, a0, length, (_cpu, _mm, { flags: area }) =>
      (flags & Msync.INVALIDATE) !== 0 && (area & VmFlag.LOCKED) !== 0 ? -Errno.EBUSY : 0,
    );
  });

  calls.define('mincore', (cpu, thread, { a0, a1, a2 }) => {
    cpu.charge(PosixStep.advice);
    if (a0 % PAGE_SIZE !== 0) return -Errno.EINVAL;
    if (!isRange(a0, a1)) return -Errno.ENOMEM;
    const pages = Math.ceil(a1 / PAGE_SIZE);
    if (!isRange(a2, pages)) return -Errno.EFAULT;
    const { memory } = thread;
    for (let page = 0; page < pages; page++) {
      const address = a0 + page * PAGE_SIZE;
      const area = memory.areas.containing(address);
      if (area === null) return -Errno.ENOMEM;
      if (putBytes(cpu, thread, a2 + page, new Uint8Array([isPresent(cpu, memory, area, address) ? 1 : 0])) < 0) return -Errno.EFAULT;
    }
    return 0;
  });

  calls.define('mlock2', (cpu, thread, { a0, a1, a2 }) => {
    const flags = a2 | 0;
    if ((flags & ~Mlock.ONFAULT) !== 0) return -Errno.EINVAL;
    return flags === 0 ? mlock(cpu, thread.memory, a0, a1) : lockOnFault(cpu, thread, a0, a1);
  });

  calls.define('mlockall', (cpu, thread, { a0 }) => {
    const flags = a0 | 0;
    if (flags === 0 || (flags & ~(Mcl.CURRENT | Mcl.FUTURE | Mcl.ONFAULT)) !== 0 || flags === Mcl.ONFAULT) return -Errno.EINVAL;
    cpu.charge(PosixStep.advice);
    const { memory, process } = thread;
    const { locked } = memory.limits;
    if (locked === 0) return -Errno.EPERM;
    if ((flags & Mcl.CURRENT) !== 0 && memory.totalPages > Math.floor(locked / PAGE_SIZE)) return -Errno.ENOMEM;
    if ((flags & Mcl.FUTURE) !== 0) future.set(process, flags);
    else future.delete(process);
    if ((flags & Mcl.CURRENT) === 0) return 0;
    const onFault = (flags & Mcl.ONFAULT) === 0 ? 0 : VmFlag.LOCKONFAULT;
    for (const area of [...memory.areas]) {
      if ((area.flags & VmFlag.SPECIAL) !== 0) continue;
      modifyRange(cpu, memory, area, area.start, area.end, area.flags | VmFlag.LOCKED | onFault, area.key);
    }
    // Pages that cannot be made present are skipped.
    if (onFault === 0) for (const { start, end } of [...memory.areas]) populateRange(cpu, memory, start, end);
    return 0;
  });

  calls.define('munlockall', (cpu, { memory, process }) => {
    cpu.charge(PosixStep.advice);
    future.delete(process);
    for (const area of [...memory.areas]) {
      modifyRange(cpu, memory, area, area.start, area.end, area.flags & ~(VmFlag.LOCKED | VmFlag.LOCKONFAULT), area.key);
    }
    return 0;
  });

  calls.extend(
    'munlock',
    (): SyscallHandler =>
      (cpu, thread, { a0, a1 }) => {
        const result = munlock(cpu, thread.memory, a0, a1);
        if (result === 0) advise(cpu, thread.memory, pageFloor(a0), a1 + (a0 % PAGE_SIZE), flagging(0, VmFlag.LOCKONFAULT));
        return result;
      },
  );

  // After mlockall(MCL_FUTURE) new memory is locked as mlock would do.
  calls.extend(
    'mmap',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const at = inner(cpu, thread, registers);
        const how = future.get(thread.process);
        if (at >= 0 && how !== undefined) {
          if ((how & Mcl.ONFAULT) === 0) mlock(cpu, thread.memory, at, registers.a1);
          else lockOnFault(cpu, thread, at, registers.a1);
        }
        return at;
      },
    { missing: 'MAP_SYNC and MAP_DROPPABLE' },
  );

  hooks.kernelClone.tap(plugin, (cpu, parent, child) => {
    if (child.process === parent.process) return;
    const { mm } = child.process;
    for (const { flags, start, end } of [...mm.areas]) {
      if ((flags & WIPEONFORK) === 0) continue;
      madvise(cpu, mm, start, end - start, Madvise.DONTNEED);
      mm.guards.remove(start, end);
    }
  });
  hooks.kernelMemoryRelease.tap(plugin, (_cpu, { process }) => {
    if (process.threads.length <= 1) future.delete(process);
  });
}

/** Visits the areas in a range; holes do not stop it, but make it end with ENOMEM. */
function advise(cpu: Cpu, mm: MmStruct, address: number, length: number, visit: Visit): number {
  if (address % PAGE_SIZE !== 0 || !isRange(address, pageCeil(length))) return -Errno.EINVAL;
  const end = address + pageCeil(length);
  let hole = false;
  for (let at = address; at < end; ) {
    const area = mm.areas.at(mm.areas.indexFrom(at));
    if (area === undefined) return -Errno.ENOMEM;
    hole ||= area.start > at;
    const start = Math.max(at, area.start);
    if (start >= end) break;
    const stop = Math.min(area.end, end);
    const result = visit(cpu, mm, area, start, stop);
    if (result < 0) return result;
    at = stop;
  }
  return hole ? -Errno.ENOMEM : 0;
}

/** Marks a range as locked, without making it present. */
function lockOnFault(cpu: Cpu, { memory }: Thread, address: number, length: number): number {
  return lockRange(cpu, memory, address, length, VmFlag.LOCKED | VmFlag.LOCKONFAULT);
}

/** Is the page mapped, or in the file behind its area? */
function isPresent(cpu: Cpu, mm: MmStruct, area: Vma, address: number): boolean {
  let present = false;
  const found = (): boolean => {
    present = true;
    return true;
  };
  mm.tables.forEachPage(address, address + PAGE_SIZE, { page: found, folded: found, huge: found });
  if (present || area.object === null) return present;
  return (area.object.cachedFrame?.(area.offset + (address - area.start) / PAGE_SIZE, cpu) ?? -1) >= 0;
}

const isRange = (address: number, length: number): boolean => address >= 0 && length >= 0 && address + length <= TASK_SIZE;
