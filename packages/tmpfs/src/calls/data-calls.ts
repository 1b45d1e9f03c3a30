import type { Cpu } from '@rpal/hw-x86';
import { PipeEnd } from '@rpal/ipc';
import type { SyscallExtension, SyscallHandler, Thread, UserContext } from '@rpal/kernel';
import { Errno, FallocateMode, FileMode, Flock, Inotify } from '@rpal/uapi';
import { type File, growth, Pending } from '@rpal/vfs';
import { flock } from '../locks/lock-call.js';
import { DirectoryFile } from '../open/directory-file.js';
import { mayRead, mayWrite } from '../open/open-inode.js';
import { RegularFile } from '../open/regular-file.js';
import { TmpfsStep } from '../steps.js';
import type { FileTree } from '../tree/file-tree.js';
import type { TreeFile } from '../tree/tree-file.js';
import { dentryOf } from '../walk/path-walk.js';
import type { Define } from './call-table.js';

const PAGE_SIZE = 4096;
/** Sizes and offsets of files are below this. */
const MAX_OFFSET = 2 ** 63;

const { KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE, COLLAPSE_RANGE, INSERT_RANGE, UNSHARE_RANGE, WRITE_ZEROES } = FallocateMode;
const ALLOCATING = COLLAPSE_RANGE | INSERT_RANGE | UNSHARE_RANGE | ZERO_RANGE | PUNCH_HOLE | WRITE_ZEROES;

/** readv(2) and writev(2), which preadv2 and pwritev2 are where no offset is given. */
interface VectorCalls {
  readonly readv: SyscallHandler;
  readonly writev: SyscallHandler;
}

/** Calls that list directories, that move, allocate and lock the bytes of files, and that see them written back. */
export function defineDataCalls(define: Define, tree: FileTree, { readv, writev }: VectorCalls): void {
  const list = (cpu: Cpu, thread: Thread, fd: number, address: number, bytes: number, wide: boolean): number => {
    const file = thread.process.files.lookUp(cpu, fd | 0);
    if (file === null) return -Errno.EBADF;
    return file instanceof DirectoryFile ? file.list(cpu, thread, address, bytes >>> 0, wide) : -Errno.ENOTDIR;
  };
  define('getdents', (cpu, thread, { a0, a1, a2 }) => list(cpu, thread, a0, a1, a2, false));
  define('getdents64', (cpu, thread, { a0, a1, a2 }) => list(cpu, thread, a0, a1, a2, true));

  define('preadv', (cpu, thread, regs) => positioned(cpu, thread, regs, false, regs.a3));
  define('pwritev', (cpu, thread, regs) => positioned(cpu, thread, regs, true, regs.a3));
  // Flags that tmpfs does not know are refused; those for writing through have nothing to do.
  const RWF_SYNC = 6;
  const RWF_HIPRI = 1;
  const withFlags = (cpu: Cpu, thread: Thread, regs: UserContext, write: boolean): number => {
    if ((regs.a5 & ~(RWF_SYNC | RWF_HIPRI)) !== 0) return -Errno.EOPNOTSUPP;
    if (regs.a3 !== OWN_PLACE) return positioned(cpu, thread, regs, write, regs.a3);
    return (write ? writev : readv)(cpu, thread, regs);
  };
  const missing = 'RWF_APPEND and RWF_NOWAIT';
  define('preadv2', (cpu, thread, regs) => withFlags(cpu, thread, regs, false), { holds: [0], missing });
  define('pwritev2', (cpu, thread, regs) => withFlags(cpu, thread, regs, true), { holds: [0], missing });

  define('fallocate', (cpu, thread, { a0, a1, a2, a3 }) => {
    const file = thread.process.files.lookUp(cpu, a0 | 0);
    if (file === null) return -Errno.EBADF;
    return fallocate(cpu, tree, thread, file, a1, a2, a3);
  });

  define(
    'flock',
    (cpu, thread, { a0, a1 }) => {
      // LOCK_MAND, which did nothing, has been removed.
      if ((a1 & LOCK_MAND) !== 0) return 0;
      const kind = a1 & ~Flock.NONBLOCK;
      if (kind !== Flock.SH && kind !== Flock.EX && kind !== Flock.UN) return -Errno.EINVAL;
      const file = thread.process.files.lookUp(cpu, a0 | 0);
      if (file === null) return -Errno.EBADF;
      if (dentryOf(file) === null) return -Errno.EINVAL;
      return kind !== Flock.UN && !mayRead(file) && !mayWrite(file) ? -Errno.EBADF : flock(cpu, thread, file as TreeFile, a1);
    },
    { holds: [0] },
  );

  defineWriteBack(define);
}

const LOCK_MAND = 0x20;

/** readv and writev at an offset. */
function positioned(cpu: Cpu, thread: Thread, { args, a0, a1, a2 }: UserContext, write: boolean, offset: number): number {
  if (offset < 0) return -Errno.EINVAL;
  const file = thread.process.files.lookUp(cpu, a0 | 0);
  if (file === null) return -Errno.EBADF;
  if (file.pollable) return -Errno.ESPIPE;
  const segments = args.segments(cpu, thread, a1, a2);
  if (typeof segments === 'number') return segments;
  if (!(write ? mayWrite(file) : mayRead(file))) return -Errno.EBADF;
  let done = 0;
  for (const { address, length } of segments) {
    if (length === 0) continue;
    const n = write ? file.writeAt(cpu, thread, address, length, offset + done) : file.readAt(cpu, thread, address, length, offset + done);
    if (n <= Pending.AGAIN) return n;
    if (n < 0) return done > 0 ? done : n;
    done += n;
    if (n < length) break;
  }
  if (done === 0 && !write) readNothing(cpu, file);
  return done;
}

/** The offset of preadv2 and pwritev2 that stands for where the file is. */
const OWN_PLACE = -1;

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
  if (offset + length > MAX_OFFSET) return -Errno.EFBIG;
  if (!(file instanceof RegularFile) || (kind !== 0 && kind !== PUNCH_HOLE)) return -Errno.EOPNOTSUPP;
  const refused = kind === PUNCH_HOLE || keeps ? 0 : growth(cpu, thread, file.inode.size, offset + length);
  if (refused < 0) return refused;
  cpu.charge(kind === PUNCH_HOLE ? TmpfsStep.truncateBody : TmpfsStep.allocateBody);
  const { content } = file.inode;
  const now = tree.clock.now(cpu);
  if (kind === PUNCH_HOLE) {
    content.punch(cpu, offset, length);
    file.inode.setTimes(now);
  } else {
    const first = Math.floor(offset / PAGE_SIZE);
    if (!content.allocate(cpu, first, Math.ceil((offset + length) / PAGE_SIZE) - first)) return -Errno.ENOSPC;
    if (!keeps && offset + length > content.size) content.truncate(cpu, offset + length);
    file.inode.setTimes(now);
  }
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
    const type = file.mode & FileMode.TYPE;
    return type === FileMode.REGULAR || type === FileMode.DIRECTORY ? 0 : -Errno.EINVAL;
  };
  define('fsync', (cpu, thread, { a0 }) => onFile(cpu, thread, a0));
  define('fdatasync', (cpu, thread, { a0 }) => onFile(cpu, thread, a0));
  define('sync_file_range', (cpu, { process: { files } }, { a0, a1, a2, a3 }) => {
    const file = files.lookUp(cpu, a0 | 0);
    if (file === null) return -Errno.EBADF;
    if ((a3 & ~7) !== 0 || a1 < 0 || a2 < 0) return -Errno.EINVAL;
    const type = file.mode & FileMode.TYPE;
    return type === FileMode.REGULAR || type === FileMode.DIRECTORY ? 0 : -Errno.ESPIPE;
  });
  define('fadvise64', (cpu, { process: { files } }, { a0, a2, a3 }) => {
    const file = files.lookUp(cpu, a0 | 0);
    if (file === null) return -Errno.EBADF;
    if ((file.mode & FileMode.TYPE) === FileMode.FIFO || file instanceof PipeEnd) return -Errno.ESPIPE;
    return a2 < 0 || a3 < 0 || a3 > 5 ? -Errno.EINVAL : 0;
  });
  define('readahead', (cpu, { process: { files } }, { a0 }) => {
    const file = files.lookUp(cpu, a0 | 0);
    if (file === null || !mayRead(file)) return -Errno.EBADF;
    return (file.mode & FileMode.TYPE) === FileMode.REGULAR ? 0 : -Errno.EINVAL;
  });
}
