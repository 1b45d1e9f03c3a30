import type { Cpu } from '@rpal/hw-x86';
import { type Thread, UserBuffer } from '@rpal/kernel';
import { Errno, FileMode, Inotify, Seek } from '@rpal/uapi';
import { type Caller, File } from '@rpal/vfs';
import { lockCommand } from '../locks/lock-call.js';
import { TmpfsStep } from '../steps.js';
import { above, type Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import { type DirectoryInode, FIRST_OFFSET, type Inode } from '../tree/inode.js';
import type { TreeFile } from '../tree/tree-file.js';
import { closed, flushed, rememberedFlags } from './open-inode.js';

/** Positions in a directory: behind ".." the first of the names, and the end. */
const FIRST = FIRST_OFFSET - 1;
const END = 0x7fff_ffff;

/** `struct linux_dirent64`, up to the name; and the older `struct linux_dirent`, which has the type behind the name. */
const HEADER_64 = 19;
const HEADER = 18;
const NAME_MAX = 255;

/** An open directory. */
export class DirectoryFile extends File implements TreeFile {
  readonly tree: FileTree;
  readonly dentry: Dentry;
  #position = 0;
  readonly #record = new UserBuffer(Math.ceil((HEADER_64 + NAME_MAX + 2) / 8) * 8);

  constructor(tree: FileTree, dentry: Dentry, flags: number) {
    super(rememberedFlags(flags));
    this.tree = tree;
    this.dentry = dentry;
  }

  get inode(): DirectoryInode {
    return this.dentry.inode as DirectoryInode;
  }

  override get mode(): number {
    return this.inode.mode;
  }

  override get pollable(): boolean {
    return false;
  }

  override get positioned(): boolean {
    return true;
  }

  override get canWrite(): boolean {
    return false;
  }

  override read(): number {
    return -Errno.EISDIR;
  }

  override write(): number {
    return -Errno.EBADF;
  }

  override readAt(): number {
    return -Errno.EISDIR;
  }

  override writeAt(): number {
    return -Errno.EBADF;
  }

  override seek(offset: number, whence: number): number {
    const at = whence === Seek.SET ? offset : whence === Seek.CUR ? this.#position + offset : Number.NaN;
    if (!(at >= 0)) return -Errno.EINVAL;
    this.#position = at;
    return at;
  }

  /**
   * getdents(2) and getdents64(2).
   * @param wide records have the type of the file before its name
   * @returns bytes; 0 at the end
   */
  list(cpu: Cpu, caller: Caller, address: number, bytes: number, wide: boolean): number {
    const { inode } = this;
    if (inode.dead) return -Errno.ENOENT;
    let done = 0;
    let failed = 0;
    const emit = (name: string, of: Inode): boolean => {
      cpu.charge(TmpfsStep.listEntry);
      const length = Math.ceil(((wide ? HEADER_64 : HEADER) + name.length + (wide ? 1 : 2)) / 8) * 8;
      if (done + length > bytes) {
        failed = -Errno.EINVAL;
        return false;
      }
      failed = this.#put(cpu, caller as Thread, address + done, length, name, of, wide);
      if (failed < 0) return false;
      done += length;
      return true;
    };
    const end = this.#walk(emit);
    if (done > 0) {
      // The last record says where to go on.
      const last = this.#lastAt;
      this.#record.set64(0, end);
      if (this.#storeOffset(cpu, caller as Thread, last) < 0) return -Errno.EFAULT;
    }
    this.#position = end;
    this.tree.accessed(cpu, inode);
    this.tree.event(cpu, this.dentry, Inotify.ACCESS);
    return done > 0 ? done : failed;
  }

  /** Where the last record begins, and the one before it. */
  #lastAt = 0;

  /** Names one by one, from the position on. @returns the position behind the last that was taken */
  #walk(emit: (name: string, inode: Inode) => boolean): number {
    let at = this.#position;
    this.#lastAt = -1;
    const take = (name: string, inode: Inode): boolean => {
      this.#here = at;
      return emit(name, inode);
    };
    if (at === 0) {
      if (!take('.', this.inode)) return 0;
      at = 1;
    }
    if (at === 1) {
      if (!take('..', (above(this.dentry) ?? this.dentry).inode)) return 1;
      at = FIRST;
    }
    if (at >= END) return at;
    const names = this.inode.list(this.dentry);
    let i = at === FIRST ? 0 : indexOfOffset(names, at);
    for (; i < names.length; i++) {
      const dentry = names[i] as Dentry;
      at = dentry.offset;
      if (!take(dentry.name, (dentry.mounted ?? dentry).inode)) return at;
    }
    return END;
  }

  /** Position of the record that is being made. */
  #here = 0;

  /** One record. The one before it learns where this one lies. */
  #put(cpu: Cpu, thread: Thread, at: number, length: number, name: string, { number, mode }: Inode, wide: boolean): number {
    const record = this.#record;
    if (this.#lastAt >= 0) {
      record.set64(0, this.#here);
      if (this.#storeOffset(cpu, thread, this.#lastAt) < 0) return -Errno.EFAULT;
    }
    record.clear(length).set64(0, number).set16(16, length);
    const type = (mode & FileMode.TYPE) >> 12;
    const start = wide ? HEADER_64 : HEADER;
    record.view.setUint8(wide ? HEADER : length - 1, type);
    for (let i = 0; i < name.length; i++) record.view.setUint8(start + i, name.charCodeAt(i));
    if (record.store(cpu, thread, at, length) < 0) return -Errno.EFAULT;
    this.#lastAt = at;
    return 0;
  }

  /** `d_off` of the record at `at`: the first eight bytes of the buffer. */
  #storeOffset(cpu: Cpu, thread: Thread, at: number): number {
    return this.#record.store(cpu, thread, at + 8, 8);
  }

  override fcntl(cpu: Cpu, caller: Caller, command: number, argument: number): number {
    const from = { position: this.#position, size: this.inode.size };
    return lockCommand(cpu, caller, this, from, command, argument) ?? super.fcntl(cpu, caller, command, argument);
  }

  override flush(owner: object | null): void {
    flushed(this, owner);
  }

  override release(cpu: Cpu): void {
    closed(cpu, this);
  }
}

/** Where the name with an offset is, or the one with the next lower (Linux: `mas_find_rev`). */
function indexOfOffset(names: readonly Dentry[], offset: number): number {
  let found = names.length;
  let most = 0;
  names.forEach((dentry, i) => {
    if (dentry.offset > offset || dentry.offset <= most) return;
    most = dentry.offset;
    found = i;
  });
  return found;
}
