import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import { MemFd, MessageQueueFile, PipeEnd } from '@rpal/ipc';
import { type SyscallExtension, type SyscallHandler, type Thread, type UserContext, whenOver } from '@rpal/kernel';
import { Errno, FallocateMode, FileMode, Flock, Inotify, OpenFlag, Seek } from '@rpal/uapi';
import { Direction, type File, growth, type IoVec, importSegments, OFFSET_END, Pending, refusal } from '@rpal/vfs';
import { AnonymousLocks, flock } from '../locks/lock-call.js';
import { DirectoryFile } from '../open/directory-file.js';
import { mayRead, mayWrite } from '../open/open-inode.js';
import { RegularFile } from '../open/regular-file.js';
import { TmpfsStep } from '../steps.js';
import { inodeOfFile } from '../tree/anonymous.js';
import type { FileTree } from '../tree/file-tree.js';
import type { TreeFile } from '../tree/tree-file.js';
import { dentryOf } from '../walk/path-walk.js';
import type { Define } from './call-table.js';

const { KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE, COLLAPSE_RANGE, INSERT_RANGE, UNSHARE_RANGE, WRITE_ZEROES } = FallocateMode;
const ALLOCATING = COLLAPSE_RANGE | INSERT_RANGE | UNSHARE_RANGE | ZERO_RANGE | PUNCH_HOLE | WRITE_ZEROES;

/** readv(2) and writev(2), which preadv2 and pwritev2 are where no offset is given. */
interface VectorCalls {
  readonly readv: SyscallHandler;
  readonly writev: SyscallHandler;
}

/** Calls that list directories, that move, allocate and lock the bytes of files, and that see them written back. */
export function defineDataCalls(define: Define, tree: FileTree, vectors: VectorCalls): void {
  // How much room is left is an int in Linux: of 2 GiB and more there is none.
  const list = (cpu: Cpu, thread: Thread, fd: number, address: number, bytes: number, wide: boolean): number => {
    const file = thread.process.files.lookUp(cpu, fd | 0);
    if (file === null) return -Errno.EBADF;
    return file instanceof DirectoryFile ? file.list(cpu, thread, address, bytes | 0, wide) : -Errno.ENOTDIR;
  };
  define('getdents', (cpu, thread, { a0, a1, a2 }) => list(cpu, thread, a0, a1, a2, false));
  define('getdents64', (cpu, thread, { a0, a1, a2 }) => list(cpu, thread, a0, a1, a2, true));

  defineVectors(define, vectors, tree.kernel.later.writesWithoutSignal ? Rwf.ALL | Rwf.NOSIGNAL : Rwf.ALL);

  define('fallocate', (cpu, thread, { a0, a1, a2, a3 }) => {
    const file = thread.process.files.lookUp(cpu, a0 | 0);
    if (file === null) return -Errno.EBADF;
    return fallocate(cpu, tree, thread, file, a1, a2, a3);
  });

  const anonymous = new AnonymousLocks();
  define(
    'flock',
    (cpu, thread, { a0, a1 }) => {
      // LOCK_MAND, which did nothing, has been removed.
      if ((a1 & LOCK_MAND) !== 0) return 0;
      const kind = a1 & ~Flock.NONBLOCK;
      if (kind !== Flock.SH && kind !== Flock.EX && kind !== Flock.UN) return -Errno.EINVAL;
      const file = thread.process.files.lookUp(cpu, a0 | 0);
      if (file === null) return -Errno.EBADF;
      if (kind !== Flock.UN && !mayRead(file) && !mayWrite(file)) return -Errno.EBADF;
      const locks = dentryOf(file)?.inode.locks ?? anonymous.of(file, inodeOfFile(tree, file));
      return flock(cpu, thread, tree.kernel.scheduler, file, locks, a1);
    },
    { holds: [0] },
  );

  defineWriteBack(define);
}

const LOCK_MAND = 0x20;

/** How a transfer goes besides its direction (RWF_*): those for writing through have nothing to do here. */
const Rwf = { HIPRI: 1, NOWAIT: 8, APPEND: 0x10, NOAPPEND: 0x20, ATOMIC: 0x40, DONTCACHE: 0x80, NOSIGNAL: 0x100, ALL: 0xff } as const;
/** The offset that stands for the position of the file. */
const AT_POSITION = -1;

/** readv and writev at an offset, with flags or without. @param known the flags there are */
function defineVectors(define: Define, { readv, writev }: VectorCalls, known: number): void {
  define('preadv', (cpu, thread, regs) => positioned(cpu, thread, regs, Direction.READ, 0, known));
  define('pwritev', (cpu, thread, regs) => positioned(cpu, thread, regs, Direction.WRITE, 0, known));
  for (const [name, inner, direction] of [
    ['preadv2', readv, Direction.READ],
    ['pwritev2', writev, Direction.WRITE],
  ] as const) {
    const call: SyscallHandler = (cpu, thread, regs) => {
      const flags = regs.a5 | 0;
      if (regs.a3 !== AT_POSITION) return positioned(cpu, thread, regs, direction, flags, known);
      const file = thread.process.files.lookUp(cpu, regs.a0 | 0);
      if (file === null) return -Errno.EBADF;
      const append = (flags & Rwf.APPEND) !== 0 && file instanceof MemFd && direction === Direction.WRITE;
      return flagged(cpu, thread, file, regs, direction, flags, known, () => {
        if (append) file.seek(0, Seek.END);
        return inner(cpu, thread, regs);
      });
    };
    define(name, call, { holds: [0] });
  }
}

/** The order in which Linux looks: direction, segments, flags (`vfs_readv`). */
function flagged(
  cpu: Cpu,
  thread: Thread,
  file: File,
  { args, a1, a2 }: UserContext,
  direction: number,
  flags: number,
  known: number,
  move: (segments: readonly IoVec[]) => number,
): number {
  const refused = refusal(file, direction);
  if (refused < 0) return refused;
  const given = args.segments(cpu, thread, a1, a2);
  const segments = typeof given === 'number' ? given : importSegments(given);
  if (typeof segments === 'number') return segments;
  if (segments.every(({ length }) => length === 0)) return 0;
  const wrong = refusedFlags(file, direction, flags, known);
  if (wrong < 0) return wrong;
  if ((flags & Rwf.NOSIGNAL) !== 0) {
    thread.writesWithoutSignal = true;
    return whenOver(cpu, thread, transfer(file, segments, flags, move), (_on, result) => {
      thread.writesWithoutSignal = false;
      return result;
    });
  }
  return transfer(file, segments, flags, move);
}

function transfer(file: File, segments: readonly IoVec[], flags: number, move: (segments: readonly IoVec[]) => number): number {
  if ((flags & Rwf.NOWAIT) === 0) return move(segments);
  const before = file.flags;
  file.flags |= OpenFlag.NONBLOCK;
  const result = move(segments);
  file.flags = before;
  return result;
}

/** kiocb_set_rw_flags. @param known the flags there are @returns 0 or a negative errno */
function refusedFlags(file: File, direction: number, flags: number, known: number): number {
  if (flags === 0) return 0;
  const iterates = direction === Direction.WRITE ? file.writesIov || file instanceof MemFd : file.readsIov || file instanceof MemFd;
  if (!iterates) return (flags & ~Rwf.HIPRI) === 0 ? 0 : -Errno.EOPNOTSUPP;
  if ((flags & ~known) !== 0) return -Errno.EOPNOTSUPP;
  if ((flags & Rwf.APPEND) !== 0 && (flags & Rwf.NOAPPEND) !== 0) return -Errno.EINVAL;
  // Files in memory may have to wait for a page.
  if ((flags & Rwf.NOWAIT) !== 0 && file instanceof MemFd) return -Errno.EOPNOTSUPP;
  return (flags & (Rwf.ATOMIC | Rwf.DONTCACHE)) === 0 ? 0 : -Errno.EOPNOTSUPP;
}

/** readv and writev at an offset. */
function positioned(cpu: Cpu, thread: Thread, regs: UserContext, direction: number, flags: number, known: number): number {
  const given = regs.a3;
  if (given < 0) return -Errno.EINVAL;
  const file = thread.process.files.lookUp(cpu, regs.a0 | 0);
  if (file === null) return -Errno.EBADF;
  if (!file.positioned) return -Errno.ESPIPE;
  const write = direction === Direction.WRITE;
  return flagged(cpu, thread, file, regs, direction, flags, known, (segments) => {
    const offset = write && (flags & Rwf.APPEND) !== 0 && file instanceof MemFd ? file.file.size : given;
    let done = 0;
    for (const { address, length } of segments) {
      if (length === 0) continue;
      const n = write
        ? file.writeAt(cpu, thread, address, length, offset + done)
        : file.readAt(cpu, thread, address, length, offset + done);
      if (n <= Pending.AGAIN) return n;
      if (n < 0) return done > 0 ? done : n;
      done += n;
      if (n < length) break;
    }
    if (done === 0 && !write) readNothing(cpu, file);
    return done;
  });
}

/** Watchers are told of a read in several pieces that moved nothing, but not of one in a single piece (Linux: `vfs_readv`). */
function readNothing(cpu: Cpu, file: File): void {
  const dentry = dentryOf(file);
  if (dentry !== null) (file as TreeFile).tree.event(cpu, dentry, Inotify.ACCESS);
}

/** The kernel's readv(2), with the watches that it does not know. */
export const readvToldToWatchers: SyscallExtension = (inner) => (cpu, thread, registers) => {
  const result = inner(cpu, thread, registers);
  const file = result === 0 ? thread.process.files.peek(registers.a0 | 0) : null;
  if (file !== null) readNothing(cpu, file);
  return result;
};

/** fallocate(2), as tmpfs has it: it allocates, and makes holes; ranges are neither zeroed nor moved. */
function fallocate(cpu: Cpu, tree: FileTree, thread: Thread, file: File, mode: number, offset: number, length: number): number {
  if (offset < 0 || length <= 0) return -Errno.EINVAL;
  const kind = mode & ALLOCATING;
  const keeps = (mode & KEEP_SIZE) !== 0;
  if ((mode & ~(ALLOCATING | KEEP_SIZE)) !== 0) return -Errno.EOPNOTSUPP;
  switch (kind) {
    case 0:
    case UNSHARE_RANGE:
    case ZERO_RANGE:
      break;
    case PUNCH_HOLE:
      if (!keeps) return -Errno.EOPNOTSUPP;
      break;
    case COLLAPSE_RANGE:
    case INSERT_RANGE:
    case WRITE_ZEROES:
      if (keeps) return -Errno.EOPNOTSUPP;
      break;
    default:
      return -Errno.EOPNOTSUPP;
  }
  if (!mayWrite(file)) return -Errno.EBADF;
  const type = file.mode & FileMode.TYPE;
  if (type === FileMode.FIFO) return -Errno.ESPIPE;
  if (type === FileMode.DIRECTORY) return -Errno.EISDIR;
  if (type !== FileMode.REGULAR) return -Errno.ENODEV;
  const most = file instanceof MessageQueueFile ? 2 ** 31 : OFFSET_END;
  if (offset + length > most || (offset > 0 && offset + length === OFFSET_END)) return -Errno.EFBIG;
  if (!(file instanceof MemFd) || (kind !== 0 && kind !== PUNCH_HOLE)) return -Errno.EOPNOTSUPP;
  const refused = kind === PUNCH_HOLE ? 0 : growth(cpu, thread, file.file.size, offset + length);
  if (refused < 0) return refused;
  cpu.charge(kind === PUNCH_HOLE ? TmpfsStep.truncateBody : TmpfsStep.allocateBody);
  const sealed = file.refusesRange(kind === PUNCH_HOLE ? 'hole' : 'room', keeps ? 0 : offset + length);
  if (sealed < 0) return sealed;
  const { file: content } = file;
  if (kind === PUNCH_HOLE) {
    content.punch(cpu, offset, length);
  } else {
    const first = Math.floor(offset / PAGE_SIZE);
    if (!content.allocate(cpu, first, Math.ceil((offset + length) / PAGE_SIZE) - first)) return -Errno.ENOSPC;
    if (!keeps && offset + length > content.size) content.truncate(cpu, offset + length);
  }
  if (!(file instanceof RegularFile)) return 0;
  file.inode.setTimes(tree.clock.now(cpu));
  tree.event(cpu, file.dentry, Inotify.MODIFY);
  return 0;
}

/** Calls that write files back to permanent storage. Here that is memory. */
function defineWriteBack(define: Define): void {
  define('sync', () => 0);
  define('syncfs', (cpu, { process: { files } }, { a0 }) => {
    const file = files.lookUp(cpu, a0 | 0);
    return file === null ? -Errno.EBADF : 0;
  });
  const onFile = (cpu: Cpu, { process: { files } }: Thread, fd: number): number => {
    const file = files.lookUp(cpu, fd | 0);
    if (file === null) return -Errno.EBADF;
    return file instanceof MemFd || file instanceof DirectoryFile ? 0 : -Errno.EINVAL;
  };
  define('fsync', (cpu, thread, { a0 }) => onFile(cpu, thread, a0));
  define('fdatasync', (cpu, thread, { a0 }) => onFile(cpu, thread, a0));
  define('sync_file_range', (cpu, { process: { files } }, { a0, a1, a2, a3 }) => {
    const file = files.lookUp(cpu, a0 | 0);
    if (file === null) return -Errno.EBADF;
    if ((a3 & ~7) !== 0 || a1 < 0 || a2 < 0 || a1 + a2 >= OFFSET_END) return -Errno.EINVAL;
    const type = file.mode & FileMode.TYPE;
    return type === FileMode.REGULAR || type === FileMode.DIRECTORY ? 0 : -Errno.ESPIPE;
  });
  define('fadvise64', (cpu, { process: { files } }, { a0, a2, a3 }) => {
    const file = files.lookUp(cpu, a0 | 0);
    if (file === null) return -Errno.EBADF;
    if ((file.mode & FileMode.TYPE) === FileMode.FIFO || file instanceof PipeEnd) return -Errno.ESPIPE;
    return a2 < 0 || a3 >>> 0 > 5 ? -Errno.EINVAL : 0;
  });
  define('readahead', (cpu, { process: { files } }, { a0, a2 }) => {
    const file = files.lookUp(cpu, a0 | 0);
    if (file === null || !mayRead(file)) return -Errno.EBADF;
    // What it says of memory that cannot be read ahead is what fadvise would say of the rest of its range.
    return (file instanceof MemFd || file instanceof MessageQueueFile) && a2 >= 0 ? 0 : -Errno.EINVAL;
  });
}
