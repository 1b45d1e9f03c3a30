import type { Cpu } from '@rpal/hw-x86';
import type { ProcessCredentials, Thread } from '@rpal/kernel';
import { AccessMode, At, Errno, Resolve } from '@rpal/uapi';
import { TmpfsStep } from '../steps.js';
import { above, Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import type { FsContext } from '../tree/fs-context.js';
import { isDirectory, SymlinkInode } from '../tree/inode.js';
import { permission } from './permission.js';

/** Symbolic links that one look-up follows (MAXSYMLINKS), bytes of a name (NAME_MAX). */
const MAX_LINKS = 40;
const NAME_MAX = 255;
/** With these a way does not leave the directory that it begins in (LOOKUP_IS_SCOPED). */
const SCOPED = Resolve.BENEATH | Resolve.IN_ROOT;

/** What the last component of a path is: a name, ".", "..", or nothing behind the root. */
export type LastKind = 'name' | 'dot' | 'dotdot' | 'root';

/** A path up to its last component. */
export interface Last {
  readonly directory: Dentry;
  readonly name: string;
  readonly kind: LastKind;
  /** Slashes follow the name: it has to be a directory. */
  readonly slashes: boolean;
}

/** The way along one path (Linux: fs/namei.c), with the rights of a thread. Everything returns a negative errno if it fails. */
export class PathWalk {
  readonly tree: FileTree;
  readonly context: FsContext;
  readonly #cpu: Cpu;
  readonly #thread: Thread;
  #links = 0;
  readonly #resolve: number;
  /** Where absolute paths begin, and ".." leads no further. */
  #root: Dentry;

  readonly #credentials: ProcessCredentials;

  /** @param credentials whose rights count, if not the thread's @param resolve where the way may lead: `Resolve` bits */
  constructor(tree: FileTree, cpu: Cpu, thread: Thread, credentials: ProcessCredentials = thread.process.credentials, resolve = 0) {
    this.#resolve = resolve;
    this.#credentials = credentials;
    this.tree = tree;
    this.#cpu = cpu;
    this.#thread = thread;
    this.context = tree.contexts.of(thread.process);
    this.#root = this.context.root;
    cpu.charge(TmpfsStep.pathWalk);
  }

  /** A look-up that only goes by what is in memory says no more than that it cannot (Linux: `try_to_unlazy` with LOOKUP_CACHED). */
  #refused(error: number): number {
    return this.#asks(Resolve.CACHED) ? -Errno.EAGAIN : error;
  }

  #asks(resolve: number): boolean {
    return (this.#resolve & resolve) !== 0;
  }

  /** Where a path begins (Linux: `path_init`). @param fd a directory, or `At.FDCWD` */
  start(fd: number, path: string): Dentry | number {
    if (path.startsWith('/') && !this.#asks(Resolve.IN_ROOT)) return this.#asks(Resolve.BENEATH) ? -Errno.EXDEV : this.#root;
    const start = this.#relativeStart(fd);
    if (typeof start !== 'number' && this.#asks(SCOPED)) this.#root = start;
    return start;
  }

  #relativeStart(fd: number): Dentry | number {
    if ((fd | 0) === At.FDCWD) return this.context.directory;
    const file = this.#thread.process.files.lookUpRaw(this.#cpu, fd | 0);
    if (file === null) return -Errno.EBADF;
    return dentryOf(file) ?? -Errno.ENOTDIR;
  }

  /** Up to the last component (Linux: `filename_parentat`). @param path a negative errno if it could not be read */
  parent(fd: number, path: string | number): Last | number {
    if (typeof path === 'number') return path;
    if (path === '') return -Errno.ENOENT;
    const start = this.start(fd, path);
    return typeof start === 'number' ? start : this.parentFrom(start, path);
  }

  /**
   * All the way (Linux: `filename_lookup`). @param path a negative errno if it could not be read @param follow a symbolic link at the end,
   * too
   */
  lookUp(fd: number, path: string | number, follow: boolean): Dentry | number {
    if (typeof path === 'number') return path;
    if (path === '') return -Errno.ENOENT;
    const start = this.start(fd, path);
    return typeof start === 'number' ? start : this.#lookUpFrom(start, path, follow);
  }

  parentFrom(start: Dentry, path: string): Last | number {
    const from = path.startsWith('/') ? this.#jumpToRoot(start) : start;
    if (typeof from === 'number') return from;
    let directory = from;
    if (!isDirectory(directory.inode)) return -Errno.ENOTDIR;
    const components = path.split('/').filter((name) => name !== '');
    if (components.length === 0) return { directory, name: '', kind: 'root', slashes: false };
    const last = components.length - 1;
    for (let i = 0; i < last; i++) {
      const next = this.#step(directory, components[i] as string);
      if (typeof next === 'number') return next;
      if (!isDirectory(next.inode)) return this.#refused(-Errno.ENOTDIR);
      directory = next;
    }
    const refused = this.#maySearch(directory);
    if (refused < 0) return refused;
    const name = components[last] as string;
    const kind = name === '.' ? 'dot' : name === '..' ? 'dotdot' : 'name';
    return { directory, name, kind, slashes: path.endsWith('/') };
  }

  #lookUpFrom(start: Dentry, path: string, follow: boolean): Dentry | number {
    const last = this.parentFrom(start, path);
    return typeof last === 'number' ? last : this.end(last, follow);
  }

  /** The last component, which has to be there. */
  end(last: Last, follow: boolean): Dentry | number {
    const { directory, kind, slashes } = last;
    if (kind !== 'name') return this.special(last);
    const found = this.child(directory, last.name);
    if (typeof found === 'number') return found;
    const reached = found.inode instanceof SymlinkInode && (follow || slashes) ? this.follow(directory, found) : found;
    return typeof reached !== 'number' && slashes && !isDirectory(reached.inode) ? -Errno.ENOTDIR : reached;
  }

  /** What a last component that is no name leads to. */
  special({ directory, kind }: Last): Dentry | number {
    return kind === 'dotdot' ? this.#up(directory) : directory;
  }

  /** What a name in a directory leads to, links not followed. */
  child(directory: Dentry, name: string): Dentry | number {
    this.#cpu.charge(TmpfsStep.pathComponent);
    if (name.length > NAME_MAX) return this.#refused(-Errno.ENAMETOOLONG);
    const { inode } = directory;
    let found = isDirectory(inode) ? inode.find(name, directory) : null;
    if (found !== null && found.mounted !== null && this.#asks(Resolve.NO_XDEV)) return this.#refused(-Errno.EXDEV);
    while (found !== null && found.mounted !== null) found = found.mounted;
    return found ?? this.#refused(-Errno.ENOENT);
  }

  #step(directory: Dentry, name: string): Dentry | number {
    const refused = this.#maySearch(directory);
    if (refused < 0) return refused;
    if (name === '.') return directory;
    if (name === '..') return this.#up(directory);
    const found = this.child(directory, name);
    if (typeof found === 'number') return found;
    return found.inode instanceof SymlinkInode ? this.follow(directory, found) : found;
  }

  /** Where a symbolic link leads, with others on the way followed, too. */
  follow(directory: Dentry, link: Dentry): Dentry | number {
    const target = this.target(link);
    if (typeof target === 'number' || target instanceof Dentry) return target;
    return this.#lookUpFrom(directory, target, true);
  }

  /** What a symbolic link says, once more on this way: a path, or where it leads at once. */
  target(link: Dentry): string | Dentry | number {
    const inode = link.inode as SymlinkInode;
    this.#cpu.charge(TmpfsStep.followLink);
    if (++this.#links > MAX_LINKS || this.#asks(Resolve.NO_SYMLINKS)) return -Errno.ELOOP;
    if (this.#asks(Resolve.CACHED) && this.tree.movesAccess(this.#cpu, inode)) return -Errno.EAGAIN;
    this.tree.accessed(this.#cpu, inode);
    return inode.magic ? this.#jump(inode) : inode.text();
  }

  /** A link of /proc (Linux: `nd_jump_link`). */
  #jump(link: SymlinkInode): string | Dentry | number {
    if (this.#asks(Resolve.CACHED)) return -Errno.EAGAIN;
    if (this.#asks(Resolve.NO_MAGICLINKS)) return -Errno.ELOOP;
    const place = link.jump();
    const leaves = this.#asks(Resolve.NO_XDEV) && place?.inode.fs !== link.fs;
    return leaves || this.#asks(SCOPED) ? -Errno.EXDEV : (place ?? link.text());
  }

  /** An absolute path, of a symbolic link too (Linux: `nd_jump_root`). @param from where it is met */
  #jumpToRoot(from: Dentry): Dentry | number {
    const leaves = this.#asks(Resolve.NO_XDEV) && from.inode.fs !== this.#root.inode.fs;
    return leaves || this.#asks(Resolve.BENEATH) ? -Errno.EXDEV : this.#root;
  }

  #maySearch({ inode }: Dentry): number {
    const refused = permission(inode, AccessMode.EXECUTE, this.#credentials);
    return refused < 0 ? this.#refused(refused) : 0;
  }

  #up(directory: Dentry): Dentry | number {
    const parent = directory === this.#root ? null : above(directory);
    if (parent === null) return this.#asks(Resolve.BENEATH) ? this.#refused(-Errno.EXDEV) : directory;
    let seen = parent;
    while (seen.mounted !== null) seen = seen.mounted;
    return this.#asks(Resolve.NO_XDEV) && seen.inode.fs !== directory.inode.fs ? this.#refused(-Errno.EXDEV) : seen;
  }
}

/** The name that an open file was opened by; null for files that have none, such as pipes. */
export function dentryOf(file: object): Dentry | null {
  const { dentry } = file as { readonly dentry?: unknown };
  return dentry instanceof Dentry ? dentry : null;
}
