import type { Cpu } from '@rpal/hw-x86';
import { type ProcessCredentials, type SyscallExtension, type Thread, UserBuffer } from '@rpal/kernel';
import { AccessMode, At, Errno, Fcntl, FileMode, Inotify, OpenFlag } from '@rpal/uapi';
import { type File, growth, OFFSET_END } from '@rpal/vfs';
import { dropPrivileges, truncated } from '../open/regular-file.js';
import { TmpfsStep } from '../steps.js';
import { namelessInode } from '../tree/anonymous.js';
import { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import { type Attributed, type Inode, isDirectory, MadeInode, RegularInode } from '../tree/inode.js';
import type { Timestamp } from '../tree/timestamp.js';
import { dentryOf, PathWalk } from '../walk/path-walk.js';
import { asRealUser, FileCapability, inGroup, isCapable, keepsGroupBit, owns, permission, privilegedBits } from '../walk/permission.js';
import { type Attributes, attributesOf, attributesOfFile, layStat, layStatx, STAT_BYTES, STATX_BYTES } from './attributes.js';
import type { Define } from './call-table.js';

const buffer = new UserBuffer(STATX_BYTES);

/** Nanoseconds that stand for "now" and "leave it" in utimensat. */
const UTIME_NOW = 0x3fff_ffff;
const UTIME_OMIT = 0x3fff_fffe;
/** An id that chown leaves. */
const KEEP = -1;

/** Calls that ask what a file is, and that change it, its contents apart. */
export function defineAttributeCalls(define: Define, tree: FileTree): void {
  defineStat(define, tree);
  defineChanges(define, tree);

  const access = (cpu: Cpu, thread: Thread, fd: number, path: string | number, mode: number, flags: number): number => {
    if ((mode & ~7) !== 0 || (flags & ~(At.EACCESS | At.SYMLINK_NOFOLLOW | At.EMPTY_PATH)) !== 0) return -Errno.EINVAL;
    const { credentials } = thread.process;
    const asked = (flags & At.EACCESS) !== 0 ? credentials : asRealUser(credentials);
    const found = locate(cpu, thread, tree, fd, path, flags, asked);
    return typeof found === 'number' ? found : permission(inodeOf(tree, found), mode, asked);
  };
  define('access', (cpu, thread, { args, a0, a1 }) => access(cpu, thread, At.FDCWD, args.string(cpu, thread, a0), a1 | 0, 0));
  define('faccessat', (cpu, thread, { args, a0, a1, a2 }) => access(cpu, thread, a0, args.string(cpu, thread, a1), a2 | 0, 0));
  define('faccessat2', (cpu, thread, { args, a0, a1, a2, a3 }) => access(cpu, thread, a0, args.string(cpu, thread, a1), a2 | 0, a3 | 0));

  define('truncate', (cpu, thread, { args, a0, a1 }) => {
    const path = args.string(cpu, thread, a0);
    if (a1 < 0 || a1 >= OFFSET_END) return -Errno.EINVAL;
    if (typeof path === 'number') return path;
    const found = new PathWalk(tree, cpu, thread).lookUp(At.FDCWD, path, true);
    if (typeof found === 'number') return found;
    const { inode } = found;
    if (isDirectory(inode)) return -Errno.EISDIR;
    if (!(inode instanceof RegularInode || inode instanceof MadeInode)) return -Errno.EINVAL;
    const refused = permission(inode, AccessMode.WRITE, thread.process.credentials);
    // What is made when it is read has nothing to cut off.
    if (refused < 0 || inode instanceof MadeInode) return refused;
    dropPrivileges(inode, thread);
    const tooLong = growth(cpu, thread, inode.size, a1);
    if (tooLong < 0) return tooLong;
    inode.content.truncate(cpu, a1);
    truncated(cpu, tree, found);
    return 0;
  });

  define('statfs', (cpu, thread, { args, a0, a1 }) => {
    const found = locate(cpu, thread, tree, At.FDCWD, args.string(cpu, thread, a0), 0);
    if (typeof found === 'number') return found;
    return putStatfs(cpu, thread, tree, a1, found instanceof Dentry ? found.inode : null);
  });
  define('fstatfs', (cpu, thread, { a0, a1 }) => {
    const file = thread.process.files.lookUpRaw(cpu, a0 | 0);
    if (file === null) return -Errno.EBADF;
    return putStatfs(cpu, thread, tree, a1, dentryOf(file)?.inode ?? null);
  });
}

function defineStat(define: Define, tree: FileTree): void {
  const put = (cpu: Cpu, thread: Thread, address: number, attributes: Attributes | number): number => {
    if (typeof attributes === 'number') return attributes;
    cpu.charge(TmpfsStep.attributes);
    layStat(buffer, attributes);
    return buffer.store(cpu, thread, address, STAT_BYTES) < 0 ? -Errno.EFAULT : 0;
  };
  define('stat', (cpu, thread, { args, a0, a1 }) =>
    put(cpu, thread, a1, attributesAt(cpu, thread, tree, At.FDCWD, args.string(cpu, thread, a0), 0)),
  );
  define('lstat', (cpu, thread, { args, a0, a1 }) =>
    put(cpu, thread, a1, attributesAt(cpu, thread, tree, At.FDCWD, args.string(cpu, thread, a0), At.SYMLINK_NOFOLLOW)),
  );
  define('fstat', (cpu, thread, { a0, a1 }) => put(cpu, thread, a1, attributesOpen(cpu, thread, tree, a0)));
  define('newfstatat', (cpu, thread, { args, a0, a1, a2, a3 }) =>
    put(cpu, thread, a2, attributesNamed(cpu, thread, tree, a0, a1, args.string(cpu, thread, a1), a3)),
  );
  define('statx', (cpu, thread, { args, a0, a1, a2, a3, a4 }) => {
    // The highest bit of the mask is kept for later kernels.
    if ((a3 & 0x8000_0000) !== 0) return -Errno.EINVAL;
    if ((a2 & At.STATX_SYNC_TYPE) === At.STATX_SYNC_TYPE) return -Errno.EINVAL;
    const attributes = attributesNamed(cpu, thread, tree, a0, a1, args.string(cpu, thread, a1), a2);
    if (typeof attributes === 'number') return attributes;
    cpu.charge(TmpfsStep.attributes);
    layStatx(buffer, attributes);
    return buffer.store(cpu, thread, a4, STATX_BYTES) < 0 ? -Errno.EFAULT : 0;
  });
}

const STAT_FLAGS = At.SYMLINK_NOFOLLOW | At.NO_AUTOMOUNT | At.EMPTY_PATH | At.STATX_SYNC_TYPE;

/**
 * What newfstatat and statx tell of. With AT_EMPTY_PATH no path is an empty one, and a descriptor alone needs no look-up: flags are not
 * looked at then (Linux: `getname_maybe_null`).
 */
function attributesNamed(
  cpu: Cpu,
  thread: Thread,
  tree: FileTree,
  fd: number,
  address: number,
  given: string | number,
  flags: number,
): Attributes | number {
  const mayBeEmpty = (flags & At.EMPTY_PATH) !== 0;
  const path = mayBeEmpty && address === 0 && isNullPath(given) ? '' : given;
  if (mayBeEmpty && path === '' && (fd | 0) >= 0) return attributesOpen(cpu, thread, tree, fd);
  if ((flags & ~STAT_FLAGS) !== 0) return -Errno.EINVAL;
  if (path === '' && !mayBeEmpty) return -Errno.ENOENT;
  return attributesAt(cpu, thread, tree, fd, path, flags);
}

function attributesOpen(cpu: Cpu, thread: Thread, tree: FileTree, fd: number): Attributes | number {
  const file = thread.process.files.lookUpRaw(cpu, fd | 0);
  return file === null ? -Errno.EBADF : attributesOfFile(tree, file);
}

/** What a path and a descriptor lead to: a name, or an open file that has none. */
function locate(
  cpu: Cpu,
  thread: Thread,
  tree: FileTree,
  fd: number,
  path: string | number,
  flags: number,
  credentials: ProcessCredentials = thread.process.credentials,
): Dentry | File | number {
  if (typeof path === 'number') return path;
  const walk = new PathWalk(tree, cpu, thread, credentials);
  if (path !== '' || (flags & At.EMPTY_PATH) === 0) return walk.lookUp(fd, path, (flags & At.SYMLINK_NOFOLLOW) === 0);
  if ((fd | 0) === At.FDCWD) return walk.context.directory;
  const file = thread.process.files.lookUpRaw(cpu, fd | 0);
  return file === null ? -Errno.EBADF : (dentryOf(file) ?? file);
}

function attributesAt(cpu: Cpu, thread: Thread, tree: FileTree, fd: number, path: string | number, flags: number): Attributes | number {
  const found = locate(cpu, thread, tree, fd, path, flags);
  if (typeof found === 'number') return found;
  return found instanceof Dentry ? attributesOf(found.inode) : attributesOfFile(tree, found);
}

function defineChanges(define: Define, tree: FileTree): void {
  const onPath = (
    cpu: Cpu,
    thread: Thread,
    fd: number,
    path: string | number,
    flags: number,
    change: (found: Dentry | File) => number,
  ): number => {
    const found = locate(cpu, thread, tree, fd, path, flags);
    return typeof found === 'number' ? found : change(found);
  };
  const onFile = (cpu: Cpu, thread: Thread, fd: number, change: (found: Dentry | File) => number): number => {
    const file = thread.process.files.lookUp(cpu, fd | 0);
    return file === null ? -Errno.EBADF : change(dentryOf(file) ?? file);
  };

  define('chmod', (cpu, thread, { args, a0, a1 }) =>
    onPath(cpu, thread, At.FDCWD, args.string(cpu, thread, a0), 0, (found) => changeMode(cpu, tree, thread, found, a1)),
  );
  define('fchmod', (cpu, thread, { a0, a1 }) => onFile(cpu, thread, a0, (found) => changeMode(cpu, tree, thread, found, a1)));
  define('fchmodat', (cpu, thread, { args, a0, a1, a2 }) =>
    onPath(cpu, thread, a0, args.string(cpu, thread, a1), 0, (found) => changeMode(cpu, tree, thread, found, a2)),
  );
  define('fchmodat2', (cpu, thread, { args, a0, a1, a2, a3 }) => {
    if ((a3 & ~(At.SYMLINK_NOFOLLOW | At.EMPTY_PATH)) !== 0) return -Errno.EINVAL;
    return onPath(cpu, thread, a0, args.string(cpu, thread, a1), a3, (found) => changeMode(cpu, tree, thread, found, a2));
  });

  define('chown', (cpu, thread, { args, a0, a1, a2 }) =>
    onPath(cpu, thread, At.FDCWD, args.string(cpu, thread, a0), 0, (found) => changeOwner(cpu, tree, thread, found, a1 | 0, a2 | 0)),
  );
  define('lchown', (cpu, thread, { args, a0, a1, a2 }) =>
    onPath(cpu, thread, At.FDCWD, args.string(cpu, thread, a0), At.SYMLINK_NOFOLLOW, (found) =>
      changeOwner(cpu, tree, thread, found, a1 | 0, a2 | 0),
    ),
  );
  define('fchown', (cpu, thread, { a0, a1, a2 }) =>
    onFile(cpu, thread, a0, (found) => changeOwner(cpu, tree, thread, found, a1 | 0, a2 | 0)),
  );
  define('fchownat', (cpu, thread, { args, a0, a1, a2, a3, a4 }) => {
    if ((a4 & ~(At.SYMLINK_NOFOLLOW | At.EMPTY_PATH)) !== 0) return -Errno.EINVAL;
    return onPath(cpu, thread, a0, args.string(cpu, thread, a1), a4, (found) => changeOwner(cpu, tree, thread, found, a2 | 0, a3 | 0));
  });

  define('utimensat', (cpu, thread, { args, a0, a1, a2, a3 }) => {
    const times = loadTimes(cpu, thread, a2, 'nanoseconds');
    if (typeof times === 'number') return times;
    if (times !== null && times[0] === 'keep' && times[1] === 'keep') return 0;
    // Without a path the descriptor itself is meant (futimens).
    if (a1 === 0 && a0 !== At.FDCWD && isNullPath(args.string(cpu, thread, a1))) {
      if ((a3 | 0) !== 0) return -Errno.EINVAL;
      return onFile(cpu, thread, a0, (found) => changeTimes(cpu, tree, thread, found, times));
    }
    if ((a3 & ~(At.SYMLINK_NOFOLLOW | At.EMPTY_PATH)) !== 0) return -Errno.EINVAL;
    return onPath(cpu, thread, a0, args.string(cpu, thread, a1), a3, (found) => changeTimes(cpu, tree, thread, found, times));
  });
  define('utimes', (cpu, thread, { args, a0, a1 }) => {
    const times = loadTimes(cpu, thread, a1, 'microseconds');
    if (typeof times === 'number') return times;
    return onPath(cpu, thread, At.FDCWD, args.string(cpu, thread, a0), 0, (found) => changeTimes(cpu, tree, thread, found, times));
  });
  define('futimesat', (cpu, thread, { args, a0, a1, a2 }) => {
    const times = loadTimes(cpu, thread, a2, 'microseconds');
    if (typeof times === 'number') return times;
    if (a1 === 0 && (a0 | 0) !== At.FDCWD) return onFile(cpu, thread, a0, (found) => changeTimes(cpu, tree, thread, found, times));
    return onPath(cpu, thread, a0, args.string(cpu, thread, a1), 0, (found) => changeTimes(cpu, tree, thread, found, times));
  });
  define('utime', (cpu, thread, { args, a0, a1 }) => {
    const times = loadTimes(cpu, thread, a1, 'seconds');
    if (typeof times === 'number') return times;
    return onPath(cpu, thread, At.FDCWD, args.string(cpu, thread, a0), 0, (found) => changeTimes(cpu, tree, thread, found, times));
  });
}

/** A program of the host has no null pointer to a string, and says it with an empty one; machine code's address 0 cannot be read. */
function isNullPath(path: string | number): boolean {
  return path === '' || path === -Errno.EFAULT;
}

/** What has the attributes. */
function inodeOf(tree: FileTree, found: Dentry | File): Attributed {
  return found instanceof Dentry ? found.inode : namelessInode(tree, found);
}

/** What stands for something of the kernel has attributes that cannot be changed (Linux: `anon_inode_setattr`, and pidfds before it). */
function isFixed(tree: FileTree, found: Dentry | File): number {
  if (found instanceof Dentry || !found.isAnonymous) return 0;
  if (tree.kernel.later.anonymousInodesAreFixed) return -Errno.EOPNOTSUPP;
  return (found.mode & FileMode.TYPE) === 0 ? 0 : -Errno.EPERM;
}

/** chmod(2). */
function changeMode(cpu: Cpu, tree: FileTree, thread: Thread, found: Dentry | File, mode: number): number {
  const inode = inodeOf(tree, found);
  const { credentials } = thread.process;
  const fixed = isFixed(tree, found);
  if (fixed < 0) return fixed;
  if (inode.type === FileMode.SYMLINK) return -Errno.EOPNOTSUPP;
  if (!owns(credentials, inode)) return -Errno.EPERM;
  let bits = mode & FileMode.PERMISSIONS;
  if (!keepsGroupBit(credentials, inode.gid)) bits &= ~FileMode.SETGID;
  inode.mode = inode.type | bits;
  changed(cpu, tree, found);
  return 0;
}

/** chown(2). Whoever owns it afterwards, the program no longer runs with the rights of the old owner. */
function changeOwner(cpu: Cpu, tree: FileTree, thread: Thread, found: Dentry | File, uid: number, gid: number): number {
  const inode = inodeOf(tree, found);
  const { credentials } = thread.process;
  const fixed = isFixed(tree, found);
  if (fixed < 0) return fixed;
  const own = credentials.fsuid === inode.uid;
  const mayGive = isCapable(credentials, FileCapability.CHOWN);
  if (uid !== KEEP && !mayGive && !(own && uid === inode.uid)) return -Errno.EPERM;
  if (gid !== KEEP && !mayGive && !(own && (inGroup(credentials, gid) || gid === inode.gid))) return -Errno.EPERM;
  const lost = inode.type === FileMode.DIRECTORY ? 0 : inode.mode & (FileMode.SETUID | privilegedBits(inode, credentials));
  if (lost !== 0 && !owns(credentials, inode)) return -Errno.EPERM;
  inode.mode &= ~lost;
  if (uid !== KEEP) inode.uid = uid >>> 0;
  if (gid !== KEEP) inode.gid = gid >>> 0;
  changed(cpu, tree, found);
  return 0;
}

type NewTime = Timestamp | 'now' | 'keep';

/** The answer of loadTimes to times that no clock shows: reported only once the file has been found. */
const NO_TIME: NewTime = { seconds: 0, nanoseconds: -1 };

/** A pair of times for access and change, in one of three layouts; null: both now. */
function loadTimes(
  cpu: Cpu,
  thread: Thread,
  address: number,
  unit: 'seconds' | 'microseconds' | 'nanoseconds',
): readonly [NewTime, NewTime] | null | number {
  if (address === 0) return null;
  const bytes = unit === 'seconds' ? 16 : 32;
  if (buffer.load(cpu, thread, address, bytes) < 0) return -Errno.EFAULT;
  const at = (offset: number): NewTime | null => {
    const seconds = buffer.i64(offset);
    if (unit === 'seconds') return { seconds, nanoseconds: 0 };
    const rest = buffer.i64(offset + 8);
    if (unit === 'microseconds') return rest < 0 || rest >= 1e6 ? null : { seconds, nanoseconds: rest * 1000 };
    if (rest === UTIME_NOW) return 'now';
    if (rest === UTIME_OMIT) return 'keep';
    return rest < 0 || rest >= 1e9 ? NO_TIME : { seconds, nanoseconds: rest };
  };
  const accessed = at(0);
  const modified = at(unit === 'seconds' ? 8 : 16);
  if (accessed === null || modified === null) return -Errno.EINVAL;
  return accessed === 'now' && modified === 'now' ? null : [accessed, modified];
}

/** utimensat(2). Anyone who may write may set the time to now; an owner may set any time. */
function changeTimes(cpu: Cpu, tree: FileTree, thread: Thread, found: Dentry | File, times: readonly [NewTime, NewTime] | null): number {
  const inode = inodeOf(tree, found);
  const { credentials } = thread.process;
  if (times?.includes(NO_TIME) === true) return -Errno.EINVAL;
  if (!owns(credentials, inode)) {
    if (times !== null) return -Errno.EPERM;
    const refused = permission(inode, AccessMode.WRITE, credentials);
    if (refused < 0) return refused;
  }
  const fixed = isFixed(tree, found);
  if (fixed < 0) return fixed;
  const now = tree.clock.now(cpu);
  const [accessed, modified] = times ?? (['now', 'now'] as const);
  if (accessed !== 'keep') inode.accessed = accessed === 'now' ? now : accessed;
  if (modified !== 'keep') inode.modified = modified === 'now' ? now : modified;
  cpu.charge(TmpfsStep.changeInode);
  inode.changed = now;
  const mask = accessed === 'keep' ? Inotify.MODIFY : modified === 'keep' ? Inotify.ACCESS : Inotify.ATTRIB;
  if (found instanceof Dentry) tree.event(cpu, found, mask);
  return 0;
}

function changed(cpu: Cpu, tree: FileTree, found: Dentry | File): void {
  cpu.charge(TmpfsStep.changeInode);
  inodeOf(tree, found).changed = tree.clock.now(cpu);
  if (found instanceof Dentry) tree.event(cpu, found, Inotify.ATTRIB);
}

const STATFS_BYTES = 120;
/** `f_type` of what has no name. */
const ANON_MAGIC = 0x0904_1934;

function putStatfs(cpu: Cpu, thread: Thread, tree: FileTree, address: number, inode: Inode | null): number {
  const { memory } = tree.kernel;
  const isTmpfs = inode?.fs.type === 'tmpfs';
  // As mounted by default: half of the memory.
  const blocks = isTmpfs ? Math.floor(memory.totalFrames / 2) : 0;
  const free = isTmpfs ? Math.max(0, Math.min(blocks, memory.totalFrames - memory.frames.inUse)) : 0;
  buffer
    .clear(STATFS_BYTES)
    .set64(0, inode?.fs.magic ?? ANON_MAGIC)
    .set64(8, 4096)
    .set64(16, blocks)
    .set64(24, free)
    .set64(32, free);
  buffer.set64(40, isTmpfs ? blocks : 0).set64(48, isTmpfs ? blocks - inode.fs.inodes : 0);
  buffer.set64(64, 255).set64(72, 4096).set64(80, ST_VALID);
  return buffer.store(cpu, thread, address, STATFS_BYTES) < 0 ? -Errno.EFAULT : 0;
}

/** The flags of a mount are told (ST_VALID), and it has `relatime`. */
const ST_VALID = 0x20 | 0x1000;

/** fcntl(2): F_SETFL sets O_NOATIME for who owns the file, and no others. */
export const ownersOmitTimes: (tree: FileTree) => SyscallExtension = (tree) => (inner) => (cpu, thread, registers) => {
  const { a0, a1, a2 } = registers;
  const file = a1 >>> 0 === Fcntl.SETFL && (a2 & OpenFlag.NOATIME) !== 0 ? thread.process.files.peek(a0) : null;
  if (file !== null && (file.flags & OpenFlag.NOATIME) === 0) {
    if (!owns(thread.process.credentials, inodeOf(tree, dentryOf(file) ?? file))) return -Errno.EPERM;
  }
  return inner(cpu, thread, registers);
};
