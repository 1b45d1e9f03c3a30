import type { Cpu } from '@rpal/hw-x86';
import type { Kernel, Process } from '@rpal/kernel';
import { MemoryFile } from '@rpal/mm';
import { FileMode, Inotify } from '@rpal/uapi';
import { LockWaits } from '../locks/file-locks.js';
import { TmpfsStep } from '../steps.js';
import { Dentry, pathBelow } from './dentry.js';
import { FsContexts } from './fs-context.js';
import { DirectoryInode, type Inode, isDirectory, RegularInode, SpecialInode, SymlinkInode } from './inode.js';
import { FsMagic, SuperBlock } from './super-block.js';
import { type FileClock, notAfter, type Timestamp } from './timestamp.js';
import type { SpecialOpener } from './tree-file.js';

/** After a day a file is marked as read again, even if it has not changed (mount option `relatime`). */
const DAY = 86_400;
/** Device number of the first file system. */
const FIRST_DEVICE = 21;

/** What a new inode gets from who makes it. */
export interface NewInode {
  /** Type and permissions. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly time: Timestamp;
}

/** A file system below the root: where it is seen, its type, and `st_dev` of its files. */
export interface Mount {
  readonly path: string;
  readonly type: string;
  readonly device: number;
}

/** What a tree needs from its machine. */
export type TreeHost = Pick<Kernel, 'platform' | 'memory' | 'scheduler' | 'sockets' | 'processes' | 'later'>;

/** The tree of files of one machine, over all its mounted file systems. */
export class FileTree {
  readonly kernel: TreeHost;
  readonly clock: FileClock;
  readonly fs: SuperBlock;
  readonly root: Dentry;
  readonly contexts: FsContexts;
  readonly lockWaits: LockWaits = new LockWaits();
  /** Files of the tree that processes execute. */
  readonly executables: WeakMap<Process, Dentry> = new WeakMap();
  readonly #mounts: Mount[] = [];
  /** Character devices by number. */
  readonly devices: Map<number, SpecialOpener> = new Map();
  #devices = FIRST_DEVICE;
  #cookie = 0;

  constructor(kernel: TreeHost, clock: FileClock) {
    this.kernel = kernel;
    this.clock = clock;
    this.fs = this.superBlock('tmpfs', FsMagic.tmpfs);
    const time = { seconds: clock.boot, nanoseconds: 0 };
    const inode = new DirectoryInode({ fs: this.fs, mode: FileMode.DIRECTORY | 0o755, uid: 0, gid: 0, time });
    inode.links = 2;
    this.root = new Dentry('/', null, inode);
    this.contexts = new FsContexts(this.root);
  }

  /** A file system, yet to be mounted. */
  superBlock(type: string, magic: number): SuperBlock {
    return new SuperBlock(type, magic, this.#devices++);
  }

  /** Makes `root` the directory that one sees at `at`. */
  mount(at: Dentry, root: Dentry): void {
    at.mounted = root;
    root.mountPoint = at;
    const { type, device } = root.inode.fs;
    this.#mounts.push({ path: pathBelow(at, this.root) as string, type, device });
  }

  /** What is mounted below the root. */
  get mounts(): readonly Mount[] {
    return this.#mounts;
  }

  /** The time of all that is older than the machine's first instruction. */
  get bootTime(): Timestamp {
    return { seconds: this.clock.boot, nanoseconds: 0 };
  }

  directory(fields: NewInode, fs: SuperBlock = this.fs): DirectoryInode {
    const inode = new DirectoryInode({ ...fields, fs });
    inode.links = 2;
    return inode;
  }

  regular(fields: NewInode, name: string): RegularInode {
    return new RegularInode({ ...fields, fs: this.fs }, new MemoryFile(this.kernel.memory, name));
  }

  symlink(fields: NewInode, target: string): SymlinkInode {
    return new SymlinkInode({ ...fields, fs: this.fs }, target);
  }

  special(fields: NewInode, device: number): SpecialInode {
    return new SpecialInode({ ...fields, fs: this.fs }, device);
  }

  /** What an absolute path leads to, links not followed, for tools that look inside; null: nothing. */
  lookUp(path: string): Dentry | null {
    let at: Dentry | null = this.root;
    for (const name of path.split('/')) {
      if (name === '' || name === '.') continue;
      at = at !== null && isDirectory(at.inode) ? at.inode.find(name, at) : null;
      while (at !== null && at.mounted !== null) at = at.mounted;
    }
    return at;
  }

  /** Gives an inode a name. The directory's own times are the caller's. */
  enter(parent: Dentry, name: string, inode: Inode): Dentry {
    const directory = parent.inode as DirectoryInode;
    const dentry = new Dentry(name, parent, inode);
    directory.add(dentry);
    if (isDirectory(inode)) directory.links++;
    return dentry;
  }

  /** Bytes of the machine's one generator: the same in every run with the same seed. */
  randomBytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.kernel.platform.rng.below(256));
  }

  /** A file has been read: its time of access moves if it lies before the last change, or a day back (relatime). */
  accessed(cpu: Cpu, inode: Inode): void {
    if (this.movesAccess(cpu, inode)) inode.accessed = this.clock.now(cpu);
  }

  /** Would reading it move its time of access (Linux: `atime_needs_update`)? */
  movesAccess(cpu: Cpu, { accessed, modified, changed }: Inode): boolean {
    return notAfter(accessed, modified) || notAfter(accessed, changed) || this.clock.now(cpu).seconds - accessed.seconds >= DAY;
  }

  /** Something happens to a file: who watches it is told, and who watches the directory of its name. */
  event(cpu: Cpu, dentry: Dentry, mask: number): void {
    const { inode } = dentry;
    const bits = isDirectory(inode) ? mask | Inotify.ISDIR : mask;
    if (!dentry.isRoot) this.#tell(cpu, dentry.parent.inode, bits, 0, dentry.name, dentry.removed);
    this.#tell(cpu, inode, bits, 0, '', false);
  }

  /** Something happens to an inode, whatever its names. */
  inodeEvent(cpu: Cpu, inode: Inode, mask: number): void {
    this.#tell(cpu, inode, isDirectory(inode) ? mask | Inotify.ISDIR : mask, 0, '', false);
  }

  /** Something happens to a name in a directory. @param cookie that of a move; 0 */
  nameEvent(cpu: Cpu, directory: Inode, mask: number, name: string, inode: Inode, cookie = 0): void {
    this.#tell(cpu, directory, isDirectory(inode) ? mask | Inotify.ISDIR : mask, cookie, name, false);
  }

  /** The number that shows that the two halves of a move belong together. */
  nextCookie(): number {
    return ++this.#cookie;
  }

  #tell(cpu: Cpu, inode: Inode, mask: number, cookie: number, name: string, removed: boolean): void {
    if (inode.watchers === null) return;
    for (const watcher of [...inode.watchers]) {
      cpu.charge(TmpfsStep.notifyEvent);
      watcher.event(cpu, mask, cookie, name, removed);
    }
  }

  /** An inode has lost a name or an open file: without any it is gone. */
  retire(cpu: Cpu, inode: Inode): void {
    if (inode.links > 0 || inode.opened > 0) return;
    if (inode.watchers === null) return;
    this.inodeEvent(cpu, inode, Inotify.DELETE_SELF);
    for (const watcher of [...(inode.watchers ?? [])]) watcher.inodeGone(cpu);
  }
}
