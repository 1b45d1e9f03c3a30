import { accessOk } from '@rpal/mm';
import { Errno, OpenFlag } from '@rpal/uapi';
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
