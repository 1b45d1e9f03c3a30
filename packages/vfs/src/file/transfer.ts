import type { Cpu } from '@rpal/hw-x86';
import { accessOk } from '@rpal/mm';
import { Errno, OpenFlag, Signal } from '@rpal/uapi';
import type { Caller } from '../operation/caller.js';
import { MAX_RW_COUNT } from '../operation/iov-iter.js';
import type { File } from './file.js';

/** Which way a call moves data. */
export const Direction = { READ: 0, WRITE: 1 } as const;

/** May, and can, the file be read or written? @returns 0, -EBADF or -EINVAL */
export function refusal(file: File, direction: number): number {
  const write = direction === Direction.WRITE;
  if ((file.flags & OpenFlag.ACCMODE) === (write ? OpenFlag.RDONLY : OpenFlag.WRONLY)) return -Errno.EBADF;
  return (write ? file.canWrite : file.canRead) ? 0 : -Errno.EINVAL;
}

/** How much of an unsigned length, which is a register, one call moves (Linux: `import_ubuf`). */
export function importedLength(size: number): number {
  return size < 0 ? MAX_RW_COUNT : Math.min(size, MAX_RW_COUNT);
}

/**
 * What vfs_read and vfs_write refuse before the file is asked: those opened otherwise, those that have no such method, memory that is not
 * the user's. Sizes and addresses are registers.
 * @returns how many bytes to move, or a negative errno
 */
export function transferSize(file: File, direction: number, address: number, size: number): number {
  if (accessOk(address, size)) return Math.min(size, MAX_RW_COUNT);
  const refused = refusal(file, direction);
  return refused < 0 ? refused : -Errno.EFAULT;
}

/**
 * What RLIMIT_FSIZE leaves of a write to a regular file (Linux: `generic_write_check_limits`).
 * @returns how many bytes may be written; -EFBIG if none, and the caller gets SIGXFSZ
 */
export function writableSize(cpu: Cpu, caller: Caller, offset: number, length: number): number {
  const room = caller.fileSizeLimit - offset;
  if (room > 0) return Math.min(length, room);
  caller.raise(cpu, Signal.XFSZ);
  return -Errno.EFBIG;
}

/** May a regular file become that long (Linux: `inode_newsize_ok`)? @returns 0, or -EFBIG: the caller gets SIGXFSZ */
export function growth(cpu: Cpu, caller: Caller, from: number, to: number): number {
  if (to <= from || to <= caller.fileSizeLimit) return 0;
  caller.raise(cpu, Signal.XFSZ);
  return -Errno.EFBIG;
}
