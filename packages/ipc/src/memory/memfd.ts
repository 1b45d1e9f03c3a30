import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import { MappedFile, type MemoryFile, mmap } from '@rpal/mm';
import { Errno, FileMode, OpenFlag, Seek } from '@rpal/uapi';
import { type Caller, chargeCopy, growth, PositionedFile, writableSize } from '@rpal/vfs';
import { IpcStep } from '../steps.js';

/** Largest size of a file in memory. */
const MAX_SIZE = 2 ** 43;

/** An open file in memory. */
export class MemFd extends PositionedFile {
  readonly file: MemoryFile;
  readonly #mapped: MappedFile;

  /** @param mapped what mappings of it refer to, if not just to `file` */
  constructor(file: MemoryFile, flags: number, mapped?: MappedFile) {
    super((flags & (OpenFlag.ACCMODE | OpenFlag.NONBLOCK | OpenFlag.APPEND)) | OpenFlag.LARGEFILE);
    this.file = file;
    const mode = flags & OpenFlag.ACCMODE;
    this.#mapped = mapped ?? new MappedFile(file, mode);
    file.get();
  }

  override get mode(): number {
    return FileMode.REGULAR | 0o777;
  }

  /** A regular file is always ready: epoll will not watch it. */
  override get pollable(): boolean {
    return false;
  }

  override readAt(cpu: Cpu, caller: Caller, address: number, length: number, offset: number): number {
    if (!this.#mapped.readable) return -Errno.EBADF;
    if (offset < 0) return -Errno.EINVAL;
    cpu.charge(IpcStep.memfdRead);
    const n = this.file.read(cpu, caller.memory, address, offset, length);
    if (n > 0) chargePages(cpu, IpcStep.memfdPageOut, offset, n);
    return n;
  }

  override write(cpu: Cpu, caller: Caller, address: number, length: number): number {
    const n = super.write(cpu, caller, address, length);
    if (n > 0 && this.appends) this.position = this.size;
    return n;
  }

  /** With O_APPEND all goes to the end, wherever it was to go. */
  override writeAt(cpu: Cpu, caller: Caller, address: number, length: number, offset: number): number {
    if (!this.#mapped.writable) return -Errno.EBADF;
    if (offset < 0) return -Errno.EINVAL;
    if (length === 0) return 0;
    const at = this.appends ? this.size : offset;
    const allowed = writableSize(cpu, caller, at, length);
    if (allowed < 0) return allowed;
    if (at + allowed > MAX_SIZE) return -Errno.EFBIG;
    this.changes(cpu, caller);
    cpu.charge(IpcStep.memfdWrite);
    const n = this.file.write(cpu, caller.memory, address, at, allowed);
    if (n > 0) chargePages(cpu, IpcStep.memfdPageIn, at, n);
    return n;
  }

  protected get appends(): boolean {
    return (this.flags & OpenFlag.APPEND) !== 0;
  }

  /** It is about to be written by `caller`. */
  protected changes(_cpu: Cpu, _caller: Caller): void {}

  /** Bytes of the kernel's own come into the file, from another one. @returns how many, or a negative errno */
  storeBytes(cpu: Cpu, caller: Caller, bytes: Uint8Array, offset: number): number {
    if (offset + bytes.length > MAX_SIZE) return -Errno.EFBIG;
    this.changes(cpu, caller);
    return this.file.store(cpu, offset, bytes) < 0 ? -Errno.ENOSPC : bytes.length;
  }

  /** May a hole be made, or room up to `end`? @returns 0 or a negative errno */
  refusesRange(_what: 'hole' | 'room', _end: number): number {
    return 0;
  }

  protected override get size(): number {
    return this.file.size;
  }

  /** lseek(2) also to where data begins, or ends: pages that have been written are data (Linux: `shmem_file_llseek`). */
  override seek(offset: number, whence: number): number {
    if (whence !== Seek.DATA && whence !== Seek.HOLE) return super.seek(offset, whence);
    if (!(offset >= 0 && offset < this.size)) return -Errno.ENXIO;
    const at = whence === Seek.DATA ? this.file.dataFrom(offset) : this.file.holeFrom(offset);
    if (at < 0) return -Errno.ENXIO;
    this.position = at;
    return at;
  }

  override get unread(): number {
    return this.size - this.position;
  }

  override truncate(cpu: Cpu, caller: Caller, size: number): number {
    if (!this.#mapped.writable || !(size >= 0)) return -Errno.EINVAL;
    const refused = growth(cpu, caller, this.size, size);
    if (refused < 0) return refused;
    if (size > MAX_SIZE) return -Errno.EFBIG;
    cpu.charge(IpcStep.memfdAccess);
    this.file.truncate(cpu, size);
    return 0;
  }

  override mmap(cpu: Cpu, caller: Caller, hint: number, length: number, prot: number, flags: number, offset: number): number {
    if (offset % PAGE_SIZE !== 0) return -Errno.EINVAL;
    return mmap(cpu, caller.memory, hint, length, prot, flags, { object: this.#mapped, offset: offset / PAGE_SIZE });
  }

  override release(_cpu: Cpu): void {
    this.file.put();
  }
}

/** A copy is made page by page of the file. */
function chargePages(cpu: Cpu, step: number, offset: number, length: number): void {
  for (let done = 0; done < length; ) {
    const part = Math.min(length - done, PAGE_SIZE - ((offset + done) % PAGE_SIZE));
    chargeCopy(cpu, step, part);
    done += part;
  }
}
