import { type Cpu, PAGE_SIZE, pageCeil, pageFloor } from '@rpal/hw-x86';
import { Capability, KernelStep, refuseHuge, type Thread } from '@rpal/kernel';
import {
  accessOk,
  getUser32,
  MappedFile,
  MemoryFile,
  type MemoryManager,
  type MmStruct,
  mmap,
  munmap,
  putUser32,
  putUser64,
  unsigned,
  type Vma,
} from '@rpal/mm';
import { Errno, Ipc, MapFlag, Prot, Rlimit, Shm } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { IpcInfo, type IpcObject, IpcTable, mayControl, mayUse, Perm, Right } from './ipc-table.js';

/** Segments there may be (SHMMNI). */
const MAX_SEGMENTS = 4096;
/** Offsets in `struct shmid_ds`, behind its permissions. */
const Offset = { size: Perm.bytes, creator: 80, last: 84, attached: 88, end: 112 } as const;
const SHM_DEST = 0o1000;
const SHM_LOCKED = 0o2000;
/** Largest size of a file in memory in the model. */
const SIZE_MAX = 2 ** 43;
/** kernel.shmmax, as a double: the words of it are those of -2^24 - 1; and where files end. */
const SHMMAX = 2 ** 64 - 2 ** 24;
const SHMMAX_LOW = 0xfeff_ffff;
const FILE_END = 2 ** 63;
const SHM_HUGETLB = 0o4000;
const SHM_NORESERVE = 0o10000;
/** Of permissions: what IPC_SET changes. */
const PERMISSIONS = 0o777;

/** A System V shared memory segment (ipc/shm.c). */
class ShmSegment extends MappedFile implements IpcObject {
  readonly id: number;
  readonly bytes: number;
  /** Permissions, and who owns it: IPC_SET changes them. */
  mode: number;
  uid: number;
  gid: number;
  readonly creatorUid: number;
  readonly creatorGid: number;
  readonly creatorPid: number;
  /** The key by which it is found; 0: none. */
  key: number;
  lastUser = 0;
  /** Areas that map it. */
  attached = 0;
  /** To be destroyed with its last attachment. */
  removed = false;
  readonly #gone: (segment: ShmSegment) => void;

  constructor(memory: MemoryManager, common: IpcObject, bytes: number, creatorPid: number, gone: (segment: ShmSegment) => void) {
    const file = new MemoryFile(memory, `/SYSV${(common.key >>> 0).toString(16).padStart(8, '0')} (deleted)`);
    super(file);
    this.id = common.id;
    this.key = common.key;
    this.bytes = bytes;
    this.mode = common.mode;
    this.uid = common.uid;
    this.gid = common.gid;
    this.creatorUid = common.creatorUid;
    this.creatorGid = common.creatorGid;
    this.creatorPid = creatorPid;
    this.#gone = gone;
    file.get();
  }

  /** shm_nattch counts them. */
  get countsAreas(): boolean {
    return true;
  }

  override mapped(change: 1 | -1, vma: Vma, mm: MmStruct): void {
    super.mapped(change, vma, mm);
    this.attached += change;
    if (this.attached === 0 && this.removed) this.#gone(this);
  }
}

/** The System V shared memory of a machine. */
export class SharedSegments {
  readonly #memory: MemoryManager;
  readonly #table = new IpcTable<ShmSegment>(MAX_SEGMENTS);

  constructor(memory: MemoryManager) {
    this.#memory = memory;
  }

  /** shmget(2). @returns an identifier */
  get(cpu: Cpu, thread: Thread, key: number, bytes: number, flags: number): number {
    const size = unsigned(bytes);
    return this.#table.open(
      thread,
      key,
      flags,
      (found) => (found.bytes < size ? -Errno.EINVAL : 0),
      (common) => {
        if (size === 0 || size > SHMMAX) return -Errno.EINVAL;
        if ((flags & SHM_HUGETLB) !== 0) return refuseHuge(flags);
        if (size >= FILE_END) return -Errno.EINVAL;
        if (size > SIZE_MAX || ((flags & SHM_NORESERVE) === 0 && size > this.#memory.totalFrames * PAGE_SIZE)) return -Errno.ENOMEM;
        const segment = new ShmSegment(this.#memory, common, size, thread.process.pid, (gone) => this.#destroy(gone));
        segment.file.truncate(cpu, pageCeil(size));
        return segment;
      },
    );
  }

  /** shmat(2). @returns the address */
  attach(cpu: Cpu, thread: Thread, id: number, address: number, flags: number): number {
    const segment = this.#table.get(id | 0);
    if (segment === undefined) return -Errno.EINVAL;
    const rounded = (flags & Shm.RND) !== 0 ? pageFloor(address) : address;
    if (rounded % PAGE_SIZE !== 0 || (rounded === 0 && (flags & Shm.REMAP) !== 0)) return -Errno.EINVAL;
    const wanted = Right.READ | ((flags & Shm.RDONLY) !== 0 ? 0 : Right.WRITE) | ((flags & Shm.EXEC) !== 0 ? Right.EXECUTE : 0);
    if (!mayUse(thread, segment, wanted)) return -Errno.EACCES;
    // Beyond the end of all addresses.
    if (rounded < 0 && rounded + segment.bytes >= 0 && (flags & Shm.REMAP) === 0) return -Errno.EINVAL;
    const place = rounded === 0 ? 0 : (flags & Shm.REMAP) !== 0 ? MapFlag.FIXED : MapFlag.FIXED_NOREPLACE;
    const prot = Prot.READ | ((flags & Shm.RDONLY) !== 0 ? 0 : Prot.WRITE) | ((flags & Shm.EXEC) !== 0 ? Prot.EXEC : 0);
    const at = mmap(cpu, thread.memory, rounded, pageCeil(segment.bytes), prot, MapFlag.SHARED | place, { object: segment });
    if (at < 0) return at === -Errno.EEXIST ? -Errno.EINVAL : at;
    segment.lastUser = thread.process.pid;
    return at;
  }

  /** shmdt(2): the areas of the segment that begins at `address`. */
  detach(cpu: Cpu, thread: Thread, address: number): number {
    const { memory } = thread;
    for (const { object, start, offset } of memory.areas) {
      if (!(object instanceof ShmSegment) || start - offset * PAGE_SIZE !== address) continue;
      object.lastUser = thread.process.pid;
      const end = address + pageCeil(object.bytes);
      const pieces = [...memory.areas].filter((area) => area.object === object && area.start >= address && area.start < end);
      for (const piece of pieces) munmap(cpu, memory, piece.start, piece.end - piece.start);
      return 0;
    }
    return -Errno.EINVAL;
  }

  /** shmctl(2). @param buffer room for a `struct shmid_ds`, 112 bytes */
  control(cpu: Cpu, thread: Thread, id: number, command: number, buffer: number): number {
    if (id < 0 || command < 0) return -Errno.EINVAL;
    const { memory } = thread;
    if (command === IpcInfo.INFO || command === IpcInfo.SHM_INFO) return this.#tell(cpu, memory, command, buffer);
    // The argument of IPC_SET is copied before anything else is checked.
    if (command === Ipc.SET && !readable(cpu, memory, buffer)) return -Errno.EFAULT;
    const segment = this.#table.get(id);
    if (segment === undefined) return -Errno.EINVAL;
    switch (command) {
      case Ipc.RMID:
        if (!mayControl(thread, segment)) return -Errno.EPERM;
        segment.removed = true;
        segment.key = Ipc.PRIVATE;
        if (segment.attached === 0) this.#destroy(segment);
        return 0;
      case Ipc.STAT:
      case IpcInfo.SHM_STAT:
      case IpcInfo.SHM_STAT_ANY:
        if (command !== IpcInfo.SHM_STAT_ANY && !mayUse(thread, segment, Right.READ)) return -Errno.EACCES;
        return putStatus(cpu, memory, buffer, segment) || (command === Ipc.STAT ? 0 : id);
      case Ipc.SET: {
        if (!mayControl(thread, segment)) return -Errno.EPERM;
        const word = (offset: number) => getUser32(cpu, memory, buffer + offset);
        segment.uid = word(Perm.uid);
        segment.gid = word(Perm.gid);
        segment.mode = (segment.mode & ~PERMISSIONS) | (word(Perm.mode) & PERMISSIONS);
        return 0;
      }
      case Shm.LOCK:
        if (!mayLock(thread, segment, 1)) return -Errno.EPERM;
        segment.mode |= SHM_LOCKED;
        return 0;
      case Shm.UNLOCK:
        if (!mayLock(thread, segment, 0)) return -Errno.EPERM;
        segment.mode &= ~SHM_LOCKED;
        return 0;
      default:
        return -Errno.EINVAL;
    }
  }

  /** What there may be, or what there is. @returns the highest index of a segment, or -EFAULT */
  #tell(cpu: Cpu, memory: MmStruct, command: number, buffer: number): number {
    const segments = this.#table.all;
    const pages = segments.reduce((sum, { bytes }) => sum + pageCeil(bytes) / PAGE_SIZE, 0);
    const put = (index: number, low: number, high = 0): number =>
      putUser32(cpu, memory, buffer + 8 * index, low) || putUser32(cpu, memory, buffer + 8 * index + 4, high);
    let failed: number;
    if (command === IpcInfo.INFO) {
      failed = put(0, SHMMAX_LOW, -1) || put(1, 1) || put(2, MAX_SEGMENTS) || put(3, MAX_SEGMENTS) || put(4, SHMMAX_LOW, -1);
      for (let i = 5; i < 9; i++) failed ||= put(i, 0);
    } else {
      const resident = segments.reduce((sum, { file }) => sum + file.allocatedPages, 0);
      failed = put(0, segments.length) || put(1, pages) || put(2, resident) || put(3, 0) || put(4, 0) || put(5, 0);
    }
    return failed || this.#table.last;
  }

  #destroy(segment: ShmSegment): void {
    if (this.#table.remove(segment)) segment.file.put();
  }
}

/** The whole `struct shmid_ds` can be read. */
function readable(cpu: Cpu, memory: MmStruct, buffer: number): boolean {
  if (!accessOk(buffer, Offset.end)) return false;
  return getUser32(cpu, memory, buffer) >= 0 && getUser32(cpu, memory, buffer + Offset.end - 4) >= 0;
}

function putStatus(cpu: Cpu, memory: MmStruct, buffer: number, segment: ShmSegment): number {
  let failed = 0;
  for (let at = 0; at < Offset.end; at += 8) failed ||= putUser64(cpu, memory, buffer + at, 0);
  failed ||= putUser32(cpu, memory, buffer + Perm.key, segment.key);
  failed ||= putUser32(cpu, memory, buffer + Perm.mode, segment.mode | (segment.removed ? SHM_DEST : 0));
  failed ||= putUser64(cpu, memory, buffer + Offset.size, segment.bytes);
  failed ||= putUser32(cpu, memory, buffer + Perm.uid, segment.uid);
  failed ||= putUser32(cpu, memory, buffer + Perm.gid, segment.gid);
  failed ||= putUser32(cpu, memory, buffer + Perm.creatorUid, segment.creatorUid);
  failed ||= putUser32(cpu, memory, buffer + Perm.creatorGid, segment.creatorGid);
  failed ||= putUser32(cpu, memory, buffer + Offset.creator, segment.creatorPid);
  failed ||= putUser32(cpu, memory, buffer + Offset.last, segment.lastUser);
  failed ||= putUser64(cpu, memory, buffer + Offset.attached, segment.attached);
  return failed;
}

/** System V shared memory. */
export function defineSharedMemoryCalls(calls: Calls): void {
  const segments = new SharedSegments(calls.kernel.memory);
  calls.define(
    'shmget',
    (cpu, thread, { a0, a1, a2 }) => {
      cpu.charge(KernelStep.openFile);
      return segments.get(cpu, thread, a0 | 0, a1, a2);
    },
    { signature: 'key* size flags*' },
  );
  calls.define('shmat', (cpu, thread, { a0, a1, a2 }) => segments.attach(cpu, thread, a0, a1, a2), { signature: 'shmid addr* flags*' });
  calls.define('shmdt', (cpu, thread, { a0 }) => segments.detach(cpu, thread, a0), { signature: 'addr*' });
  calls.define('shmctl', (cpu, thread, { a0, a1, a2 }) => segments.control(cpu, thread, a0 | 0, a1 | 0, a2), {
    signature: 'shmid command buf*',
  });
}

/** Who may lock a segment, or let it go: its owner, within a limit. @param least that RLIMIT_MEMLOCK must be */
function mayLock({ process }: Thread, { uid, creatorUid }: ShmSegment, least: number): boolean {
  const { euid } = process.credentials;
  if (process.capable(Capability.IPC_LOCK)) return true;
  return (euid === uid || euid === creatorUid) && process.limits.of(Rlimit.MEMLOCK) >= least;
}
