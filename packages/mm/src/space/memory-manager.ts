import { type Cpu, GIB, LARGE_PAGE_SIZE, PAGE_SIZE, type PhysicalMemory, type Platform, type Rng } from '@rpal/hw-x86';
import { MmError } from '../errors.js';
import { FoldedEntries } from '../tables/folded.js';
import { KernelHeap } from '../tables/kernel-heap.js';
import { LruBatches } from '../tables/lru-batches.js';
import { PageFrames } from '../tables/page-frames.js';
import { type FlushEntry, Tlbs } from '../tlb/tlbs.js';
import { Commitment, type Overcommit } from './accounting.js';
import { defaultLayout, type Layout } from './layout.js';
import { MmStruct } from './mm-struct.js';
import { linux615, type ReleaseRules } from './release.js';
import { MmSeams } from './seams.js';

/** /sys/kernel/mm/transparent_hugepage/enabled. */
export type HugePages = 'never' | 'madvise' | 'always';

/** How a machine's memory is managed. */
export interface MemoryOptions {
  /** Rules of a release other than 6.15. */
  readonly rules?: ReleaseRules;
  /** Transparent huge pages; `never` if absent. */
  readonly hugePages?: HugePages;
  /** Reads of untouched memory get the huge page of zeroes (/sys/kernel/mm/transparent_hugepage/use_zero_page); true if absent. */
  readonly hugeZeroPage?: boolean;
  /** vm.overcommit_memory; `heuristic` if absent. */
  readonly overcommit?: Overcommit;
  /** What the kernel does where a flush interrupts user mode; nothing if absent. */
  readonly flushEntry?: FlushEntry;
}

/** Memory management of one machine: frames, the kernel's heap, TLBs, and what has been promised to processes. */
export class MemoryManager {
  readonly seams: MmSeams = new MmSeams();
  readonly memory: PhysicalMemory;
  readonly frames: PageFrames;
  /** Page tables that are kept in short form. */
  readonly folded: FoldedEntries;
  readonly heap: KernelHeap;
  readonly tlb: Tlbs<MmStruct>;
  readonly commitment: Commitment;
  readonly lru: LruBatches;
  readonly cpus: readonly Cpu[];
  readonly rng: Rng;
  /** The frame that reads of untouched anonymous memory see. */
  readonly zeroFrame: number;
  /** Frames the machine has (MemTotal). */
  readonly totalFrames: number;
  /** Who gets huge pages. */
  readonly hugePages: HugePages;
  readonly hugeZeroPage: boolean;
  /** First frame of the huge page of zeroes; -1 until it is first needed. */
  hugeZeroIfAny = -1;
  /** Which Linux release's rules hold. */
  readonly rules: ReleaseRules;
  /** The address spaces that have areas or may get some, in the order of their creation. */
  readonly addressSpaces: Set<MmStruct> = new Set();
  /** TSC cycles. */
  readonly cyclesPerSecond: number;
  #hiddenTopEntryBits = 0;
  #contexts = 0;

  /** @throws MmError INVALID_ARGUMENT for an unknown value of `options.hugePages` or `options.overcommit` */
  constructor(platform: Platform, options: MemoryOptions = {}) {
    this.hugePages = oneOf('hugePages', options.hugePages ?? 'never', ['never', 'madvise', 'always']);
    this.hugeZeroPage = options.hugeZeroPage ?? true;
    this.rules = options.rules ?? linux615;
    this.memory = platform.memory;
    this.cpus = platform.cpus;
    this.rng = platform.rng;
    this.cyclesPerSecond = platform.profile.clock.tscGHz * 1e9;
    const { sockets, memoryPerSocket } = platform.profile.topology;
    this.totalFrames = (sockets * memoryPerSocket * GIB) / PAGE_SIZE;
    this.frames = new PageFrames(this.memory, this.totalFrames);
    this.folded = new FoldedEntries(this.memory, this.frames, this.cpus[0] as Cpu);
    const unfold = (entry: number, level: number, address: number): boolean => this.folded.unfold(entry, level, address);
    for (const cpu of this.cpus) cpu.mmu.unfold = unfold;
    this.heap = new KernelHeap(this.frames);
    this.lru = new LruBatches(this.cpus.length);
    this.zeroFrame = this.frames.allocate(0);
    this.memory.fill(this.zeroFrame * PAGE_SIZE, PAGE_SIZE);
    const overcommit = oneOf('overcommit', options.overcommit ?? 'heuristic', ['heuristic', 'always', 'never']);
    this.commitment = new Commitment(overcommit, this.totalFrames);
    this.tlb = new Tlbs(platform, this.seams, options.flushEntry ?? null);
  }

  /** Software bits that hide a top-level entry from everything but the hardware; none on plain Linux. */
  get hiddenTopEntryBits(): number {
    return this.#hiddenTopEntryBits;
  }

  /**
   * Entries of top-level tables that carry one of `bits` are hidden from everything but the hardware, from now on: they do not belong to
   * the process (RFC patch 09).
   * @throws MmError INVALID_ARGUMENT once there is an address space, whose tables do not know of it
   */
  hideTopEntries(bits: number): void {
    if (this.#contexts > 0) {
      throw new MmError('INVALID_ARGUMENT', 'bits: there are address spaces already; hide entries before the first process is made');
    }
    this.#hiddenTopEntryBits |= bits;
  }

  /** First frame of the huge page of zeroes, which stays once it has been made; -1 if memory has no 2 MiB in a row. */
  hugeZeroFrame(): number {
    if (this.hugeZeroIfAny < 0) {
      this.hugeZeroIfAny = this.frames.allocateHuge(0);
      if (this.hugeZeroIfAny >= 0) this.memory.fill(this.hugeZeroIfAny * PAGE_SIZE, LARGE_PAGE_SIZE);
    }
    return this.hugeZeroIfAny;
  }

  /** A fresh address space; `exec` then fills it. */
  create(cpu: Cpu, layout: Layout = defaultLayout(this.rng)): MmStruct {
    const mm = new MmStruct(this, ++this.#contexts, layout, cpu);
    this.addressSpaces.add(mm);
    return mm;
  }
}

function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  throw new MmError(
    'INVALID_ARGUMENT',
    `${name}: ${JSON.stringify(value)} is not one of ${allowed.slice(0, -1).join(', ')} and ${allowed.at(-1)}`,
  );
}
