import type { Cpu } from '@rpal/hw-x86';
import { Errno, OpenFlag } from '@rpal/uapi';
import type { Credentials } from '../operation/caller.js';
import { VfsStep } from '../steps.js';
import type { File } from './file.js';

/** RLIMIT_NOFILE as distributions set it. */
export const OPEN_MAX = 1024;
/** The limit cannot be higher (fs.nr_open). */
export const NR_OPEN: number = 1 << 20;

/** Whose descriptors a table has. */
export interface FileOwner {
  readonly credentials: Credentials;
}

/**
 * The descriptors of a process (Linux: `struct files_struct`). Threads share one. Only the lower 32 bits of a register that holds a
 * descriptor count.
 */
export class FdTable {
  readonly #files: (File | null)[] = [];
  readonly #closeOnExec = new Set<number>();
  #lowestFree = 0;
  /** RLIMIT_NOFILE. */
  limit: number;
  /** Tasks that use it. */
  users = 1;
  /** The process that it belongs to: files are told who closes them. */
  owner: FileOwner | null = null;

  constructor(limit: number = OPEN_MAX) {
    this.limit = limit;
  }

  /** The file behind a descriptor, or null; null also for one opened with O_PATH. Charges the look-up (Linux: `fdget`). */
  lookUp(cpu: Cpu, fd: number): File | null {
    const file = this.lookUpRaw(cpu, fd);
    return file === null || file.isPath ? null : file;
  }

  /** As `lookUp`, for calls that take what was opened with O_PATH, too (Linux: `fdget_raw`). */
  lookUpRaw(cpu: Cpu, fd: number): File | null {
    cpu.charge(VfsStep.fdLookup);
    return this.#at(fd);
  }

  /** The file behind a descriptor without cost: for observers. */
  peek(fd: number): File | null {
    return this.#at(fd);
  }

  /** Descriptors that lead to something are below this. */
  get end(): number {
    return this.#files.length;
  }

  /** No descriptor is free. */
  get full(): boolean {
    return this.lowestFree(0) < 0;
  }

  /** The lowest free descriptor that is at least `from`, or -EMFILE. */
  lowestFree(from: number): number {
    let fd = Math.max(from, this.#lowestFree);
    while (this.#files[fd] != null) fd++;
    return fd < this.limit ? fd : -Errno.EMFILE;
  }

  /** Descriptors that there is room for without another table (Linux: `max_fds`): select looks at no others. */
  get size(): number {
    const { length } = this.#files;
    return length <= 64 ? 64 : 128 * 2 ** Math.ceil(Math.log2(Math.ceil(length / 128)));
  }

  /** Gives `file` the lowest free descriptor, at least `from`. @param flags only O_CLOEXEC counts @returns it, or -EMFILE */
  install(cpu: Cpu, file: File, flags = 0, from = 0): number {
    cpu.charge(VfsStep.fdInstall);
    const fd = this.lowestFree(from);
    if (fd < 0) return fd;
    this.#place(fd, file, (flags & OpenFlag.CLOEXEC) !== 0);
    if (from <= this.#lowestFree) this.#lowestFree = fd + 1;
    return fd;
  }

  /** Gives `file` the descriptor `fd`, closing what was there. @param flags only O_CLOEXEC counts @returns it, or -EBADF */
  replace(cpu: Cpu, fd: number, file: File, flags = 0): number {
    cpu.charge(VfsStep.fdInstall);
    if (fd < 0 || fd >= this.limit) return -Errno.EBADF;
    const old = this.#files[fd] ?? null;
    this.#place(fd, file, (flags & OpenFlag.CLOEXEC) !== 0);
    old?.flush(this.owner);
    old?.put(cpu);
    return fd;
  }

  /** close(2). */
  close(cpu: Cpu, register: number): number {
    const fd = register >>> 0;
    const file = this.#at(fd);
    if (file === null) return -Errno.EBADF;
    cpu.charge(VfsStep.fdClose);
    this.#files[fd] = null;
    this.#closeOnExec.delete(fd);
    this.#lowestFree = Math.min(this.#lowestFree, fd);
    file.flush(this.owner);
    file.put(cpu);
    return 0;
  }

  closesOnExec(fd: number): boolean {
    return this.#closeOnExec.has(fd >>> 0);
  }

  setCloseOnExec(fd: number): void {
    this.#closeOnExec.add(fd >>> 0);
  }

  clearCloseOnExec(fd: number): void {
    this.#closeOnExec.delete(fd >>> 0);
  }

  /** A copy for a forked process: the same files, one more reference each. */
  fork(): FdTable {
    const copy = new FdTable(this.limit);
    this.#files.forEach((file, fd) => {
      if (file !== null && file !== undefined) copy.#place(fd, file, this.#closeOnExec.has(fd));
    });
    copy.#lowestFree = this.#lowestFree;
    return copy;
  }

  /** exec closes the descriptors that are marked for it. */
  exec(cpu: Cpu): void {
    for (const fd of [...this.#closeOnExec]) this.close(cpu, fd);
  }

  /**
   * Closes everything: the last user is gone. Files that nobody else has open are released afterwards, later ones first
   * (Linux: `exit_files`, whose last references are dropped in task work).
   */
  closeAll(cpu: Cpu): void {
    const last: File[] = [];
    for (let fd = 0; fd < this.#files.length; fd++) {
      const file = this.#files[fd] ?? null;
      if (file === null) continue;
      cpu.charge(VfsStep.fdDrop);
      this.#files[fd] = null;
      file.flush(this.owner);
      if (file.drop()) last.push(file);
    }
    this.#closeOnExec.clear();
    this.#lowestFree = 0;
    for (let i = last.length - 1; i >= 0; i--) last[i]?.destroy(cpu);
  }

  /** What is no index, such as the -1 of an anonymous mapping, V8 would look up by name, and all others from then on. */
  #at(register: number): File | null {
    const fd = register >>> 0;
    return fd < this.#files.length ? (this.#files[fd] as File | null) : null;
  }

  #place(fd: number, file: File, closeOnExec: boolean): void {
    while (this.#files.length < fd) this.#files.push(null);
    file.opener ??= this.owner?.credentials ?? null;
    this.#files[fd] = file.get();
    if (closeOnExec) this.setCloseOnExec(fd);
    else this.clearCloseOnExec(fd);
  }
}
