import { entryFrame } from '@rpal/hw-x86';
import { Errno, Madvise, OpenFlag, Prot } from '@rpal/uapi';
import {
  brk,
  exitMm,
  forkMm,
  insertArea,
  MappedFile,
  MemoryFile,
  type MmStruct,
  madvise,
  mlock,
  mmap,
  mprotect,
  mremap,
  munlock,
  munmap,
  type ReleaseRules,
  Vma,
  VmFlag,
} from '../src/index.js';
import { load, store, TestBench } from './bench.js';
import {
  ARENA,
  ARENA_UNITS,
  areaText,
  HEAP_UNITS,
  Limited,
  LOCKED_UNITS,
  type MemoryCall,
  type Observation,
  Op,
  PAGE,
  WINDOW,
} from './calls.js';

const HEAP = 0x5555_6000_0000;
const MAP_ANONYMOUS = 0x20;

/** The modelled kernel, on which sequences of calls run one after the other. */
export class ModelledKernel {
  readonly #bench: TestBench;
  readonly #unit: number;

  /** @param unit pages */
  constructor(rules: ReleaseRules, unit: number, huge = false) {
    this.#bench = new TestBench({ rules, hugePages: huge ? 'madvise' : 'never' });
    // It stays once it is there: not to be taken for a loss.
    if (huge) this.#bench.manager.hugeZeroFrame();
    this.#unit = unit;
  }

  /** Frames in use; the same before and after a sequence, or something is lost. */
  get framesInUse(): number {
    return this.#bench.platform.memory.framesInUse;
  }

  /** Pages promised; likewise. */
  get committedPages(): number {
    return this.#bench.manager.commitment.pages;
  }

  /** Executes a sequence in a process of its own. @param stop is told of each result; true ends the sequence */
  run(sequence: readonly MemoryCall[], stop: (observation: Observation, index: number) => boolean = () => false): Observation[] {
    const process = new ModelledProcess(this.#bench, this.#unit);
    const observations: Observation[] = [];
    for (const call of sequence) {
      const observation = process.execute(call);
      observations.push(observation);
      if (stop(observation, observations.length - 1)) break;
    }
    process.end();
    return observations;
  }
}

/** A process set up as native/memory-server.c sets one up: everything but the arena and the heap is occupied. */
class ModelledProcess {
  readonly #bench: TestBench;
  readonly #files: readonly MappedFile[];
  /** The process that runs, and its ancestors, which wait. */
  readonly #family: MmStruct[] = [];
  readonly #arenaPages: number;
  readonly #heapPages: number;
  readonly #ownTables: number;
  readonly #lockedMost: number;
  #mm: MmStruct;

  constructor(bench: TestBench, unit: number) {
    this.#bench = bench;
    this.#arenaPages = ARENA_UNITS * unit;
    this.#heapPages = HEAP_UNITS * unit;
    const { manager } = bench;
    this.#mm = bench.process();
    this.#lockedMost = LOCKED_UNITS * unit;
    this.#mm.limits.locked = this.#lockedMost * PAGE;
    this.#family.push(this.#mm);
    this.#mm.brkStart = HEAP;
    this.#mm.brk = HEAP;
    const borders = [0x1_0000, HEAP, HEAP + this.#heapPages * PAGE, ARENA, ARENA + this.#arenaPages * PAGE, this.#mm.layout.taskSize];
    for (let i = 0; i < borders.length; i += 2) {
      const [start, end] = [borders[i] as number, borders[i + 1] as number];
      insertArea(this.#mm, new Vma(start, end, VmFlag.DONTDUMP | VmFlag.NORESERVE, 0, null, start / PAGE));
    }
    this.#makeOwnTables();
    this.#ownTables = this.#mm.pageTableBytes / PAGE;
    const files = ['f0', 'f1'].map((name) => new MemoryFile(manager, name));
    this.#files = [...files.map((file) => new MappedFile(file)), new MappedFile(files[0] as MemoryFile, OpenFlag.RDONLY)];
    for (const { file } of this.#files) file.get();
  }

  execute(call: MemoryCall): Observation {
    const [before, parent] = [this.#mm.minorFaults, this.#mm];
    const result = this.#perform(call);
    const faults = this.#mm === parent ? this.#mm.minorFaults - before : 0;
    const { pageTableBytes, anonHugePages: hugePages } = this.#mm;
    const tables = pageTableBytes / PAGE - this.#ownTables;
    return {
      result,
      faults,
      tables,
      hugePages,
      areas: this.#areas(),
      pages: this.#pages(ARENA, this.#arenaPages) + this.#pages(HEAP, this.#heapPages),
    };
  }

  end(): void {
    for (const mm of this.#family.reverse()) exitMm(this.#bench.cpu, mm);
    for (const { file } of this.#files) file.put();
  }

  #perform([op, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0]: MemoryCall): number {
    const { cpu } = this.#bench;
    const mm = this.#mm;
    switch (op) {
      case Op.MMAP: {
        const hint = a === -1 ? 0 : real(a);
        const anonymous = (d & MAP_ANONYMOUS) !== 0;
        return travelling(mmap(cpu, mm, hint, b, c, d, anonymous ? {} : { object: this.#file(e), offset: f }));
      }
      case Op.MUNMAP:
        return munmap(cpu, mm, real(a), b);
      case Op.MPROTECT:
        return mprotect(cpu, mm, real(a), b, c);
      case Op.MREMAP:
        return travelling(mremap(cpu, mm, real(a), b, c, d, real(e)));
      case Op.MADVISE:
        return c === Madvise.COLLAPSE && this.#mapsFiles(real(a), b) ? -Errno.EINVAL : madvise(cpu, mm, real(a), b, c);
      case Op.BRK:
        return brk(cpu, mm, HEAP + a) - HEAP;
      case Op.LOAD:
        return probed(load(cpu, mm, real(a)));
      case Op.STORE:
        return probed(store(cpu, mm, real(a), b & 0xff));
      case Op.FTRUNCATE: {
        const { file, writable } = this.#file(a);
        if (!writable || b < 0) return -Errno.EINVAL;
        file.truncate(cpu, b);
        return 0;
      }
      case Op.PWRITE: {
        const { file, writable } = this.#file(a);
        return writable ? file.write8(cpu, b, c & 0xff) : -Errno.EBADF;
      }
      case Op.PREAD:
        return this.#file(a).file.read8(b);
      case Op.MLOCK:
        return mlock(cpu, mm, real(a), b);
      case Op.MUNLOCK:
        return munlock(cpu, mm, real(a), b);
      case Op.FORK:
        // The parent waits, with its memory or having given up what is in the windows; the child goes on.
        this.#mm = forkMm(cpu, mm);
        if (a === 1) {
          munmap(cpu, mm, ARENA, this.#arenaPages * PAGE);
          munmap(cpu, mm, HEAP, this.#heapPages * PAGE);
        }
        this.#mm.activate(cpu);
        this.#makeOwnTables();
        this.#family.push(this.#mm);
        return 0;
      case Op.LIMIT:
        this.#limit(a, b);
        return 0;
      case Op.READ:
        return this.#file(a).file.read(cpu, mm, real(c), b, d);
      case Op.WRITE:
        return this.#file(a).file.write(cpu, mm, real(c), b, d);
      default:
        throw new Error(`unknown call ${op}`);
    }
  }

  /** The upper tables that the heap has in common with the program before it. */
  #makeOwnTables(): void {
    this.#mm.tables.makeEntry(HEAP - 1, 2);
  }

  #limit(what: number, pages: number): void {
    const { limits, totalPages, dataPages } = this.#mm;
    if (what === Limited.ADDRESS_SPACE) limits.addressSpace = pages < 0 ? Number.POSITIVE_INFINITY : (totalPages + pages) * PAGE;
    else if (what === Limited.LOCKED) limits.locked = (pages < 0 ? this.#lockedMost : pages) * PAGE;
    else limits.data = pages < 0 ? Number.POSITIVE_INFINITY : (dataPages + pages) * PAGE;
  }

  /** Huge pages of files are not modelled: neither kernel is asked for them. */
  #mapsFiles(start: number, length: number): boolean {
    return [...this.#mm.areas].some((area) => area.object !== null && area.start < start + length && area.end > start);
  }

  #file(index: number): MappedFile {
    return this.#files[index] as MappedFile;
  }

  #areas(): string[] {
    const texts: string[] = [];
    for (const area of this.#mm.areas) {
      if ((area.flags & VmFlag.DONTDUMP) !== 0) continue;
      const [start, end] = [travelling(area.start), travelling(area.end)];
      const file = area.object instanceof MappedFile ? area.object : null;
      const kind = file === null ? 0 : file.name === '' ? 3 : file.name === 'f0' ? 1 : 2;
      const rights = area.flags & (Prot.READ | Prot.WRITE | Prot.EXEC);
      // What maps shows as shared may have been so by name only: opened read-only.
      const shared = (area.flags & VmFlag.MAYSHARE) !== 0 ? 8 : 0;
      texts.push(areaText(start, end, rights | shared, kind, area.offset));
    }
    return texts;
  }

  #pages(start: number, count: number): string {
    const { memory, frames, zeroFrame, hugeZeroIfAny } = this.#bench.manager;
    const digits = Buffer.alloc(count, '0');
    this.#mm.tables.forEachPage(start, start + count * PAGE, {
      page(address, entry) {
        const frame = entryFrame(memory.read32(entry), memory.read32(entry + 4));
        const file = frames.ofFile(frame);
        const once = frame !== zeroFrame && frames.count(frame) === (file ? 2 : 1);
        digits[(address - start) / PAGE] = 48 | 1 | (file ? 2 : 0) | (once ? 4 : 0);
      },
      huge(address, entry) {
        const head = entryFrame(memory.read32(entry), memory.read32(entry + 4));
        const zero = head === hugeZeroIfAny;
        for (let i = 0; i < 512; i++) digits[(address - start) / PAGE + i] = zero ? 51 : 48 | 1 | (frames.count(head + i) === 1 ? 4 : 0);
        return true;
      },
    });
    return digits.toString('latin1');
  }
}

function real(address: number): number {
  return address >= WINDOW ? HEAP + (address - WINDOW) : ARENA + address;
}

function travelling(address: number): number {
  if (address < 0) return address;
  return address >= ARENA ? address - ARENA : WINDOW + (address - HEAP);
}

function probed(outcome: number | { readonly signal: number; readonly code: number }): number {
  return typeof outcome === 'number' ? outcome : -100_000 - (outcome.signal | (outcome.code << 8));
}
