import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { Errno, FileMode, Inotify } from '@rpal/uapi';
import { TmpfsStep } from '../steps.js';
import type { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import { type DirectoryInode, type Inode, isDirectory, RegularInode, socketKeyOf } from '../tree/inode.js';
import type { PathWalk } from '../walk/path-walk.js';
import { mayChangeNames, sticksTo } from '../walk/permission.js';
import { refusedSlashes } from './create.js';

/**
 * Why a name cannot be taken away (Linux: `may_delete`); 0: it can.
 * @param what it is to be; anything else is refused
 */
export function mayDelete(directory: Inode, victim: Dentry, { process: { credentials } }: Thread, what: 'directory' | 'file'): number {
  const refused = mayChangeNames(directory, credentials);
  if (refused < 0) return refused;
  if (sticksTo(directory, victim.inode, credentials)) return -Errno.EPERM;
  if (what === 'directory') {
    if (!isDirectory(victim.inode)) return -Errno.ENOTDIR;
    if (victim.isRoot) return -Errno.EBUSY;
  } else if (isDirectory(victim.inode)) {
    return -Errno.EISDIR;
  }
  const { fixed, directories } = directory as DirectoryInode;
  if (fixed && !(what === 'directory' && directories !== null)) return -Errno.EPERM;
  return (directory as DirectoryInode).dead ? -Errno.ENOENT : 0;
}

/** unlinkat(2) without AT_REMOVEDIR. */
export function removeFile(cpu: Cpu, walk: PathWalk, thread: Thread, fd: number, path: string | number): number {
  const last = walk.parent(fd, path);
  if (typeof last === 'number') return last;
  if (last.kind !== 'name') return -Errno.EISDIR;
  const victim = walk.child(last.directory, last.name);
  if (last.slashes && (typeof victim !== 'number' || victim === -Errno.ENOENT))
    return refusedSlashes(typeof victim === 'number' ? null : victim);
  if (typeof victim === 'number') return victim;
  const refused = mayDelete(last.directory.inode, victim, thread, 'file');
  if (refused < 0) return refused;
  cpu.charge(TmpfsStep.removeName);
  const { tree } = walk;
  unlinkInode(cpu, tree, last.directory, victim);
  tree.inodeEvent(cpu, victim.inode, Inotify.ATTRIB);
  tree.retire(cpu, victim.inode);
  tree.nameEvent(cpu, last.directory.inode, Inotify.DELETE, victim.name, victim.inode);
  return 0;
}

/** rmdir(2). */
export function removeDirectory(cpu: Cpu, walk: PathWalk, thread: Thread, fd: number, path: string | number): number {
  const last = walk.parent(fd, path);
  if (typeof last === 'number') return last;
  if (last.kind === 'dotdot') return -Errno.ENOTEMPTY;
  if (last.kind === 'dot') return -Errno.EINVAL;
  if (last.kind === 'root') return -Errno.EBUSY;
  const victim = walk.child(last.directory, last.name);
  if (typeof victim === 'number') return victim;
  const refused = mayDelete(last.directory.inode, victim.mountPoint ?? victim, thread, 'directory');
  if (refused < 0) return refused;
  if (victim.mountPoint !== null) return -Errno.EBUSY;
  const directory = victim.inode as DirectoryInode;
  const { directories } = last.directory.inode as DirectoryInode;
  const kept = directories?.removeDirectory(cpu, directory) ?? (directory.empty ? 0 : -Errno.ENOTEMPTY);
  if (kept < 0) return kept;
  cpu.charge(TmpfsStep.removeName);
  const { tree } = walk;
  directoryGone(cpu, tree, last.directory, victim);
  tree.retire(cpu, directory);
  tree.nameEvent(cpu, last.directory.inode, Inotify.DELETE, victim.name, directory);
  return 0;
}

/** A file loses a name. */
export function unlinkInode(cpu: Cpu, tree: FileTree, parent: Dentry, victim: Dentry): void {
  const now = tree.clock.now(cpu);
  const { inode } = victim;
  (parent.inode as DirectoryInode).remove(victim);
  victim.removed = true;
  inode.links--;
  inode.changed = now;
  parent.inode.setTimes(now);
  if (inode.links > 0) return;
  if (inode instanceof RegularInode) inode.content.put();
  else if (inode.type === FileMode.SOCKET) tree.kernel.sockets.names.unlink(socketKeyOf(inode));
}

/** An empty directory loses its name. */
export function directoryGone(cpu: Cpu, tree: FileTree, parent: Dentry, victim: Dentry): void {
  const now = tree.clock.now(cpu);
  const directory = victim.inode as DirectoryInode;
  (parent.inode as DirectoryInode).remove(victim);
  victim.removed = true;
  directory.dead = true;
  directory.links = 0;
  directory.changed = now;
  parent.inode.links--;
  parent.inode.setTimes(now);
}
