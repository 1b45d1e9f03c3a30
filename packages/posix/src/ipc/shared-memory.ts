import { type Cpu, PAGE_SIZE, pageCeil, pageFloor } from '@rpal/hw-x86';
import { Capability, KernelStep, refuseHuge, type Thread, UserBuffer } from '@rpal/kernel';
import { MappedFile, MemoryFile, type MemoryManager, type MmStruct, mmap, munmap, unsigned, type Vma } from '@rpal/mm';
import { Errno, Ipc, MapFlag, Prot, Rlimit, Shm } from '@rpal/uapi';
import { OFFSET_END } from '@rpal/vfs';
import type { Calls } from '../calls.js';
import { IpcInfo, type IpcObject, IpcTable, layPerm, mayControl, mayUse, Perm, Right, takePerm } from './ipc-table.js';

/** Segments there may be (SHMMNI). */
const MAX_SEGMENTS = 4096;
/** Offsets in `struct shmid_ds`, behind its permissions. */
const Offset = { size: Perm.bytes, creator: 80, last: 84, attached: 88, end: 112 } as const;
const SHM_DEST = 0o1000;
const SHM_LOCKED = 0o2000;
/** Largest size of a file in memory in the model. */
const SIZE_MAX = 2 ** 43;
/** kernel.shmmax, as a double: the words of it are those of -2^24 - 1. */
const SHMMAX = 2 ** 64 - 2 ** 24;
const SHMMAX_LOW = 0xfeff_ffff;
const SHM_HUGETLB = 0o4000;
const SHM_NORESERVE = 0o10000;
/** Bytes of `struct shminfo64` and of `struct shm_info`. */
const SHMINFO = 72;
const SHM_INFO = 48;

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
  readonly #buffer = new UserBuffer(Offset.end);

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
        if (size >= OFFSET_END) return -Errno.EINVAL;
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

  /** shmctl(2). @param address of a `struct shmid_ds`, 112 bytes */
  control(cpu: Cpu, thread: Thread, id: number, command: number, address: number): number {
    if (id < 0 || command < 0) return -Errno.EINVAL;
    if (command === IpcInfo.INFO || command === IpcInfo.SHM_INFO) return this.#tell(cpu, thread, command, address);
    // The argument of IPC_SET is copied before anything else is checked.
    if (command === Ipc.SET && this.#buffer.load(cpu, thread, address, Offset.end) < 0) return -Errno.EFAULT;
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
        return this.#putStatus(cpu, thread, address, segment) || (command === Ipc.STAT ? 0 : id);
      case Ipc.SET:
        if (!mayControl(thread, segment)) return -Errno.EPERM;
        takePerm(this.#buffer, segment);
        return 0;
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
  #tell(cpu: Cpu, thread: Thread, command: number, address: number): number {
    const buffer = this.#buffer;
    const segments = this.#table.all;
    if (command === IpcInfo.INFO) {
      // struct shminfo64: shmmax, shmmin, shmmni, shmseg, shmall, and four that nobody uses.
      buffer.clear(SHMINFO).set32(0, SHMMAX_LOW).set32(4, -1).set64(8, 1);
      buffer.set64(16, MAX_SEGMENTS).set64(24, MAX_SEGMENTS).set32(32, SHMMAX_LOW).set32(36, -1);
      return buffer.store(cpu, thread, address, SHMINFO) || this.#table.last;
    }
    const pages = segments.reduce((sum, { bytes }) => sum + pageCeil(bytes) / PAGE_SIZE, 0);
    const resident = segments.reduce((sum, { file }) => sum + file.allocatedPages, 0);
    // struct shm_info: used_ids, shm_tot, shm_rss, and of swapping, which there is none of.
    buffer.clear(SHM_INFO).set32(0, segments.length).set64(8, pages).set64(16, resident);
    return buffer.store(cpu, thread, address, SHM_INFO) || this.#table.last;
  }

  #putStatus(cpu: Cpu, thread: Thread, address: number, segment: ShmSegment): number {
    return layPerm(this.#buffer, Offset.end, segment)
      .set32(Perm.mode, segment.mode | (segment.removed ? SHM_DEST : 0))
      .set64(Offset.size, segment.bytes)
      .set32(Offset.creator, segment.creatorPid)
      .set32(Offset.last, segment.lastUser)
      .set64(Offset.attached, segment.attached)
      .store(cpu, thread, address, Offset.end);
  }

  #destroy(segment: ShmSegment): void {
    if (this.#table.remove(segment)) segment.file.put();
  }
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
