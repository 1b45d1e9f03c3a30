import { type Cpu, type CpuProfile, GIB, LARGE_PAGE_SIZE, PAGE_SIZE, type PhysicalMemory, type Platform, type Rng } from '@rpal/hw-x86';
import { MmError } from './errors.js';
import type { HugePages } from './fault/huge-pages.js';
import { MmSeams } from './seams.js';
import type { Overcommit } from './space/accounting.js';
import { defaultLayout, type Layout } from './space/layout.js';
import { MmStruct } from './space/mm-struct.js';
import { linux615, type ReleaseRules } from './space/release.js';
import { MmStep } from './steps.js';
import { FoldedEntries } from './tables/folded.js';
import { KernelHeap } from './tables/kernel-heap.js';
import { PageFrames } from './tables/page-frames.js';
import { type FlushTargets, flushOn, TlbState } from './tlb/tlb-flush.js';

/** How a machine's memory is managed. */
export interface MemoryOptions {
  /** Of another release than 6.15. */
  readonly rules?: ReleaseRules;
  /** Transparent huge pages; `never` if absent. */
  readonly hugePages?: HugePages;
}

/** The border between user and kernel mode, where an interrupt that asks for a flush crosses it. */
export interface FlushEntry {
  /**
   * The interrupt has come on `cpu`, whatever that was doing; the flush is next, of what is loaded afterwards.
   * @returns true if `leave` is to take the CPU back, instead of the return whose cost is part of the flush
   */
  enter(cpu: Cpu): boolean;
  leave(cpu: Cpu): void;
}

/** Memory management of one machine: frames, the kernel's heap, and what each CPU knows of address spaces. */
export class MemoryManager {
  readonly seams: MmSeams = new MmSeams();
  readonly memory: PhysicalMemory;
  readonly frames: PageFrames;
  /** Page tables that are kept in short form. */
  readonly folded: FoldedEntries;
  readonly heap: KernelHeap;
  readonly cpus: readonly Cpu[];
  readonly rng: Rng;
  /** Address spaces are kept apart by PCID, so a switch need not flush. */
  readonly pcids: boolean;
  /** The frame that reads of untouched anonymous memory see. */
  readonly zeroFrame: number;
  /** Software bits that hide a top-level entry from everything but the hardware; none on plain Linux. Set before the first process. */
  hiddenTopEntryBits = 0;

  /** Shootdowns: flushes that had to interrupt others, and interrupts received, since boot. */
  flushesSent = 0;
  flushesReceived = 0;

  /** vm.overcommit_memory. Set before the first process. */
  overcommit: Overcommit = 'heuristic';
  /** Pages promised to processes, whether they have been touched or not (Committed_AS). */
  committedPages = 0;
  /** Frames the machine has (MemTotal). */
  readonly totalFrames: number;
  /** Who gets huge pages (/sys/kernel/mm/transparent_hugepage/enabled). */
  readonly hugePages: HugePages;
  /** Reads of untouched memory get the huge page of zeroes (/sys/kernel/mm/transparent_hugepage/use_zero_page). */
  hugeZeroPage = true;
  /** First frame of the huge page of zeroes; -1 until it is first needed. */
  hugeZeroIfAny = -1;
  /** Which Linux's rules hold. */
  readonly rules: ReleaseRules;

  /** The address spaces that have areas or may get some, in the order of their creation. */
  readonly addressSpaces: Set<MmStruct> = new Set();

  /** TSC cycles. */
  readonly cyclesPerSecond: number;
  /** What the kernel does where a flush interrupts user mode. */
  flushEntry: FlushEntry | null = null;

  readonly #tlbStates: readonly TlbState[];
  readonly #ipiDelivery: number;
  /** By cluster: whether it has been met. */
  readonly #clusters: Uint8Array;
  readonly #topology: CpuProfile['topology'];
  #contexts = 0;

  /** @throws MmError INVALID_ARGUMENT for an unknown value of `options.hugePages` */
  constructor(platform: Platform, options: MemoryOptions = {}) {
    this.hugePages = options.hugePages ?? 'never';
    if (!['never', 'madvise', 'always'].includes(this.hugePages)) {
      throw new MmError('INVALID_ARGUMENT', `hugePages: ${JSON.stringify(options.hugePages)} is not one of never, madvise and always`);
    }
    this.memory = platform.memory;
    this.cpus = platform.cpus;
    this.rng = platform.rng;
    this.#topology = platform.profile.topology;
    // No cluster is smaller than one CPU.
    this.#clusters = new Uint8Array(platform.cpus.length);
    this.cyclesPerSecond = platform.profile.clock.tscGHz * 1e9;
    this.rules = options.rules ?? linux615;
    this.pcids = platform.profile.features.pcid;
    const { sockets, memoryPerSocket } = platform.profile.topology;
    this.totalFrames = (sockets * memoryPerSocket * GIB) / PAGE_SIZE;
    this.frames = new PageFrames(this.memory, this.totalFrames);
    this.folded = new FoldedEntries(this.memory, this.frames, this.cpus[0] as Cpu);
    const unfold = (entry: number, level: number, address: number): boolean => this.folded.unfold(entry, level, address);
    for (const cpu of this.cpus) cpu.mmu.unfold = unfold;
    this.heap = new KernelHeap(this.frames);
    this.zeroFrame = this.frames.allocate(0);
    this.memory.fill(this.zeroFrame * PAGE_SIZE, PAGE_SIZE);
    this.#tlbStates = this.cpus.map(() => new TlbState());
    this.#ipiDelivery = Math.round(platform.costs.primitive('ipiDelivery'));
  }

  /** First frame of the huge page of zeroes, which stays for ever once it is there; -1 if memory has no 2 MiB in a row. */
  hugeZeroFrame(): number {
    if (this.hugeZeroIfAny < 0) {
      this.hugeZeroIfAny = this.frames.allocateHuge(0);
      if (this.hugeZeroIfAny >= 0) this.memory.fill(this.hugeZeroIfAny * PAGE_SIZE, LARGE_PAGE_SIZE);
    }
    return this.hugeZeroIfAny;
  }

  tlbState(cpu: Cpu): TlbState {
    return this.#tlbStates[cpu.id] as TlbState;
  }

  /** A fresh address space; `exec` then fills it. */
  create(cpu: Cpu, layout: Layout = defaultLayout(this.rng)): MmStruct {
    const mm = new MmStruct(this, ++this.#contexts, layout, cpu);
    this.addressSpaces.add(mm);
    return mm;
  }

  /** How many x2APIC clusters the first `count` of `cpus` are in: one interrupt command reaches up to 16 of one. */
  clustersOf(cpus: readonly Cpu[], count: number): number {
    const { coresPerSocket, threadsPerCore } = this.#topology;
    const perSocket = Math.ceil((coresPerSocket * threadsPerCore) / 16);
    const seen = this.#clusters;
    seen.fill(0);
    let clusters = 0;
    for (let i = 0; i < count; i++) {
      const { core, socket, thread } = cpus[i] as Cpu;
      const cluster = socket * perSocket + Math.floor(((core % coresPerSocket) * threadsPerCore + thread) / 16);
      if (seen[cluster] === 0) clusters++;
      seen[cluster] = 1;
    }
    return clusters;
  }

  /**
   * `other` takes the flush interrupt that `sender` has just sent: at the end of the step it is in, or when the
   * interrupt arrives if that is later. When it has acknowledged is noted in `targets`.
   */
  interruptForFlush(sender: Cpu, other: Cpu, targets: FlushTargets): void {
    const arrival = sender.clock + this.#ipiDelivery;
    const before = other.clock;
    other.charge(MmStep.flushReceive);
    const entered = this.flushEntry?.enter(other) === true;
    // Its queue, the entry on it, and what that says is to be flushed: the sender wrote all three, and each leads to the next.
    other.transfer.move(other, sender.core, 3);
    flushOn(this, other, targets);
    this.flushesReceived++;
    // It acknowledges before it returns from the interrupt.
    const done = other.clock;
    if (entered) this.flushEntry?.leave(other);
    else other.charge(MmStep.flushReturn);
    targets.acknowledged = Math.max(targets.acknowledged, done, arrival + (done - before));
  }
}
