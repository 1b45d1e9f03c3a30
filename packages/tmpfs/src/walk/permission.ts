import { AccessMode, Errno, FileMode } from '@rpal/uapi';
import type { Credentials } from '@rpal/vfs';
import type { Inode } from '../tree/inode.js';

const { READ, WRITE, EXECUTE } = AccessMode;

/** Root has all capabilities (CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_CHOWN, CAP_FSETID, CAP_MKNOD), others none. */
export function isPrivileged({ uid }: Credentials): boolean {
  return uid === 0;
}

export function inGroup({ gid }: Credentials, group: number): boolean {
  return gid === group;
}

/** May these credentials change what only an owner may? */
export function owns(credentials: Credentials, { uid }: Inode): boolean {
  return isPrivileged(credentials) || credentials.uid === uid;
}

/**
 * Discretionary access control (Linux: `generic_permission`).
 * @param mask `AccessMode` bits
 * @returns 0 or -EACCES
 */
export function permission(inode: Inode, mask: number, credentials: Credentials): number {
  const { mode } = inode;
  const shift = credentials.uid === inode.uid ? 6 : inGroup(credentials, inode.gid) ? 3 : 0;
  if (((mode >> shift) & mask) === mask || mask === 0) return 0;
  if (!isPrivileged(credentials)) return -Errno.EACCES;
  // Not even root executes a file that nobody may execute.
  const executable = inode.type === FileMode.DIRECTORY || (mode & FileMode.ANY_EXECUTE) !== 0;
  return (mask & EXECUTE) === 0 || executable ? 0 : -Errno.EACCES;
}

/** May names be put into a directory, or taken out of it? */
export function mayChangeNames(directory: Inode, credentials: Credentials): number {
  return permission(directory, WRITE | EXECUTE, credentials);
}

/** In a directory with the sticky bit only owners take names away (Linux: `__check_sticky`). */
export function sticksTo(directory: Inode, inode: Inode, credentials: Credentials): boolean {
  if ((directory.mode & FileMode.STICKY) === 0 || isPrivileged(credentials)) return false;
  return credentials.uid !== inode.uid && credentials.uid !== directory.uid;
}

/** What an open asks for. @param accessMode O_RDONLY, O_WRONLY, O_RDWR, or 3 */
export function accessOfOpen(accessMode: number): number {
  return [READ, WRITE, READ | WRITE, READ | WRITE][accessMode] as number;
}

/** The bits that a change by somebody without privileges takes from a file (Linux: `setattr_should_drop_suidgid`). */
export function privilegedBits({ mode, gid }: Inode, credentials: Credentials): number {
  const user = mode & FileMode.SETUID;
  const group =
    (mode & FileMode.SETGID) !== 0 && ((mode & FileMode.GROUP_EXECUTE) !== 0 || !(isPrivileged(credentials) || inGroup(credentials, gid)));
  return user | (group ? FileMode.SETGID : 0);
}
