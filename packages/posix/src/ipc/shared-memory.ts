import { type Cpu, PAGE_SIZE, pageCeil } from '@rpal/hw-x86';
import { KernelStep, type Thread } from '@rpal/kernel';
import { MappedFile, MemoryFile, type MemoryManager, type MmStruct, mmap, munmap, putUser32, putUser64, type Vma } from '@rpal/mm';
import { Errno, Ipc, MapFlag, Prot, Shm } from '@rpal/uapi';
import type { Calls } from '../calls.js';

/** Segments there may be (SHMMNI). */
const MAX_SEGMENTS = 4096;
/** Offsets in `struct shmid_ds`. */
const Offset = { key: 0, mode: 20, size: 48, creator: 80, last: 84, attached: 88, end: 112 } as const;
const SHM_DEST = 0o1000;

/** A System V shared memory segment (ipc/shm.c). */
class ShmSegment extends MappedFile {
  readonly id: number;
  readonly bytes: number;
  readonly mode: number;
  readonly creator: number;
  /** The key by which it is found; 0: none. */
  key: number;
  lastUser = 0;
  /** Areas that map it. */
  attached = 0;
  /** To be destroyed when nobody has it attached any more. */
  removed = false;
  readonly #gone: (segment: ShmSegment) => void;

  constructor(
    memory: MemoryManager,
    id: number,
    key: number,
    bytes: number,
    mode: number,
    creator: number,
    gone: (segment: ShmSegment) => void,
  ) {
    const file = new MemoryFile(memory, `/SYSV${(key >>> 0).toString(16).padStart(8, '0')} (deleted)`);
    super(file);
    this.id = id;
    this.key = key;
    this.bytes = bytes;
    this.mode = mode;
    this.creator = creator;
    this.#gone = gone;
    file.get();
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
  readonly #byId = new Map<number, ShmSegment>();
  #nextId = 0;

  constructor(memory: MemoryManager) {
    this.#memory = memory;
  }

  /** shmget(2). @returns an identifier */
  get(cpu: Cpu, thread: Thread, key: number, bytes: number, flags: number): number {
    const found = key === Ipc.PRIVATE ? undefined : [...this.#byId.values()].find((segment) => segment.key === key);
    if (found !== undefined) {
      if ((flags & Ipc.CREAT) !== 0 && (flags & Ipc.EXCL) !== 0) return -Errno.EEXIST;
      return found.bytes < bytes ? -Errno.EINVAL : found.id;
    }
    if (key !== Ipc.PRIVATE && (flags & Ipc.CREAT) === 0) return -Errno.ENOENT;
    if (!(bytes > 0)) return -Errno.EINVAL;
    if (this.#byId.size >= MAX_SEGMENTS) return -Errno.ENOSPC;
    const { pid } = thread.process;
    const segment = new ShmSegment(this.#memory, this.#nextId++, key, bytes, flags & 0o777, pid, (gone) => this.#destroy(gone));
    segment.file.truncate(cpu, pageCeil(bytes));
    this.#byId.set(segment.id, segment);
    return segment.id;
  }

  /** shmat(2). @returns the address */
  attach(cpu: Cpu, thread: Thread, id: number, address: number, flags: number): number {
    const segment = this.#byId.get(id);
    if (segment === undefined) return -Errno.EINVAL;
    const rounded = (flags & Shm.RND) !== 0 ? address - (address % PAGE_SIZE) : address;
    if (rounded % PAGE_SIZE !== 0 || (rounded === 0 && (flags & Shm.REMAP) !== 0)) return -Errno.EINVAL;
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
    const segment = this.#byId.get(id);
    if (segment === undefined) return -Errno.EINVAL;
    switch (command) {
      case Ipc.RMID:
        segment.removed = true;
        segment.key = Ipc.PRIVATE;
        if (segment.attached === 0) this.#destroy(segment);
        return 0;
      case Ipc.STAT:
        return putStatus(cpu, thread.memory, buffer, segment);
      case Ipc.SET:
      case Shm.LOCK:
      case Shm.UNLOCK:
        return 0;
      default:
        return -Errno.EINVAL;
    }
  }

  #destroy(segment: ShmSegment): void {
    if (this.#byId.delete(segment.id)) segment.file.put();
  }
}

function putStatus(cpu: Cpu, memory: MmStruct, buffer: number, segment: ShmSegment): number {
  let failed = 0;
  for (let at = 0; at < Offset.end; at += 8) failed ||= putUser64(cpu, memory, buffer + at, 0);
  failed ||= putUser32(cpu, memory, buffer + Offset.key, segment.key);
  failed ||= putUser32(cpu, memory, buffer + Offset.mode, segment.mode | (segment.removed ? SHM_DEST : 0));
  failed ||= putUser64(cpu, memory, buffer + Offset.size, segment.bytes);
  failed ||= putUser32(cpu, memory, buffer + Offset.creator, segment.creator);
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
      return segments.get(cpu, thread, a0, a1, a2);
    },
    { signature: 'key* size flags*' },
  );
  calls.define('shmat', (cpu, thread, { a0, a1, a2 }) => segments.attach(cpu, thread, a0, a1, a2), { signature: 'shmid addr* flags*' });
  calls.define('shmdt', (cpu, thread, { a0 }) => segments.detach(cpu, thread, a0), { signature: 'addr*' });
  calls.define('shmctl', (cpu, thread, { a0, a1, a2 }) => segments.control(cpu, thread, a0, a1, a2), { signature: 'shmid command buf*' });
}
