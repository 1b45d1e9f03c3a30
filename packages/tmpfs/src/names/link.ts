import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { At, Errno, FileMode, Inotify } from '@rpal/uapi';
import { TmpfsStep } from '../steps.js';
import { type DirectoryInode, type Inode, isDirectory, RegularInode } from '../tree/inode.js';
import { dentryOf, type PathWalk } from '../walk/path-walk.js';
import { FileCapability, isCapable, owns, permission } from '../walk/permission.js';
import { mayCreate, placeFor } from './create.js';

/** linkat(2). */
export function makeLink(
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
  if ((flags & At.EMPTY_PATH) !== 0 && isForeign(cpu, thread, oldFd, oldPath)) return -Errno.ENOENT;
  const isEmpty = oldPath === '' && (flags & At.EMPTY_PATH) !== 0;
  const file = isEmpty && (oldFd | 0) >= 0 ? thread.process.files.lookUpRaw(cpu, oldFd | 0) : null;
  // A file without a name is of another file system than any place for one.
  const isNameless = file !== null && dentryOf(file) === null;
  const source = isNameless ? null : isEmpty ? walk.start(oldFd, '') : walk.lookUp(oldFd, oldPath, (flags & At.SYMLINK_FOLLOW) !== 0);
  if (typeof source === 'number') return source;
  const place = placeFor(walk, newFd, newPath, false);
  if (typeof place === 'number') return place;
  const inode = source?.inode;
  if (inode?.fs !== place.directory.inode.fs) return (place.directory.inode as DirectoryInode).fixed ? -Errno.ENOENT : -Errno.EXDEV;
  if (!mayLink(inode, thread)) return -Errno.EPERM;
  const refused = mayCreate(place.directory, thread);
  if (refused < 0) return refused;
  if (isDirectory(inode)) return -Errno.EPERM;
  if (inode.links === 0 && !(inode instanceof RegularInode && inode.linkable)) return -Errno.ENOENT;
  cpu.charge(TmpfsStep.makeInode);
  const now = tree.clock.now(cpu);
  // Its content is held for its names: the first one of an O_TMPFILE takes that again.
  if (inode.links === 0 && inode instanceof RegularInode) inode.content.get();
  inode.links++;
  inode.changed = now;
  tree.enter(place.directory, place.name, inode);
  place.directory.inode.setTimes(now);
  tree.inodeEvent(cpu, inode, Inotify.ATTRIB);
  tree.nameEvent(cpu, place.directory.inode, Inotify.CREATE, place.name, inode);
  return 0;
}

/** fs.protected_hardlinks: names are given to one's own files, and to harmless ones that one may read and write (`may_linkat`). */
function mayLink(inode: Inode, { process: { credentials } }: Thread): boolean {
  if (owns(credentials, inode)) return true;
  const { mode } = inode;
  const groupProgram = FileMode.SETGID | FileMode.GROUP_EXECUTE;
  if (inode.type !== FileMode.REGULAR || (mode & FileMode.SETUID) !== 0 || (mode & groupProgram) === groupProgram) return false;
  return permission(inode, 6, credentials) === 0;
}

/** With AT_EMPTY_PATH a descriptor is enough for who opened it, and for who may search everywhere. */
function isForeign(cpu: Cpu, { process }: Thread, fd: number, path: string | number): boolean {
  if (typeof path === 'number' || path.startsWith('/') || (fd | 0) === At.FDCWD) return false;
  const file = process.files.lookUpRaw(cpu, fd | 0);
  if (file === null || isCapable(process.credentials, FileCapability.DAC_READ_SEARCH)) return false;
  return file.opener !== process.credentials;
}
