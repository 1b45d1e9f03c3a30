import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { AccessMode, Errno, FileMode, OpenFlag } from '@rpal/uapi';
import { begin } from '@rpal/vfs';
import { enter, mayCreate, ownership } from '../names/create.js';
import { TmpfsStep } from '../steps.js';
import { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import { isDirectory, MadeInode, RegularInode, SymlinkInode } from '../tree/inode.js';
import type { TreeFile } from '../tree/tree-file.js';
import { type Last, PathWalk } from '../walk/path-walk.js';
import { accessOfOpen, owns, permission } from '../walk/permission.js';
import { DirectoryFile } from './directory-file.js';
import { FifoOpen } from './fifo.js';
import { opened } from './open-inode.js';
import { PathFile } from './path-file.js';
import { dropPrivileges, RegularFile, truncated } from './regular-file.js';

const { CREAT, EXCL, TRUNC, DIRECTORY, NOFOLLOW, NOATIME, CLOEXEC, PATH, TMPFILE, LARGEFILE, ACCMODE } = OpenFlag;

/** What O_PATH leaves of other flags. */
const WITH_PATH = PATH | DIRECTORY | NOFOLLOW | CLOEXEC;
/** All flags that open knows (VALID_OPEN_FLAGS). */
const KNOWN =
  ACCMODE |
  CREAT |
  EXCL |
  OpenFlag.NOCTTY |
  TRUNC |
  OpenFlag.APPEND |
  OpenFlag.NONBLOCK |
  OpenFlag.SYNC |
  OpenFlag.ASYNC |
  OpenFlag.DIRECT |
  LARGEFILE |
  DIRECTORY |
  NOFOLLOW |
  NOATIME |
  WITH_PATH |
  TMPFILE;

/** Flags of open that contradict each other (Linux: `build_open_flags`). @returns the flags to go on with, or -EINVAL */
function checkedFlags(given: number): number {
  const flags = (given & PATH) !== 0 ? given & WITH_PATH : given & KNOWN;
  if ((flags & TMPFILE) !== 0) {
    if ((flags & DIRECTORY) === 0 || (flags & CREAT) !== 0 || (flags & ACCMODE) === OpenFlag.RDONLY) return -Errno.EINVAL;
  } else if ((flags & (CREAT | DIRECTORY)) === (CREAT | DIRECTORY)) {
    return -Errno.EINVAL;
  }
  return flags;
}

/**
 * openat(2) with flags as they are in the register.
 * @param path a negative errno if it could not be read @param resolve where the way may lead: `Resolve` bits
 * @returns a descriptor, a negative errno, or a `Pending`
 */
export function openAt(
  tree: FileTree,
  cpu: Cpu,
  thread: Thread,
  fd: number,
  path: string | number,
  given: number,
  mode: number,
  resolve = 0,
): number {
  const flags = checkedFlags(given);
  if (flags < 0) return flags;
  if (typeof path === 'number') return path;
  if (path === '') return -Errno.ENOENT;
  const { files } = thread.process;
  if (files.full) return -Errno.EMFILE;
  cpu.charge(TmpfsStep.openBody);
  return new Opening(tree, cpu, thread, flags, mode, resolve).open(fd, path);
}

/** One call of open (Linux: `path_openat`, `do_open`). */
class Opening {
  readonly #tree: FileTree;
  readonly #cpu: Cpu;
  readonly #thread: Thread;
  readonly #flags: number;
  readonly #mode: number;
  readonly #resolve: number;

  constructor(tree: FileTree, cpu: Cpu, thread: Thread, flags: number, mode: number, resolve: number) {
    this.#resolve = resolve;
    this.#tree = tree;
    this.#cpu = cpu;
    this.#thread = thread;
    this.#flags = flags;
    this.#mode = mode;
  }

  open(fd: number, path: string): number {
    const flags = this.#flags;
    const walk = new PathWalk(this.#tree, this.#cpu, this.#thread, this.#thread.process.credentials, this.#resolve);
    if ((flags & TMPFILE) !== 0) return this.#unnamed(walk, fd, path);
    if ((flags & PATH) !== 0) return this.#place(walk, fd, path);
    const start = walk.start(fd, path);
    if (typeof start === 'number') return start;
    let last = walk.parentFrom(start, path);
    for (;;) {
      if (typeof last === 'number') return last;
      const found = this.#last(walk, last);
      if (typeof found === 'number') return found;
      if (found instanceof Dentry) return this.#found(found, last.slashes);
      last = walk.parentFrom(last.directory, found.target);
    }
  }

  /** The last component: what it leads to, after it has been made if that is asked for; or the target of a link. */
  #last(walk: PathWalk, last: Last): Dentry | { readonly target: string } | number {
    const creating = (this.#flags & CREAT) !== 0;
    if (last.kind !== 'name') return walk.special(last);
    if (creating && last.slashes) return -Errno.EISDIR;
    const found = walk.child(last.directory, last.name);
    if (typeof found === 'number') return creating && found === -Errno.ENOENT ? this.#make(last) : found;
    const follows = (this.#flags & NOFOLLOW) === 0 || last.slashes;
    if (!(found.inode instanceof SymlinkInode)) return found;
    // A call that makes a file which must not exist follows no link to it.
    if ((this.#flags & (CREAT | EXCL)) === (CREAT | EXCL)) return -Errno.EEXIST;
    if (!follows) return (this.#flags & DIRECTORY) !== 0 ? -Errno.ENOTDIR : -Errno.ELOOP;
    const target = walk.target(found);
    return typeof target === 'string' ? { target: last.slashes ? `${target}/` : target } : target;
  }

  #make({ directory, name }: Last): number {
    const tree = this.#tree;
    const refused = mayCreate(directory, this.#thread);
    // open says so in another way than the calls that only make something (Linux: `lookup_open`).
    if (refused < 0) return refused === -Errno.EPERM ? -Errno.EACCES : refused;
    const fields = ownership(this.#cpu, tree, this.#thread, directory.inode, FileMode.REGULAR | (this.#mode & FileMode.PERMISSIONS));
    const dentry = enter(this.#cpu, tree, { directory, name }, tree.regular(fields, name));
    return this.#install(new RegularFile(tree, dentry, this.#flags));
  }

  /** do_open of what is there. */
  #found(dentry: Dentry, slashes: boolean): number {
    const flags = this.#flags;
    const { inode } = dentry;
    if ((flags & CREAT) !== 0) {
      if ((flags & EXCL) !== 0) return -Errno.EEXIST;
      if (isDirectory(inode)) return -Errno.EISDIR;
    }
    if (((flags & DIRECTORY) !== 0 || slashes) && !isDirectory(inode)) return -Errno.ENOTDIR;
    const refused = this.#mayOpen(dentry);
    if (refused < 0) return refused;
    const result = this.#openInode(dentry);
    if (typeof result !== 'number') {
      if (inode instanceof RegularInode && (flags & TRUNC) !== 0) this.#truncate(dentry, inode);
      return this.#install(result);
    }
    return result;
  }

  /** may_open. */
  #mayOpen({ inode }: Dentry): number {
    const { credentials } = this.#thread.process;
    let access = accessOfOpen(this.#flags & ACCMODE);
    if ((this.#flags & TRUNC) !== 0) access |= AccessMode.WRITE;
    if (isDirectory(inode) && (access & AccessMode.WRITE) !== 0) return -Errno.EISDIR;
    const refused = permission(inode, access, credentials);
    if (refused < 0) return refused;
    return (this.#flags & NOATIME) !== 0 && !owns(credentials, inode) ? -Errno.EPERM : 0;
  }

  /** The open file for an inode; a number if that is all there is to it. */
  #openInode(dentry: Dentry): TreeFile | number {
    const tree = this.#tree;
    const { inode } = dentry;
    if (!(inode instanceof RegularInode) && (this.#flags & OpenFlag.DIRECT) !== 0) return -Errno.EINVAL;
    if (isDirectory(inode)) return new DirectoryFile(tree, dentry, this.#flags);
    if (inode instanceof RegularInode) return new RegularFile(tree, dentry, this.#flags);
    if (inode.type === FileMode.FIFO) {
      const operation = new FifoOpen(this.#thread, tree, dentry, this.#flags, (cpu, file) => this.#installOn(cpu, file));
      return begin(this.#cpu, this.#thread, operation);
    }
    if (inode.type === FileMode.SOCKET) return -Errno.ENXIO;
    const opener =
      inode instanceof MadeInode ? inode.opener : inode.type === FileMode.CHARACTER ? tree.devices.get(inode.specialDevice) : undefined;
    return opener?.(tree, dentry, this.#flags) ?? -Errno.ENXIO;
  }

  #truncate(dentry: Dentry, inode: RegularInode): void {
    dropPrivileges(inode, this.#thread);
    inode.content.truncate(this.#cpu, 0);
    truncated(this.#cpu, this.#tree, dentry);
  }

  /** O_PATH. */
  #place(walk: PathWalk, fd: number, path: string): number {
    const flags = this.#flags;
    const found = walk.lookUp(fd, path, (flags & NOFOLLOW) === 0);
    if (typeof found === 'number') return found;
    if ((flags & DIRECTORY) !== 0 && !isDirectory(found.inode)) return -Errno.ENOTDIR;
    const file = new PathFile(this.#tree, found, flags & ~CLOEXEC);
    file.opener = this.#thread.process.credentials;
    return this.#thread.process.files.install(this.#cpu, file, flags & CLOEXEC);
  }

  /** O_TMPFILE: a file in a directory that has no name there. */
  #unnamed(walk: PathWalk, fd: number, path: string): number {
    const tree = this.#tree;
    const directory = walk.lookUp(fd, path, true);
    if (typeof directory === 'number') return directory;
    if (!isDirectory(directory.inode)) return -Errno.ENOTDIR;
    const refused = permission(directory.inode, AccessMode.WRITE | AccessMode.EXECUTE, this.#thread.process.credentials);
    if (refused < 0) return refused;
    const bits = FileMode.REGULAR | (this.#mode & FileMode.PERMISSIONS);
    const inode = tree.regular(ownership(this.#cpu, tree, this.#thread, directory.inode, bits), `#${tree.fs.inodes}`);
    inode.links = 0;
    inode.linkable = (this.#flags & EXCL) === 0;
    const dentry = new Dentry(`#${inode.number}`, directory, inode);
    dentry.removed = true;
    const result = this.#install(new RegularFile(tree, dentry, this.#flags));
    // No name holds its content: only open files do.
    inode.content.put();
    return result;
  }

  #install(file: TreeFile): number {
    return this.#installOn(this.#cpu, file);
  }

  #installOn(cpu: Cpu, file: TreeFile): number {
    opened(cpu, file);
    file.opener = this.#thread.process.credentials;
    return this.#thread.process.files.install(cpu, file, this.#flags & CLOEXEC);
  }
}
