import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { AccessMode, Errno, FileMode, Inotify, RenameFlag } from '@rpal/uapi';
import { TmpfsStep } from '../steps.js';
import type { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import { type DirectoryInode, isDirectory } from '../tree/inode.js';
import type { PathWalk } from '../walk/path-walk.js';
import { FileCapability, isCapable, permission } from '../walk/permission.js';
import { mayCreate, ownership } from './create.js';
import { directoryGone, mayDelete, unlinkInode } from './remove.js';

const { NOREPLACE, EXCHANGE, WHITEOUT } = RenameFlag;

/** renameat2(2). */
export function rename(
  cpu: Cpu,
  walk: PathWalk,
  thread: Thread,
  oldFd: number,
  oldPath: string | number,
  newFd: number,
  newPath: string | number,
  flags: number,
): number {
  const { tree } = walk;
  const from = walk.parent(oldFd, oldPath);
  if (typeof from === 'number') return from;
  const to = walk.parent(newFd, newPath);
  if (typeof to === 'number') return to;
  if (from.directory.inode.fs !== to.directory.inode.fs) return -Errno.EXDEV;
  if (from.kind !== 'name') return -Errno.EBUSY;
  if (to.kind !== 'name') return (flags & NOREPLACE) !== 0 ? -Errno.EEXIST : -Errno.EBUSY;
  const source = walk.child(from.directory, from.name);
  if (typeof source === 'number') return source;
  const found = walk.child(to.directory, to.name);
  if (typeof found === 'number' && found !== -Errno.ENOENT) return found;
  const target = typeof found === 'number' ? null : found;
  const exchange = (flags & EXCHANGE) !== 0;
  if (target !== null && (flags & NOREPLACE) !== 0) return -Errno.EEXIST;
  if (exchange) {
    if (target === null) return -Errno.ENOENT;
    if (!isDirectory(target.inode) && to.slashes) return -Errno.ENOTDIR;
  }
  const sourceIsDirectory = isDirectory(source.inode);
  if (!sourceIsDirectory && (from.slashes || (!exchange && to.slashes))) return -Errno.ENOTDIR;
  // Nothing can move below itself, or onto a directory that contains it.
  if (to.directory.isBelow(source)) return -Errno.EINVAL;
  if (target !== null && from.directory.isBelow(target)) return exchange ? -Errno.EINVAL : -Errno.ENOTEMPTY;
  if (target !== null && target.inode === source.inode) return 0;

  const refused = mayMove(thread, from.directory, source, to.directory, target, exchange);
  if (refused < 0) return refused;
  if (source.mountPoint !== null || (target !== null && target.mountPoint !== null)) return -Errno.EBUSY;
  if (!exchange && target !== null && isDirectory(target.inode) && !target.inode.empty) return -Errno.ENOTEMPTY;
  if ((flags & WHITEOUT) !== 0 && !isCapable(thread.process.credentials, FileCapability.MKNOD)) return -Errno.EPERM;

  cpu.charge(TmpfsStep.moveName);
  if (exchange) {
    swap(cpu, tree, source, target as Dentry);
    return 0;
  }
  move(cpu, tree, source, to.directory, to.name, target);
  if ((flags & WHITEOUT) !== 0) {
    const fields = ownership(cpu, tree, thread, from.directory.inode, FileMode.CHARACTER);
    tree.enter(from.directory, from.name, tree.special({ ...fields, mode: FileMode.CHARACTER }, 0));
  }
  return 0;
}

/** The rights that vfs_rename asks for. */
function mayMove(thread: Thread, oldParent: Dentry, source: Dentry, newParent: Dentry, target: Dentry | null, exchange: boolean): number {
  const kind = (dentry: Dentry) => (isDirectory(dentry.inode) ? 'directory' : 'file');
  let refused = mayDelete(oldParent.inode, source, thread, kind(source));
  if (refused < 0) return refused;
  if (target === null) refused = mayCreate(newParent, thread);
  else refused = mayDelete(newParent.inode, target, thread, exchange ? kind(target) : kind(source));
  if (refused < 0) return refused;
  // Of one file system: both are, or none.
  if ((oldParent.inode as DirectoryInode).fixed) return -Errno.EPERM;
  if (oldParent === newParent) return 0;
  // ".." of a directory that moves is written.
  const { credentials } = thread.process;
  if (isDirectory(source.inode)) refused = permission(source.inode, AccessMode.WRITE, credentials);
  if (refused === 0 && exchange && target !== null && isDirectory(target.inode))
    refused = permission(target.inode, AccessMode.WRITE, credentials);
  return refused;
}

function move(cpu: Cpu, tree: FileTree, source: Dentry, newParent: Dentry, newName: string, target: Dentry | null): void {
  const now = tree.clock.now(cpu);
  const { parent: oldParent, name: oldName, inode } = source;
  if (target !== null) {
    if (isDirectory(target.inode)) directoryGone(cpu, tree, newParent, target);
    else unlinkInode(cpu, tree, newParent, target);
  }
  (oldParent.inode as DirectoryInode).remove(source);
  place(source, newParent, newName);
  if (isDirectory(inode)) {
    oldParent.inode.links--;
    newParent.inode.links++;
  }
  oldParent.inode.setTimes(now);
  newParent.inode.setTimes(now);
  inode.changed = now;
  const cookie = tree.nextCookie();
  tree.nameEvent(cpu, oldParent.inode, Inotify.MOVED_FROM, oldName, inode, cookie);
  tree.nameEvent(cpu, newParent.inode, Inotify.MOVED_TO, newName, inode, cookie);
  if (target !== null) tree.inodeEvent(cpu, target.inode, Inotify.ATTRIB);
  tree.inodeEvent(cpu, inode, Inotify.MOVE_SELF);
  if (target !== null) tree.retire(cpu, target.inode);
}

/** RENAME_EXCHANGE. */
function swap(cpu: Cpu, tree: FileTree, a: Dentry, b: Dentry): void {
  const now = tree.clock.now(cpu);
  const [parentA, nameA] = [a.parent, a.name];
  const [parentB, nameB] = [b.parent, b.name];
  (parentA.inode as DirectoryInode).remove(a);
  (parentB.inode as DirectoryInode).remove(b);
  place(b, parentA, nameA);
  place(a, parentB, nameB);
  if (parentA !== parentB && isDirectory(a.inode) !== isDirectory(b.inode)) {
    const [gains, loses] = isDirectory(a.inode) ? [parentB, parentA] : [parentA, parentB];
    gains.inode.links++;
    loses.inode.links--;
  }
  for (const parent of [parentA, parentB]) parent.inode.setTimes(now);
  for (const dentry of [a, b]) dentry.inode.changed = now;
  tell(cpu, tree, parentA, nameA, parentB, nameB, a);
  tell(cpu, tree, parentB, nameB, parentA, nameA, b);
}

function tell(cpu: Cpu, tree: FileTree, from: Dentry, oldName: string, to: Dentry, newName: string, { inode }: Dentry): void {
  const cookie = tree.nextCookie();
  tree.nameEvent(cpu, from.inode, Inotify.MOVED_FROM, oldName, inode, cookie);
  tree.nameEvent(cpu, to.inode, Inotify.MOVED_TO, newName, inode, cookie);
  tree.inodeEvent(cpu, inode, Inotify.MOVE_SELF);
}

function place(dentry: Dentry, parent: Dentry, name: string): void {
  dentry.parent = parent;
  dentry.name = name;
  (parent.inode as DirectoryInode).add(dentry);
}
