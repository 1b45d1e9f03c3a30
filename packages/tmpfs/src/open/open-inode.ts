import type { Cpu } from '@rpal/hw-x86';
import { Inotify, OpenFlag } from '@rpal/uapi';
import type { File } from '@rpal/vfs';
import type { TreeFile } from '../tree/tree-file.js';

/** Flags of open that an open file does not remember. */
const FORGOTTEN = OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOCTTY | OpenFlag.TRUNC | OpenFlag.CLOEXEC;

/** What F_GETFL says of a file that was opened with `flags`. */
export function rememberedFlags(flags: number): number {
  return (flags & ~FORGOTTEN) | OpenFlag.LARGEFILE;
}

export function mayRead({ flags }: File): boolean {
  return (flags & OpenFlag.ACCMODE) === OpenFlag.RDONLY || (flags & OpenFlag.ACCMODE) === OpenFlag.RDWR;
}

export function mayWrite({ flags }: File): boolean {
  return (flags & OpenFlag.ACCMODE) === OpenFlag.WRONLY || (flags & OpenFlag.ACCMODE) === OpenFlag.RDWR;
}

/** A file has been opened. */
export function opened(cpu: Cpu, { tree, dentry }: TreeFile): void {
  dentry.inode.opened++;
  tree.event(cpu, dentry, Inotify.OPEN);
}

/** The last reference to an open file is gone: its locks go, and its inode if it has no name any more. */
export function closed(cpu: Cpu, file: TreeFile): void {
  const { tree, dentry } = file;
  const { inode } = dentry;
  tree.event(cpu, dentry, mayWrite(file) ? Inotify.CLOSE_WRITE : Inotify.CLOSE_NOWRITE);
  if (inode.hasLocks) {
    inode.locks.dropWhole(cpu, file);
    inode.locks.dropAll(cpu, file);
  }
  inode.opened--;
  tree.retire(cpu, inode);
}

/** A descriptor is closed by process `owner`: its POSIX locks of the file go, whichever descriptor they were taken by. */
export function flushed({ tree, dentry }: TreeFile, owner: object | null): void {
  const { inode } = dentry;
  const { running } = tree.kernel.platform;
  if (owner !== null && running !== null && inode.hasLocks) inode.locks.dropAll(running, owner);
}
