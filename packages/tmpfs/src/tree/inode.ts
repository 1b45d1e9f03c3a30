import type { Cpu } from '@rpal/hw-x86';
import type { Pipe } from '@rpal/ipc';
import type { Image } from '@rpal/kernel';
import type { MemoryFile } from '@rpal/mm';
import { FileMode } from '@rpal/uapi';
import { FileLocks } from '../locks/file-locks.js';
import type { Dentry } from './dentry.js';
import type { SuperBlock } from './super-block.js';
import type { Timestamp } from './timestamp.js';
import type { SpecialOpener } from './tree-file.js';

/** A watcher of an inode (inotify). */
export interface InodeWatcher {
  /**
   * @param mask one of `Inotify`'s events, with `ISDIR` if it is about a directory
   * @param name in the watched directory; empty: the watched inode itself
   * @param removed the name has been taken away before
   */
  event(cpu: Cpu, mask: number, cookie: number, name: string, removed: boolean): void;
  /** The inode is gone. */
  inodeGone(cpu: Cpu): void;
}

/** Bytes that a name in a directory counts for in `st_size` (Linux: BOGO_DIRENT_SIZE). */
const NAME_BYTES = 20;
const PAGE_SIZE = 4096;
/** Of `st_blocks`. */
const BLOCK = 512;

/** What every inode is made with. */
export interface InodeFields {
  readonly fs: SuperBlock;
  /** Type and permissions. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly time: Timestamp;
}

/** Whose a file is, who may do what with it, and when that was changed. */
export interface Attributed {
  /** FileMode.REGULAR, DIRECTORY, ... */
  readonly type: number;
  /** Type and permissions. */
  mode: number;
  uid: number;
  gid: number;
  accessed: Timestamp;
  modified: Timestamp;
  changed: Timestamp;
}

/** A file, whatever its names (Linux: `struct inode`). */
export abstract class Inode implements Attributed {
  readonly fs: SuperBlock;
  /** `st_ino`. */
  readonly number: number;
  mode: number;
  uid: number;
  gid: number;
  /** Names that lead to it. */
  links = 1;
  accessed: Timestamp;
  modified: Timestamp;
  changed: Timestamp;
  readonly born: Timestamp;
  /** Open files of it. */
  opened = 0;
  /** Its watches; null while it has had none. */
  watchers: InodeWatcher[] | null = null;
  #locks: FileLocks | null = null;

  constructor({ fs, mode, uid, gid, time }: InodeFields) {
    this.fs = fs;
    this.number = fs.nextInode();
    this.mode = mode;
    this.uid = uid;
    this.gid = gid;
    this.accessed = time;
    this.modified = time;
    this.changed = time;
    this.born = time;
  }

  /** FileMode.REGULAR, DIRECTORY, ... */
  get type(): number {
    return this.mode & FileMode.TYPE;
  }

  /** `st_size`. */
  abstract get size(): number;

  /** `st_blocks`, of 512 bytes. */
  get blocks(): number {
    return 0;
  }

  /** `st_rdev`. */
  get specialDevice(): number {
    return 0;
  }

  /** Locks of fcntl and flock. */
  get locks(): FileLocks {
    this.#locks ??= new FileLocks();
    return this.#locks;
  }

  get hasLocks(): boolean {
    return this.#locks !== null;
  }

  setTimes(time: Timestamp): void {
    this.modified = time;
    this.changed = time;
  }
}

/** A regular file. Its bytes are pages of memory that processes may map. */
export class RegularInode extends Inode {
  readonly content: MemoryFile;
  /** The program that it is to exec, if it is one. */
  image: Image | null = null;
  /** O_TMPFILE: it may be given a name later. */
  linkable = false;

  constructor(fields: InodeFields, content: MemoryFile) {
    super(fields);
    this.content = content;
    // For its names, as long as it has any.
    content.get();
  }

  override get size(): number {
    return this.content.size;
  }

  override get blocks(): number {
    return this.content.allocatedPages * (PAGE_SIZE / BLOCK);
  }
}

/** mkdir and rmdir in the directories of a file system that has its own (Linux: `i_op->mkdir`, `i_op->rmdir`). */
export interface DirectoryOperations {
  /** @returns the new directory, or a negative errno */
  makeDirectory(cpu: Cpu, name: string, fields: Omit<InodeFields, 'fs'>): DirectoryInode | number;
  /** One of those that it has made is to go. @returns 0 or a negative errno */
  removeDirectory(cpu: Cpu, victim: DirectoryInode): number;
}

/** A directory: names and what they lead to, oldest first. */
export class DirectoryInode extends Inode {
  readonly entries: Map<string, Dentry> = new Map();
  #nextOffset = FIRST_OFFSET;
  /** What it holds is not for programs to change, but for what `directories` says. */
  fixed = false;
  /** It was taken away: nothing can be put into it any more. */
  dead = false;

  /** null: any directory can be made in it, and empty ones removed, unless its names are fixed. */
  get directories(): DirectoryOperations | null {
    return null;
  }

  override get size(): number {
    // Its own two count, too.
    return NAME_BYTES * (this.entries.size + 2);
  }

  get empty(): boolean {
    return this.entries.size === 0;
  }

  /** @param _cpu who asks @param _self the directory's own name */
  find(name: string, _self: Dentry): Dentry | null {
    return this.entries.get(name) ?? null;
  }

  /** What readdir shows, in its order: the youngest first. */
  list(_self: Dentry): readonly Dentry[] {
    return [...this.entries.values()].reverse();
  }

  add(dentry: Dentry): void {
    dentry.offset = this.#nextOffset++;
    this.entries.delete(dentry.name);
    this.entries.set(dentry.name, dentry);
  }

  remove(dentry: Dentry): void {
    this.entries.delete(dentry.name);
  }
}

/** Offsets in directories: 0 is ".", 1 is "..", 2 the first of the names, whichever it is. */
export const FIRST_OFFSET = 3;

/** A symbolic link. */
export class SymlinkInode extends Inode {
  readonly target: string;

  constructor(fields: InodeFields, target: string) {
    super(fields);
    this.target = target;
  }

  override get size(): number {
    return this.target.length;
  }

  /** It leads to a place itself, not to what its text says: links of /proc to what processes have open. */
  get magic(): boolean {
    return false;
  }

  /** Where it leads to at once, if it is more than a text: links of /proc. */
  jump(): Dentry | null {
    return null;
  }

  /** What readlink says. */
  text(): string | number {
    return this.target;
  }
}

/** A device, FIFO or socket. */
export class SpecialInode extends Inode {
  readonly #device: number;
  /** Of a FIFO: its pipe, while somebody has it open. */
  pipe: Pipe | null = null;

  constructor(fields: InodeFields, device = 0) {
    super(fields);
    this.#device = device;
  }

  override get size(): number {
    return 0;
  }

  override get specialDevice(): number {
    return this.#device;
  }
}

/** A file whose bytes are made when it is opened: those of /proc. */
export class MadeInode extends Inode {
  readonly opener: SpecialOpener;

  constructor(fields: InodeFields, opener: SpecialOpener) {
    super(fields);
    this.opener = opener;
  }

  override get size(): number {
    return 0;
  }
}

export function isDirectory(inode: Inode): inode is DirectoryInode {
  return inode instanceof DirectoryInode;
}

/** What the names of Unix sockets know the socket of an inode by. */
export function socketKeyOf({ fs, number }: Inode): string {
  return `${fs.device}:${number}`;
}
