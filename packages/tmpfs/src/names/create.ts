import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { Errno, FileMode, Inotify } from '@rpal/uapi';
import { TmpfsStep } from '../steps.js';
import type { Dentry } from '../tree/dentry.js';
import type { FileTree, NewInode } from '../tree/file-tree.js';
import { type DirectoryInode, type Inode, isDirectory } from '../tree/inode.js';
import type { PathWalk } from '../walk/path-walk.js';
import { FileCapability, isCapable, keepsGroupBit, mayChangeNames } from '../walk/permission.js';

/** Where a new name is to be. */
export interface Place {
  readonly directory: Dentry;
  readonly name: string;
}

/**
 * The place for a new name (Linux: `filename_create`).
 * @param forDirectory slashes may follow the name
 */
export function placeFor(walk: PathWalk, fd: number, path: string | number, forDirectory: boolean): Place | number {
  const last = walk.parent(fd, path);
  if (typeof last === 'number') return last;
  const { directory, name, kind, slashes } = last;
  if (kind !== 'name') return -Errno.EEXIST;
  const found = walk.child(directory, name);
  if (typeof found !== 'number') return -Errno.EEXIST;
  if (found !== -Errno.ENOENT) return found;
  return slashes && !forDirectory ? -Errno.ENOENT : { directory, name };
}

/**
 * Why nothing can be made in a directory (Linux: `may_create`, and whether its file system has the operation); 0: it can.
 * @param type of what is to be made
 */
export function mayCreate({ inode }: Dentry, { process: { credentials } }: Thread, type: number = FileMode.REGULAR): number {
  const { dead, fixed, directories } = inode as DirectoryInode;
  // Directories of /proc say so of every name that they do not have (Linux: `proc_lookup`).
  if (dead || (fixed && directories === null)) return -Errno.ENOENT;
  const refused = mayChangeNames(inode, credentials);
  if (refused < 0) return refused;
  return fixed && type !== FileMode.DIRECTORY ? -Errno.EPERM : 0;
}

/**
 * Owner, group and mode of a new inode (Linux: `inode_init_owner`): a directory with the set-group-id bit passes its group on.
 * @param mode type and permissions that were asked for
 */
export function ownership(cpu: Cpu, tree: FileTree, thread: Thread, directory: Inode, mode: number): NewInode {
  const { credentials } = thread.process;
  const inherits = (directory.mode & FileMode.SETGID) !== 0;
  const gid = inherits ? directory.gid : credentials.fsgid;
  let bits = mode & ~tree.contexts.of(thread.process).umask;
  const isDirectoryMode = (mode & FileMode.TYPE) === FileMode.DIRECTORY;
  if (inherits && isDirectoryMode) bits |= FileMode.SETGID;
  const foreign = (mode & (FileMode.SETGID | FileMode.GROUP_EXECUTE)) === (FileMode.SETGID | FileMode.GROUP_EXECUTE);
  if (inherits && !isDirectoryMode && foreign && !keepsGroupBit(credentials, gid)) bits &= ~FileMode.SETGID;
  return { mode: bits, uid: credentials.fsuid, gid, time: tree.clock.now(cpu) };
}

/** Puts a new inode into the tree. */
export function enter(cpu: Cpu, tree: FileTree, { directory, name }: Place, inode: Inode): Dentry {
  cpu.charge(TmpfsStep.makeInode);
  const dentry = tree.enter(directory, name, inode);
  directory.inode.setTimes(tree.clock.now(cpu));
  tree.nameEvent(cpu, directory.inode, Inotify.CREATE, name, inode);
  return dentry;
}

/** mkdirat(2). */
export function makeDirectory(cpu: Cpu, walk: PathWalk, thread: Thread, fd: number, path: string | number, mode: number): number {
  const { tree } = walk;
  const place = placeFor(walk, fd, path, true);
  if (typeof place === 'number') return place;
  const refused = mayCreate(place.directory, thread, FileMode.DIRECTORY);
  if (refused < 0) return refused;
  const parent = place.directory.inode as DirectoryInode;
  const fields = ownership(cpu, tree, thread, parent, FileMode.DIRECTORY | (mode & (0o777 | FileMode.STICKY)));
  const made = parent.directories?.makeDirectory(cpu, place.name, fields) ?? tree.directory(fields);
  if (typeof made === 'number') return made;
  enter(cpu, tree, place, made);
  return 0;
}

/** symlinkat(2). */
export function makeSymlink(cpu: Cpu, walk: PathWalk, thread: Thread, target: string, fd: number, path: string | number): number {
  if (target === '') return -Errno.ENOENT;
  const { tree } = walk;
  const place = placeFor(walk, fd, path, false);
  if (typeof place === 'number') return place;
  const refused = mayCreate(place.directory, thread);
  if (refused < 0) return refused;
  const fields = ownership(cpu, tree, thread, place.directory.inode, FileMode.SYMLINK);
  enter(cpu, tree, place, tree.symlink({ ...fields, mode: FileMode.SYMLINK | 0o777 }, target));
  return 0;
}

/** mknodat(2). */
export function makeNode(
  cpu: Cpu,
  walk: PathWalk,
  thread: Thread,
  fd: number,
  path: string | number,
  mode: number,
  device: number,
): number {
  const type = mode & FileMode.TYPE;
  const refusedType = mayMakeNode(type);
  if (refusedType < 0) return refusedType;
  const { tree } = walk;
  const place = placeFor(walk, fd, path, false);
  if (typeof place === 'number') return place;
  const made = nodeAt(cpu, tree, thread, place, type === 0 ? mode | FileMode.REGULAR : mode, device);
  return typeof made === 'number' ? made : 0;
}

/** Makes a regular file, device, FIFO or socket at a place that is free. */
export function nodeAt(cpu: Cpu, tree: FileTree, thread: Thread, place: Place, mode: number, device: number): Dentry | number {
  const refused = mayCreate(place.directory, thread);
  if (refused < 0) return refused;
  const type = mode & FileMode.TYPE;
  const isDevice = type === FileMode.CHARACTER || type === FileMode.BLOCK;
  // 0:0 is a whiteout, which anybody may make.
  const whiteout = type === FileMode.CHARACTER && device === 0;
  if (isDevice && !whiteout && !isCapable(thread.process.credentials, FileCapability.MKNOD)) return -Errno.EPERM;
  const fields = ownership(cpu, tree, thread, place.directory.inode, mode & (FileMode.TYPE | FileMode.PERMISSIONS));
  const inode = type === FileMode.REGULAR ? tree.regular(fields, place.name) : tree.special(fields, isDevice ? device : 0);
  return enter(cpu, tree, place, inode);
}

function mayMakeNode(type: number): number {
  switch (type) {
    case 0:
    case FileMode.REGULAR:
    case FileMode.CHARACTER:
    case FileMode.BLOCK:
    case FileMode.FIFO:
    case FileMode.SOCKET:
      return 0;
    case FileMode.DIRECTORY:
      return -Errno.EPERM;
    default:
      return -Errno.EINVAL;
  }
}

/** Slashes behind the name of what is not a directory, or not there. */
export function refusedSlashes(found: Dentry | null): number {
  if (found === null) return -Errno.ENOENT;
  return isDirectory(found.inode) ? -Errno.EISDIR : -Errno.ENOTDIR;
}
