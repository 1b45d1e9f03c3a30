import { type Cpu, PAGE_SIZE, pageCeil } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import { commit, uncommit } from './accounting.js';
import type { MemoryManager } from './memory-manager.js';
import type { MmStruct } from './mm-struct.js';
import { zapPages } from './munmap.js';
import { MmStep } from './steps.js';
import { flushRange } from './tlb-flush.js';
import type { MappedObject, Vma } from './vma.js';

/**
 * A file that lives in memory: what memfd_create, shm_open and MAP_SHARED | MAP_ANONYMOUS make (Linux: a tmpfs inode). Its
 * pages are real frames, shared by everybody who maps, reads or writes it; pages never written are made on first use.
 * It is freed when the last reference to it goes: open files and mappings hold one each.
 */
export class MemoryFile {
  readonly name: string;
  readonly #manager: MemoryManager;
  /** Page number to frame. The file holds one reference to each. */
  readonly #pages: Map<number, number> = new Map();
  /** Address spaces that have mapped it and may still. */
  readonly #mappers: Set<MmStruct> = new Set();
  /** Pages that were committed when it was made (anonymous shared memory). */
  readonly #committed: number;
  #size = 0;
  #references = 0;

  constructor(manager: MemoryManager, name: string, committed = 0) {
    this.#manager = manager;
    this.name = name;
    this.#committed = committed;
  }

  /** Memory for MAP_SHARED | MAP_ANONYMOUS, of fixed size; null if it cannot be committed (Linux: `shmem_zero_setup`). */
  static anonymous(manager: MemoryManager, size: number, committed: boolean): MemoryFile | null {
    const pages = committed ? size / PAGE_SIZE : 0;
    if (!commit(manager, pages)) return null;
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
    return this.#pages.size;
  }

  /** Frame of a page, made and zeroed on behalf of `cpu` if need be; -1 beyond the end of the file, -2 without memory. */
  frame(page: number, cpu: Cpu): number {
    if (page * PAGE_SIZE >= this.#size) return -1;
    const cached = this.#pages.get(page);
    if (cached !== undefined) return cached;
    cpu.charge(MmStep.pageAlloc);
    const frame = this.#manager.frames.allocate(cpu.socket);
    if (frame < 0) return -2;
    cpu.coherence.claim(cpu, frame);
    cpu.chargeBytes(MmStep.pageZero, PAGE_SIZE);
    this.#manager.memory.fill(frame * PAGE_SIZE, PAGE_SIZE);
    this.#manager.frames.markFile(frame, true);
    this.#pages.set(page, frame);
    return frame;
  }

  /** Frame of a page that exists within the file; else -1. */
  cachedFrame(page: number): number {
    return page * PAGE_SIZE < this.#size ? (this.#pages.get(page) ?? -1) : -1;
  }

  /**
   * ftruncate: pages beyond the new end go, out of every address space too, and what is left of the last page is zeroed;
   * a file that grows reads as zeroes. @param size bytes
   */
  truncate(cpu: Cpu, size: number): void {
    const old = this.#size;
    this.#size = size;
    if (size >= old) return;
    const first = pageCeil(size) / PAGE_SIZE;
    for (const mm of this.#mappers) this.#unmapFrom(cpu, mm, first);
    for (const [page, frame] of this.#pages) {
      if (page < first) continue;
      this.#pages.delete(page);
      this.#release(frame);
    }
    const last = size % PAGE_SIZE === 0 ? undefined : this.#pages.get(first - 1);
    if (last !== undefined) this.#manager.memory.fill(last * PAGE_SIZE + (size % PAGE_SIZE), PAGE_SIZE - (size % PAGE_SIZE));
  }

  /** A byte of the file; -1 beyond its end. */
  read8(offset: number): number {
    if (offset >= this.#size) return -1;
    const frame = this.cachedFrame(Math.floor(offset / PAGE_SIZE));
    return frame < 0 ? 0 : this.#manager.memory.read8(frame * PAGE_SIZE + (offset % PAGE_SIZE));
  }

  /** Writes a byte; the file grows to hold it. @returns 1, or -ENOSPC without memory */
  write8(cpu: Cpu, offset: number, value: number): number {
    const before = this.#size;
    this.#size = Math.max(before, offset + 1);
    const frame = this.frame(Math.floor(offset / PAGE_SIZE), cpu);
    if (frame < 0) {
      this.#size = before;
      return -Errno.ENOSPC;
    }
    this.#manager.memory.write8(frame * PAGE_SIZE + (offset % PAGE_SIZE), value);
    return 1;
  }

  /** One more open file refers to it, or an area, then of `mm`. */
  get(mm?: MmStruct): void {
    this.#references++;
    if (mm !== undefined) this.#mappers.add(mm);
  }

  /** One reference less; the last takes the pages along. */
  put(): void {
    if (--this.#references > 0) return;
    for (const frame of this.#pages.values()) this.#release(frame);
    this.#pages.clear();
    uncommit(this.#manager, this.#committed);
  }

  #release(frame: number): void {
    this.#manager.frames.markFile(frame, false);
    this.#manager.frames.put(frame);
  }

  /** Takes pages from `first` on out of all mappings of `mm`; private copies too, as Linux does. */
  #unmapFrom(cpu: Cpu, mm: MmStruct, first: number): void {
    if (mm.dead) {
      this.#mappers.delete(mm);
      return;
    }
    for (const area of mm.areas) {
      if (!(area.object instanceof MappedFile) || area.object.file !== this) continue;
      const start = area.start + Math.max(0, first - area.offset) * PAGE_SIZE;
      if (start < area.end && zapPages(cpu, mm, area, start, area.end) > 0) flushRange(mm.manager, cpu, mm, start, area.end, false);
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

  constructor(file: MemoryFile, readable = true, writable = true) {
    this.file = file;
    this.readable = readable;
    this.writable = writable;
  }

  get name(): string {
    return this.file.name;
  }

  frame(offset: number, cpu: Cpu): number {
    return this.file.frame(offset, cpu);
  }

  cachedFrame(offset: number): number {
    return this.file.cachedFrame(offset);
  }

  mapped(change: 1 | -1, _area: Vma, mm: MmStruct): void {
    if (change === 1) this.file.get(mm);
    else this.file.put();
  }
}
