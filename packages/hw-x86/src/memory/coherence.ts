import type { CostModel } from '../costs/cost-model.js';
import { HwStep } from '../costs/steps.js';
import { grown } from '../grown.js';
import type { CoreClock } from '../time/core-clock.js';
import { CACHE_LINE, PAGE_SIZE } from './address.js';
import { isDevice } from './device-windows.js';
import type { FirstLevelData } from './first-level.js';
import type { LockingCore } from './kernel-lock.js';
import { Touch } from './touch.js';

/** Lines of a frame. */
const LINES = PAGE_SIZE / CACHE_LINE;
/** No core has the frame. */
const NOBODY = 0;
/** Several cores have clean copies of the line. */
const SHARED = -1;

/** How the cores of a machine are grouped. */
export interface Topology {
  readonly coresPerCache: number;
  readonly coresPerSocket: number;
  readonly cores: number;
  /** Links on the way between each two sockets; null: one link between any two. */
  readonly hops: readonly (readonly number[])[] | null;
}

/**
 * A coherence directory for physical memory: which core holds a 64-byte line, exclusively (modified or not) or as one of
 * several sharers. A line that must come from another core costs a transfer; so does taking the only copy.
 *
 * As long as one core alone uses a frame, the frame as a whole is its own: whoever takes a frame clears or copies it,
 * which brings every line in (the cost of that is part of the clearing step). Lines are told apart from the moment a
 * second core comes. A line stays with the core that used it last, whatever its caches hold; runs through many lines are told to
 * `FirstLevelData`.
 */
export class CoherenceDirectory {
  /** Counts how often a core lost sole use of a frame: ownership seen in one epoch holds throughout that epoch. */
  epoch = 0;
  /** The same for lines: counts how often a core lost one, or the sole right to it. */
  lineEpoch = 0;
  /**
   * Per frame: the core (plus one) that has all of it, `NOBODY`, or, if lines are tracked, minus one minus where their part of `#lines`
   * begins.
   */
  #frames = new Int32Array(0);
  /** Of the tracked frames, for each line: owner or `SHARED`, then the sharers as bits. */
  #lines = new Int32Array(0);
  /** Where the part of `#lines` begins that no frame has had yet, and the frames' parts given back, as in `#frames`. */
  #unused = 0;
  readonly #free: number[] = [];
  readonly #wordsPerLine: number;
  readonly #transfer: TransferCost;
  readonly #firstLevel: FirstLevelData | null;

  /** @param firstLevel what the cores' own caches hold of the data of runs; null: all that they have */
  constructor(topology: Topology, transfer: TransferCost, firstLevel: FirstLevelData | null = null) {
    this.#wordsPerLine = 1 + Math.ceil(topology.cores / 32);
    this.#transfer = transfer;
    this.#firstLevel = firstLevel;
  }

  /** The core tag that has the whole frame of `address` to itself; not positive if none has. */
  frameOwner(address: number): number {
    return this.#frames[address >>> 12] as number;
  }

  /** `cpu` can already read or write the line at physical `address`: `touch` would do nothing. */
  holds(cpu: CoreClock, address: number, write: boolean): boolean {
    const place = this.#frames[address >>> 12] as number;
    if (place >= 0) return place === cpu.coreTag;
    const lines = this.#lines;
    const first = this.#line(place, address);
    const owner = lines[first] as number;
    if (owner !== SHARED) return owner === cpu.coreTag;
    return !write && ((lines[first + 1 + (cpu.core >>> 5)] as number) & (1 << (cpu.core & 31))) !== 0;
  }

  /** Accounts for `cpu` reading or writing the line at physical `address`. */
  touch(cpu: CoreClock, address: number, write: boolean): void {
    const frame = address >>> 12;
    if (frame >= this.#frames.length) {
      if (isDevice(address)) return;
      this.#grow(frame);
    }
    if (this.holds(cpu, address, write)) return;
    if (this.#frames[frame] === NOBODY) this.#frames[frame] = cpu.coreTag;
    else this.bring(cpu, frame, address, write);
  }

  /**
   * As `touch`, of all lines of `length` bytes in one frame, as a copy or a clear goes through them: none waits for another, so that
   * lines from other cores come ten at a time.
   */
  touchRange(cpu: CoreClock, address: number, length: number, write: boolean): void {
    if (length > CACHE_LINE && this.#firstLevel !== null && !isDevice(address)) this.#firstLevel.run(cpu, address, length, write);
    if (this.#frames[address >>> 12] === cpu.coreTag) return;
    this.#transfer.beginRun();
    for (let line = address & -CACHE_LINE; line < address + length; line += CACHE_LINE) this.touch(cpu, line, write);
    this.#transfer.endRun(cpu);
  }

  /** `cpu` has cleared or filled the frame: all of it is in its cache, and all other copies are void. */
  claim(cpu: CoreClock, frame: number): void {
    if (frame >= this.#frames.length) this.#grow(frame);
    this.#firstLevel?.run(cpu, frame * PAGE_SIZE, PAGE_SIZE, Touch.STORE);
    const owner = this.#frames[frame] as number;
    if (owner !== NOBODY && owner !== cpu.coreTag) {
      this.epoch++;
      this.lineEpoch++;
    }
    this.#frames[frame] = cpu.coreTag;
    if (owner < 0) this.#free.push(owner);
  }

  #grow(frame: number): void {
    this.#frames = grown(new Int32Array(Math.max(4096, 2 * this.#frames.length, frame + 1)), this.#frames);
  }

  /** Where `#lines` describes the line at `address`, whose frame is marked with `place`. */
  #line(place: number, address: number): number {
    return (~place + Math.imul((address >>> 6) & (LINES - 1), this.#wordsPerLine)) | 0;
  }

  /** Another core has the line, or other cores share it. */
  protected bring(cpu: CoreClock, frame: number, address: number, write: boolean): void {
    const place = this.#frames[frame] as number;
    const first = this.#line(place < 0 ? place : this.#track(frame), address);
    const lines = this.#lines;
    const owner = lines[first] as number;
    const mine = first + 1 + (cpu.core >>> 5);
    const bit = 1 << (cpu.core & 31);
    if (owner !== SHARED) {
      this.lineEpoch++;
      this.#transfer.move(cpu, owner - 1, 1);
      if (write) {
        lines[first] = cpu.coreTag;
        return;
      }
      lines[first] = SHARED;
      // One to four words: `fill` would take longer to be called.
      for (let at = first + 1; at < first + this.#wordsPerLine; at++) lines[at] = 0;
      const other = first + 1 + ((owner - 1) >>> 5);
      lines[other] = (lines[other] as number) | (1 << ((owner - 1) & 31));
      lines[mine] = (lines[mine] as number) | bit;
      return;
    }
    const other = this.supplier(lines, first + 1, cpu, write);
    if (other >= 0) this.#transfer.move(cpu, other, 1);
    if (write) {
      this.lineEpoch++;
      lines[first] = cpu.coreTag;
    } else {
      lines[mine] = (lines[mine] as number) | bit;
    }
  }

  /** A second core uses the frame: its lines are tracked from now on. All still belong to the first core. @returns their place */
  #track(frame: number): number {
    const words = LINES * this.#wordsPerLine;
    const place = this.#free.pop() ?? ~this.#unused;
    const first = ~place;
    if (first === this.#unused) this.#unused += words;
    if (this.#unused > this.#lines.length) this.#lines = grown(new Int32Array(Math.max(16 * words, 2 * this.#lines.length)), this.#lines);
    const owner = this.#frames[frame] as number;
    for (let at = first; at < first + words; at += this.#wordsPerLine) this.#lines[at] = owner;
    this.epoch++;
    this.#frames[frame] = place;
    return place;
  }

  /**
   * A core other than `cpu`'s that has a copy, or -1: the line comes from there, or, if it is to be written, the answer that its copy is
   * void.
   * @param first where the sharers' bits begin in `lines`
   */
  protected supplier(lines: Int32Array, first: number, cpu: CoreClock, _write: boolean): number {
    const self = cpu.core;
    for (let i = 0; i < this.#wordsPerLine - 1; i++) {
      let word = lines[first + i] as number;
      if (i === self >>> 5) word &= ~(1 << (self & 31));
      if (word !== 0) return i * 32 + (31 - Math.clz32(word));
    }
    return -1;
  }
}

/**
 * Line fill buffers of the first-level data cache: ten on Intel's cores from Nehalem on (Optimization Reference Manual); later
 * ones, and AMD's, have a few more.
 */
const OUTSTANDING_MISSES = 10;

/** A core that knows what lines from other cores cost it. */
export interface CoherentCore extends CoreClock, LockingCore {
  readonly id: number;
  readonly clock: number;
  readonly transfer: TransferCost;
}

/** What it costs to bring lines from one core to another. */
export class TransferCost {
  readonly #hops: Topology['hops'];
  /** By core: the last-level cache and the socket that it belongs to. Each line that moves asks. */
  readonly #cacheOf: Int32Array;
  readonly #socketOf: Int32Array;
  readonly #sameCache: number;
  readonly #sameSocket: number;
  readonly #crossSocket: number;
  /** Over two links, three and so on. */
  readonly #farther: readonly number[];
  /** Lines of a run, which are charged together at its end. */
  #inRun = false;
  #runSameCache = 0;
  #runSameSocket = 0;
  #runCrossSocket = 0;
  /** Price of the farthest of those from another socket. */
  #runFarthest = 0;

  constructor(topology: Topology, costs: CostModel) {
    const { cores, coresPerCache, coresPerSocket, hops } = topology;
    this.#hops = hops;
    this.#cacheOf = Int32Array.from({ length: cores }, (_, core) => Math.floor(core / coresPerCache));
    this.#socketOf = Int32Array.from({ length: cores }, (_, core) => Math.floor(core / coresPerSocket));
    this.#farther = (costs.profile.line.farther ?? []).map((figure) => costs.ns(figure));
    this.#sameCache = costs.ns(costs.profile.line.sameCache);
    this.#sameSocket = costs.ns(costs.profile.line.sameSocket);
    this.#crossSocket = costs.ns(costs.profile.line.crossSocket);
  }

  /**
   * Charges `cpu` for one line from each of `count` cores, read by loads that do not depend on each other: up to ten of them
   * are under way at a time, and together take as long as one.
   */
  gather(cpu: CoreClock, cores: readonly CoreClock[], count: number): void {
    this.beginRun();
    for (let i = 0; i < count; i++) this.move(cpu, (cores[i] as CoreClock).core, 1);
    this.endRun(cpu);
  }

  /** From here to `endRun`, lines are moved by accesses that do not depend on each other. */
  beginRun(): void {
    this.#inRun = true;
    this.#runSameCache = 0;
    this.#runSameSocket = 0;
    this.#runCrossSocket = 0;
    this.#runFarthest = this.#crossSocket;
  }

  /** Charges `cpu` for the lines of the run: up to ten of them were under way at a time. */
  endRun(cpu: CoreClock): void {
    this.#inRun = false;
    if (this.#runSameCache + this.#runSameSocket + this.#runCrossSocket === 0) return;
    cpu.chargeCycles(HwStep.lineSameCache, Math.ceil(this.#runSameCache / OUTSTANDING_MISSES) * this.#sameCache);
    cpu.chargeCycles(HwStep.lineSameSocket, Math.ceil(this.#runSameSocket / OUTSTANDING_MISSES) * this.#sameSocket);
    cpu.chargeCycles(HwStep.lineCrossSocket, Math.ceil(this.#runCrossSocket / OUTSTANDING_MISSES) * this.#runFarthest);
  }

  /** TSC cycles of a line that comes from `core` to the core `to`. */
  price(to: number, core: number): number {
    if (this.#shareCache(core, to)) return this.#sameCache;
    return this.#shareSocket(core, to) ? this.#sameSocket : this.#between(core, to);
  }

  /** Charges `cpu` for `lines` lines that come from `core`. */
  move(cpu: CoreClock, core: number, lines: number): void {
    cpu.linesMoved += lines;
    if (this.#inRun) {
      if (this.#shareCache(core, cpu.core)) this.#runSameCache += lines;
      else if (this.#shareSocket(core, cpu.core)) this.#runSameSocket += lines;
      else {
        this.#runCrossSocket += lines;
        this.#runFarthest = Math.max(this.#runFarthest, this.#between(core, cpu.core));
      }
    } else if (this.#shareCache(core, cpu.core)) {
      cpu.chargeCycles(HwStep.lineSameCache, lines * this.#sameCache);
    } else if (this.#shareSocket(core, cpu.core)) {
      cpu.chargeCycles(HwStep.lineSameSocket, lines * this.#sameSocket);
    } else {
      cpu.chargeCycles(HwStep.lineCrossSocket, lines * this.#between(core, cpu.core));
    }
  }

  /** The price between cores of two sockets. */
  #between(a: number, b: number): number {
    if (this.#hops === null) return this.#crossSocket;
    const links = this.#hops[this.#socketOf[a] as number]?.[this.#socketOf[b] as number] as number;
    return links <= 1 ? this.#crossSocket : (this.#farther[links - 2] as number);
  }

  #shareCache(a: number, b: number): boolean {
    return this.#cacheOf[a] === this.#cacheOf[b];
  }

  #shareSocket(a: number, b: number): boolean {
    return this.#socketOf[a] === this.#socketOf[b];
  }
}
