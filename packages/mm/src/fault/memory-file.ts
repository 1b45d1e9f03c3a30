import { type Cpu, PAGE_SIZE, pageCeil } from '@rpal/hw-x86';
import { Errno, OpenFlag } from '@rpal/uapi';
import { MmError } from '../errors.js';
import type { MemoryManager } from '../space/memory-manager.js';
import type { MmStruct } from '../space/mm-struct.js';
import { Ranges } from '../space/ranges.js';
import type { MappedObject, Vma } from '../space/vma.js';
import { MmStep } from '../steps.js';
import { MmuGather } from './mmu-gather.js';
import { copyFromUser, copyToUser } from './user-access.js';
import { zapPages } from './zap.js';

/**
 * A file that lives in memory: what memfd_create, shm_open and MAP_SHARED | MAP_ANONYMOUS make (Linux: a tmpfs inode). Its
 * pages are real frames, shared by everybody who maps, reads or writes it; pages never written are made on first use.
 * It is freed when the last reference to it goes: open files and mappings hold one each.
 */
export class MemoryFile {
  /** As /proc/PID/maps shows it. */
  name: string;
  readonly #manager: Pick<MemoryManager, 'memory' | 'frames' | 'commitment' | 'zeroFrame' | 'lru'>;
  /** Page number to frame. The file holds one reference to each. */
  readonly #pages: Map<number, number> = new Map();
  /** Ranges of pages that exist though the host has no bytes for those not in `#pages`, in order. */
  readonly #blank: { start: number; end: number }[] = [];
  /** Of these pages, the ones without bytes. */
  #blankPages = 0;
  /** Pages that are allocated and not written yet (fallocate): they read as zeroes, and are a hole to lseek. */
  readonly #unwritten = new Ranges();
  /** Address spaces that have mapped it and may still. */
  readonly #mappers: Set<MmStruct> = new Set();
  /** Pages that were committed when it was made (anonymous shared memory). */
  readonly #committed: number;
  #size = 0;
  #references = 0;

  constructor(manager: Pick<MemoryManager, 'memory' | 'frames' | 'commitment' | 'zeroFrame' | 'lru'>, name: string, committed = 0) {
    this.#manager = manager;
    this.name = name;
    this.#committed = committed;
  }

  /** Memory for MAP_SHARED | MAP_ANONYMOUS, of fixed size; null if it cannot be committed (Linux: `shmem_zero_setup`). */
  static anonymous(
    manager: Pick<MemoryManager, 'memory' | 'frames' | 'commitment' | 'zeroFrame' | 'lru'>,
    size: number,
    committed: boolean,
  ): MemoryFile | null {
    const pages = committed ? size / PAGE_SIZE : 0;
    if (!manager.commitment.commit(pages)) return null;
    const file = new MemoryFile(manager, '', pages);
    file.#size = size;
    return file;
  }

  /** Bytes. */
  get size(): number {
    return this.#size;
  }

  /** Pages that exist. */
  get cachedPages(): number {
    return this.#pages.size + this.#blankPages;
  }

  /** Pages that take memory: those that exist, and those that are allocated and not written yet. */
  get allocatedPages(): number {
    return this.cachedPages + this.#unwritten.total;
  }

  /** Frame of a page, made and zeroed on behalf of `cpu` if need be; -1 beyond the end of the file, -2 without memory. */
  frame(page: number, cpu: Cpu): number {
    return page * PAGE_SIZE >= this.#size ? -1 : this.#frameOf(page, cpu);
  }

  #frameOf(page: number, cpu: Cpu): number {
    const cached = this.#pages.get(page);
    if (cached !== undefined) return cached;
    const blank = this.#isBlank(page);
    const allocated = this.#unwritten.total > 0 && this.#unwritten.remove(page, page + 1) > 0;
    if (allocated) this.#manager.frames.unreserve(1);
    else if (!blank) cpu.charge(MmStep.pageAlloc);
    cpu.charge(MmStep.filePage);
    this.#manager.lru.add(cpu);
    const frame = this.#manager.frames.allocate(cpu.socket);
    if (frame < 0) return -2;
    if (blank) {
      this.#blankPages--;
      this.#manager.frames.unreserve(1);
    } else {
      cpu.coherence.claim(cpu, frame);
      cpu.chargeBytes(MmStep.pageZero, PAGE_SIZE);
    }
    this.#manager.memory.fill(frame * PAGE_SIZE, PAGE_SIZE);
    this.#manager.frames.giveToFile(frame);
    this.#pages.set(page, frame);
    return frame;
  }

  /** Frame of a page that exists within the file; else -1. */
  cachedFrame(page: number, cpu: Cpu): number {
    if (page * PAGE_SIZE >= this.#size) return -1;
    return this.#pages.get(page) ?? (this.#isBlank(page) ? this.frame(page, cpu) : -1);
  }

  /** How many of `count` pages from `first` on exist: all, none, or `some`. */
  presence(first: number, count: number): 'all' | 'some' | 'none' {
    const end = first + count;
    const covering = this.#blank.find((range) => range.end > first);
    if (covering !== undefined && covering.start <= first && covering.end >= end) return 'all';
    if (covering !== undefined && covering.start < end) return 'some';
    if (this.#pages.size < count) {
      for (const page of this.#pages.keys()) if (page >= first && page < end) return 'some';
      return 'none';
    }
    for (let page = first; page < end; page++) if (this.#pages.has(page)) return 'some';
    return 'none';
  }

  /**
   * Makes `count` pages from `first` on, none of which exists, without giving them bytes; they get them when they are
   * used. Their time is the caller's to charge. @returns false if they do not fit into the file or the machine
   */
  makeBlank(first: number, count: number): boolean {
    if ((first + count) * PAGE_SIZE > this.#size || !this.#manager.frames.reserve(count)) return false;
    this.#blankPages += count;
    const at = this.#blank.findIndex((range) => range.start > first);
    const index = at < 0 ? this.#blank.length : at;
    const before = this.#blank[index - 1];
    if (before !== undefined && before.end === first) before.end += count;
    else this.#blank.splice(index, 0, { start: first, end: first + count });
    return true;
  }

  #isBlank(page: number): boolean {
    return this.#inBlank(page) && !this.#pages.has(page);
  }

  #inBlank(page: number): boolean {
    return this.#blank.length > 0 && this.#blank.some(({ start, end }) => page >= start && page < end);
  }

  /** Forgets blank pages from `first` to before `last`. */
  #dropBlank(first: number, last: number): void {
    for (let i = 0; i < this.#blank.length; ) {
      const range = this.#blank[i] as { start: number; end: number };
      const start = Math.max(first, range.start);
      const end = Math.min(last, range.end);
      if (start >= end) {
        i++;
        continue;
      }
      let real = 0;
      for (const page of this.#pages.keys()) if (page >= start && page < end) real++;
      this.#blankPages -= end - start - real;
      this.#manager.frames.unreserve(end - start - real);
      const rest = [
        { start: range.start, end: start },
        { start: end, end: range.end },
      ].filter((part) => part.start < part.end);
      this.#blank.splice(i, 1, ...rest);
      i += rest.length;
    }
  }

  /**
   * ftruncate: pages beyond the new end go, out of every address space too, and what is left of the last page is zeroed;
   * a file that grows reads as zeroes. @param size bytes
   * @throws MmError INVALID_ARGUMENT if the size is negative or no whole number
   */
  truncate(cpu: Cpu, size: number): void {
    if (!(Number.isInteger(size) && size >= 0))
      throw new MmError('INVALID_ARGUMENT', `size: ${size} is not a whole number of bytes from 0 up`);
    const old = this.#size;
    this.#size = size;
    if (size >= old) return;
    const first = pageCeil(size) / PAGE_SIZE;
    for (const mm of this.#mappers) this.#unmapFrom(cpu, mm, first, Number.POSITIVE_INFINITY);
    this.#dropBlank(first, Number.POSITIVE_INFINITY);
    this.#manager.frames.unreserve(this.#unwritten.remove(first, Number.MAX_SAFE_INTEGER));
    for (const [page, frame] of this.#pages) {
      if (page < first) continue;
      this.#pages.delete(page);
      cpu.charge(MmStep.filePageFree);
      this.#release(frame);
    }
    this.#manager.lru.drain(cpu);
    if (size % PAGE_SIZE !== 0) this.#zero(size, first * PAGE_SIZE);
  }

  /**
   * Makes a hole of `length` bytes at `offset` (FALLOC_FL_PUNCH_HOLE): whole pages go, out of every address space too, and what else
   * the range touches is zeroed.
   */
  punch(cpu: Cpu, offset: number, length: number): void {
    const end = offset + length;
    const first = pageCeil(offset) / PAGE_SIZE;
    const last = Math.floor(end / PAGE_SIZE);
    this.#zero(offset, Math.min(end, first * PAGE_SIZE));
    if (last >= first) this.#zero(last * PAGE_SIZE, end);
    if (last <= first) return;
    for (const mm of this.#mappers) this.#unmapFrom(cpu, mm, first, last);
    this.#dropBlank(first, last);
    this.#manager.frames.unreserve(this.#unwritten.remove(first, last));
    for (const [page, frame] of this.#pages) {
      if (page < first || page >= last) continue;
      this.#pages.delete(page);
      this.#release(frame);
    }
  }

  /** Zeroes bytes of one page, if it exists. */
  #zero(from: number, to: number): void {
    const frame = from >= to ? undefined : this.#pages.get(Math.floor(from / PAGE_SIZE));
    if (frame !== undefined) this.#manager.memory.fill(frame * PAGE_SIZE + (from % PAGE_SIZE), to - from);
  }

  /**
   * Allocates what is missing of `count` pages from `first` on (fallocate), without writing to it.
   * @returns false if the machine does not have that many
   */
  allocate(cpu: Cpu, first: number, count: number): boolean {
    const end = first + count;
    const written = [...this.#pages.keys()].filter((page) => page >= first && page < end && !this.#inBlank(page)).length;
    let blank = 0;
    for (const range of this.#blank) blank += Math.max(0, Math.min(range.end, end) - Math.max(range.start, first));
    const wanted = count - written - blank - this.#unwritten.count(first, end);
    if (!this.#manager.frames.reserve(wanted)) return false;
    this.#unwritten.add(first, end);
    for (const page of this.#pages.keys()) this.#unwritten.remove(page, page + 1);
    for (const range of this.#blank) this.#unwritten.remove(range.start, range.end);
    cpu.chargeTimes(MmStep.pageAlloc, wanted);
    cpu.chargeTimes(MmStep.filePageAhead, wanted);
    return true;
  }

  /** lseek(SEEK_DATA): where the first page at or after `offset` begins that has been written; -1 if there is none before the end. */
  dataFrom(offset: number): number {
    const first = Math.floor(offset / PAGE_SIZE);
    let found = Number.POSITIVE_INFINITY;
    for (const page of this.#pages.keys()) if (page >= first && page < found) found = page;
    for (const { start, end } of this.#blank) if (end > first) found = Math.min(found, Math.max(first, start));
    const at = Math.max(offset, found * PAGE_SIZE);
    return at < this.#size ? at : -1;
  }

  /** lseek(SEEK_HOLE): where the first page at or after `offset` begins that has not been written, or the file ends. */
  holeFrom(offset: number): number {
    let page = Math.floor(offset / PAGE_SIZE);
    while (this.#pages.has(page) || this.#isBlank(page)) page++;
    return Math.min(this.#size, Math.max(offset, page * PAGE_SIZE));
  }

  /**
   * Puts bytes into the file without anybody's time: what a machine begins with.
   * @returns false without memory
   */
  preload(bytes: Uint8Array, size: number = bytes.length): boolean {
    for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
      const frame = this.#manager.frames.allocate(0);
      if (frame < 0) return false;
      const part = Math.min(PAGE_SIZE, bytes.length - at);
      this.#manager.memory.fill(frame * PAGE_SIZE, PAGE_SIZE);
      this.#manager.memory.store(frame * PAGE_SIZE, bytes, at, part);
      this.#manager.frames.giveToFile(frame);
      this.#pages.set(at / PAGE_SIZE, frame);
    }
    this.#size = size;
    return true;
  }

  /**
   * Copies what the file has of `length` bytes from `offset` to user memory: read(2) of it. Costs nothing but faults; the
   * open file that is read charges the copy. @returns bytes copied, up to the page that cannot be written; 0 at the file's end,
   *   -EFAULT if it is the first
   */
  read(cpu: Cpu, mm: MmStruct, to: number, offset: number, length: number): number {
    const end = Math.min(this.#size, offset + length);
    for (let at = offset; at < end; ) {
      const part = Math.min(end - at, PAGE_SIZE - (at % PAGE_SIZE), PAGE_SIZE - ((to + (at - offset)) % PAGE_SIZE));
      const frame = this.#pages.get(Math.floor(at / PAGE_SIZE)) ?? this.#manager.zeroFrame;
      if (copyToUser(cpu, mm, to + (at - offset), frame * PAGE_SIZE + (at % PAGE_SIZE), part) < 0) return at - offset || -Errno.EFAULT;
      at += part;
    }
    return Math.max(0, end - offset);
  }

  /**
   * Copies `length` bytes of user memory into the file at `offset`: write(2) to it. The file grows to hold them.
   * @returns bytes copied, up to the page that cannot be read; -EFAULT if it is the first, -ENOSPC without memory
   */
  write(cpu: Cpu, mm: MmStruct, from: number, offset: number, length: number): number {
    for (let at = offset; at < offset + length; ) {
      const part = Math.min(offset + length - at, PAGE_SIZE - (at % PAGE_SIZE), PAGE_SIZE - ((from + (at - offset)) % PAGE_SIZE));
      const frame = this.#frameOf(Math.floor(at / PAGE_SIZE), cpu);
      // It grows when the bytes are there; but up to where the copy begins even if that fails (Linux: `shmem_write_end`).
      if (frame >= 0) this.#size = Math.max(this.#size, at);
      const copied = frame < 0 ? -Errno.ENOSPC : copyFromUser(cpu, mm, frame * PAGE_SIZE + (at % PAGE_SIZE), from + (at - offset), part);
      if (copied < 0) return at - offset || copied;
      at += part;
      this.#size = Math.max(this.#size, at);
    }
    return length;
  }

  /** Loads bytes of the file for the kernel; what no page has is zero. */
  load(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = offset + done;
      const part = Math.min(bytes.length - done, PAGE_SIZE - (at % PAGE_SIZE));
      const frame = this.#pages.get(Math.floor(at / PAGE_SIZE)) ?? this.#manager.zeroFrame;
      this.#manager.memory.load(frame * PAGE_SIZE + (at % PAGE_SIZE), bytes, done, part);
      done += part;
    }
  }

  /** Stores bytes of the kernel; the file grows to hold them. @returns 0, or -ENOSPC without memory */
  store(cpu: Cpu, offset: number, bytes: Uint8Array): number {
    for (let done = 0; done < bytes.length; ) {
      const at = offset + done;
      const part = Math.min(bytes.length - done, PAGE_SIZE - (at % PAGE_SIZE));
      const frame = this.#frameOf(Math.floor(at / PAGE_SIZE), cpu);
      if (frame < 0) return -Errno.ENOSPC;
      this.#manager.memory.store(frame * PAGE_SIZE + (at % PAGE_SIZE), bytes, done, part);
      done += part;
      this.#size = Math.max(this.#size, at + part);
    }
    return 0;
  }

  /** A byte of the file; -1 beyond its end. */
  read8(offset: number): number {
    if (offset >= this.#size) return -1;
    const frame = this.#pages.get(Math.floor(offset / PAGE_SIZE)) ?? -1;
    return frame < 0 ? 0 : this.#manager.memory.read8(frame * PAGE_SIZE + (offset % PAGE_SIZE));
  }

  /** Writes a byte; the file grows to hold it. @returns 1, or -ENOSPC without memory */
  write8(cpu: Cpu, offset: number, value: number): number {
    const frame = this.#frameOf(Math.floor(offset / PAGE_SIZE), cpu);
    if (frame < 0) return -Errno.ENOSPC;
    this.#size = Math.max(this.#size, offset + 1);
    this.#manager.memory.write8(frame * PAGE_SIZE + (offset % PAGE_SIZE), value);
    return 1;
  }

  /** One more open file refers to it, or an area, then of `mm`. */
  get(mm?: MmStruct): void {
    this.#references++;
    if (mm !== undefined) this.#mappers.add(mm);
  }

  /** Drops a reference; the last one frees the pages. */
  put(): void {
    if (--this.#references > 0) return;
    this.#dropBlank(0, Number.POSITIVE_INFINITY);
    this.#manager.frames.unreserve(this.#unwritten.remove(0, Number.MAX_SAFE_INTEGER));
    for (const frame of this.#pages.values()) this.#release(frame);
    this.#pages.clear();
    this.#manager.commitment.uncommit(this.#committed);
  }

  #release(frame: number): void {
    this.#manager.frames.takeFromFile(frame);
    this.#manager.frames.put(frame);
  }

  /** Takes pages `first` to before `last` out of all mappings of `mm`; private copies too, as Linux does. */
  #unmapFrom(cpu: Cpu, mm: MmStruct, first: number, last: number): void {
    if (mm.dead) {
      this.#mappers.delete(mm);
      return;
    }
    for (const area of mm.areas) {
      if (!(area.object instanceof MappedFile) || area.object.file !== this) continue;
      const start = area.start + Math.max(0, first - area.offset) * PAGE_SIZE;
      const end = Math.min(area.end, area.start + (last - area.offset) * PAGE_SIZE);
      if (start >= end) continue;
      const gather = new MmuGather(mm);
      zapPages(cpu, mm, area, start, end, gather);
      gather.finish(cpu);
    }
  }
}

/**
 * A `MemoryFile` as one open file sees it: the thing to map. Mappings through the same one merge, others do not, as in
 * Linux, where areas compare their `struct file`.
 */
export class MappedFile implements MappedObject {
  readonly file: MemoryFile;
  readonly readable: boolean;
  readonly writable: boolean;

  /** @param mode how the file was opened: the access mode of `OpenFlag` */
  constructor(file: MemoryFile, mode: number = OpenFlag.RDWR) {
    this.file = file;
    this.readable = mode !== OpenFlag.WRONLY;
    this.writable = mode !== OpenFlag.RDONLY;
  }

  get name(): string {
    return this.file.name;
  }

  frame(offset: number, cpu: Cpu): number {
    return this.file.frame(offset, cpu);
  }

  cachedFrame(offset: number, cpu: Cpu): number {
    return this.file.cachedFrame(offset, cpu);
  }

  mapped(change: 1 | -1, _area: Vma, mm: MmStruct): void {
    if (change === 1) this.file.get(mm);
    else this.file.put();
  }
}
