import { hasCapability, type ProcessCredentials, type Thread } from '@rpal/kernel';
import { AccessMode, Errno, FileMode } from '@rpal/uapi';
import type { Caller } from '@rpal/vfs';
import type { Attributed, Inode } from '../tree/inode.js';

const { READ, WRITE, EXECUTE } = AccessMode;

/** Capabilities that calls on files ask for (include/uapi/linux/capability.h). */
export const FileCapability = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  DAC_READ_SEARCH: 2,
  FOWNER: 3,
  FSETID: 4,
  SYS_CHROOT: 18,
  MKNOD: 27,
} as const;

/** The caller's credentials: all callers of files are threads. */
export function credentialsOf(caller: Caller): ProcessCredentials {
  return (caller as Thread).process.credentials;
}

export function isCapable({ effective }: ProcessCredentials, capability: number): boolean {
  return hasCapability(effective, capability);
}

export function inGroup({ fsgid, groups }: ProcessCredentials, group: number): boolean {
  return fsgid === group || groups.includes(group);
}

/** May these credentials change what only an owner may? */
export function owns(credentials: ProcessCredentials, { uid }: Attributed): boolean {
  return credentials.fsuid === uid || isCapable(credentials, FileCapability.FOWNER);
}

/**
 * Discretionary access control (Linux: `generic_permission`).
 * @param mask `AccessMode` bits
 * @returns 0 or -EACCES
 */
export function permission(inode: Attributed, mask: number, credentials: ProcessCredentials): number {
  const { mode } = inode;
  const shift = credentials.fsuid === inode.uid ? 6 : inGroup(credentials, inode.gid) ? 3 : 0;
  if (((mode >> shift) & mask) === mask || mask === 0) return 0;
  const isDirectory = inode.type === FileMode.DIRECTORY;
  const searches = isDirectory ? (mask & WRITE) === 0 : mask === READ;
  if (searches && isCapable(credentials, FileCapability.DAC_READ_SEARCH)) return 0;
  if (!isCapable(credentials, FileCapability.DAC_OVERRIDE)) return -Errno.EACCES;
  // Even root cannot execute a file without any execute permission.
  return (mask & EXECUTE) === 0 || isDirectory || (mode & FileMode.ANY_EXECUTE) !== 0 ? 0 : -Errno.EACCES;
}

/** May names be put into a directory, or taken out of it? */
export function mayChangeNames(directory: Inode, credentials: ProcessCredentials): number {
  return permission(directory, WRITE | EXECUTE, credentials);
}

/** In a directory with the sticky bit only owners take names away (Linux: `__check_sticky`). */
export function sticksTo(directory: Inode, inode: Inode, credentials: ProcessCredentials): boolean {
  if ((directory.mode & FileMode.STICKY) === 0 || credentials.fsuid === inode.uid || credentials.fsuid === directory.uid) return false;
  return !isCapable(credentials, FileCapability.FOWNER);
}

/** What an open asks for. @param accessMode O_RDONLY, O_WRONLY, O_RDWR, or 3 */
export function accessOfOpen(accessMode: number): number {
  return [READ, WRITE, READ | WRITE, READ | WRITE][accessMode] as number;
}

/** May the set-group-id bit stay on a file of a group? */
export function keepsGroupBit(credentials: ProcessCredentials, group: number): boolean {
  return inGroup(credentials, group) || isCapable(credentials, FileCapability.FSETID);
}

/** The bits that a change of its contents or owner takes from a file (Linux: `setattr_should_drop_suidgid`). */
export function privilegedBits({ mode, gid }: Attributed, credentials: ProcessCredentials): number {
  const group = (mode & FileMode.SETGID) !== 0 && ((mode & FileMode.GROUP_EXECUTE) !== 0 || !keepsGroupBit(credentials, gid));
  return (mode & FileMode.SETUID) | (group ? FileMode.SETGID : 0);
}

/** The credentials that access(2) uses: the real user, with the capabilities that this user would have. */
export function asRealUser(credentials: ProcessCredentials): ProcessCredentials {
  const { uid, gid, permitted } = credentials;
  return { ...credentials, fsuid: uid, fsgid: gid, effective: uid === 0 ? permitted : { low: 0, high: 0 } };
}
