import type { CostModel } from '../costs/cost-model.js';
import type { CpuProfile } from '../costs/profile.js';
import { HwStep } from '../costs/steps.js';
import type { CoreClock } from '../time/core-clock.js';
import { CACHE_LINE, PAGE_SIZE } from './address.js';
import { CacheArray } from './cache-array.js';
import { type Topology, TransferCost } from './coherence.js';
import type { PhysicalMemory } from './physical-memory.js';

/** States of a line in a core's caches (MESI; a line that is not there is invalid). @public for who looks into the modelled caches */
export const LineState = { shared: 1, exclusive: 2, modified: 3 } as const;

/** What the caches of one core have done since they were made. */
export interface CacheCounters {
  l1Hits: number;
  l2Hits: number;
  l3Hits: number;
  memoryLocal: number;
  memoryRemote: number;
  /** Lines that came from another core's caches, by where that core is. */
  fromSameCache: number;
  fromSameSocket: number;
  fromOtherSocket: number;
  /** Writes to a line that other cores had copies of, and copies invalidated by other cores' writes. */
  upgrades: number;
  invalidationsReceived: number;
  /** Modified lines evicted from the core's caches. */
  writebacks: number;
}

/** What the caches need from their machine: a `Platform`, for example. */
export interface CacheEnvironment {
  readonly topology: Topology;
  readonly costs: CostModel;
  readonly memory: PhysicalMemory;
}

/** The caches of one physical core: an L1 data cache, and an L2 that has everything the L1 has. */
class PrivateCaches {
  readonly core: number;
  readonly l1: CacheArray;
  readonly l2: CacheArray;
  readonly counters: CacheCounters = {
    l1Hits: 0,
    l2Hits: 0,
    l3Hits: 0,
    memoryLocal: 0,
    memoryRemote: 0,
    fromSameCache: 0,
    fromSameSocket: 0,
    fromOtherSocket: 0,
    upgrades: 0,
    invalidationsReceived: 0,
    writebacks: 0,
  };

  constructor(core: number, l1: CacheArray, l2: CacheArray) {
    this.core = core;
    this.l1 = l1;
    this.l2 = l2;
  }
}

/**
 * The data caches of a machine, line by line: private L1 and L2, an L3 shared by `coresPerCache` cores that takes what
 * their L2s push out, and a directory of who has which line in which MESI state. Latencies are load-to-use and are
 * charged whole, as for a chain of dependent loads; a store costs what a load would. There is no prefetching.
 *
 * This is the detailed model for programs that look at caches: `new Platform({ profile, caches: dataCaches })`, which machines
 * with a kernel take as well. Without it there is `CoherenceDirectory`, which knows transfers between cores but no capacity.
 */
export class Caches {
  readonly #topology: Topology;
  readonly #profile: CpuProfile;
  readonly #memory: PhysicalMemory;
  readonly #cores: (PrivateCaches | undefined)[] = [];
  /** Shared caches, made when first used. State 1: the line differs from memory. */
  readonly #l3: (CacheArray | undefined)[] = [];
  /** Cores that have a line, in no order. Lines that no core has are not in it. */
  readonly #holders: Map<number, number[]> = new Map();
  readonly #latency: { readonly l1: number; readonly l2: number; readonly l3: number; readonly local: number; readonly remote: number };
  readonly #transfer: TransferCost;

  constructor({ topology, costs, memory: physical }: CacheEnvironment) {
    this.#topology = topology;
    this.#profile = costs.profile;
    this.#memory = physical;
    const { cache, memory } = costs.profile;
    this.#latency = {
      l1: costs.cycles(cache.l1d.latency),
      l2: costs.cycles(cache.l2.latency),
      l3: costs.cycles(cache.l3.latency),
      local: costs.ns(memory.local),
      remote: costs.ns(memory.remote),
    };
    this.#transfer = new TransferCost(topology, costs);
  }

  /** Counters of the physical core that `cpu` is a thread of. */
  counters(cpu: CoreClock): Readonly<CacheCounters> {
    return this.#private(cpu.core).counters;
  }

  /** State of a line in the caches of `cpu`'s core: a `LineState`, or 0. */
  state(cpu: CoreClock, address: number): number {
    const { l2 } = this.#private(cpu.core);
    const at = l2.find(Math.floor(address / CACHE_LINE));
    return at < 0 ? 0 : l2.state(at);
  }

  /** `cpu` reads or writes at physical `address`: moves the line and charges the time it takes. */
  access(cpu: CoreClock, address: number, write: boolean): void {
    const line = Math.floor(address / CACHE_LINE);
    const own = this.#private(cpu.core);
    const inL1 = own.l1.find(line);
    const inL2 = own.l2.find(line);
    if (inL2 < 0) {
      this.#fill(cpu, own, line, write);
      return;
    }
    own.l2.use(inL2);
    if (write && own.l2.state(inL2) !== LineState.modified) {
      if (own.l2.state(inL2) === LineState.shared) this.#upgrade(cpu, own, line);
      own.l2.setState(inL2, LineState.modified);
    }
    if (inL1 >= 0) {
      own.l1.use(inL1);
      own.counters.l1Hits++;
      cpu.chargeCycles(HwStep.cacheL1, this.#latency.l1);
    } else {
      own.l1.insert(line, 0);
      own.counters.l2Hits++;
      cpu.chargeCycles(HwStep.cacheL2, this.#latency.l2);
    }
  }

  /** `cpu` clears or fills a frame: its caches have all of it, modified. The time is part of the clearing. */
  fill(cpu: CoreClock, frame: number): void {
    const own = this.#private(cpu.core);
    const first = (frame * PAGE_SIZE) / CACHE_LINE;
    for (let line = first; line < first + PAGE_SIZE / CACHE_LINE; line++) {
      const at = own.l2.find(line);
      this.#invalidate(line, own.core);
      if (at < 0) {
        this.#enter(own, line, LineState.modified);
      } else {
        this.#holders.set(line, [own.core]);
        own.l2.setState(at, LineState.modified);
        own.l2.use(at);
        if (own.l1.find(line) < 0) own.l1.insert(line, 0);
      }
    }
  }

  /** Empties the private caches of `cpu`'s core, as C6 does: modified lines go to the shared cache. */
  flush(cpu: CoreClock): void {
    const own = this.#private(cpu.core);
    for (const line of [...own.l2.lines()]) {
      const state = own.l2.remove(line);
      own.l1.remove(line);
      this.#leaves(own, line, state);
    }
  }

  /** The line is in neither of the core's caches. */
  #fill(cpu: CoreClock, own: PrivateCaches, line: number, write: boolean): void {
    const holders = this.#holders.get(line);
    const shared = this.#shared(own.core);
    let state: number = write ? LineState.modified : LineState.exclusive;
    if (holders !== undefined) {
      // Some core has it. A line that only one core has comes from there; the core's own L3 may have a copy of a shared one.
      const nearest = holders.reduce((best, core) => (this.#distance(own.core, core) < this.#distance(own.core, best) ? core : best));
      if (shared.find(line) >= 0) {
        own.counters.l3Hits++;
        cpu.chargeCycles(HwStep.cacheL3, this.#latency.l3);
      } else {
        this.#comesFrom(cpu, own, nearest);
      }
      if (write) this.#invalidate(line, own.core);
      else {
        state = LineState.shared;
        for (const core of holders) this.#demote(core, line);
      }
    } else {
      const elsewhere = this.#inOtherL3(own.core, line);
      const dirty = shared.remove(line);
      if (dirty >= 0) {
        own.counters.l3Hits++;
        cpu.chargeCycles(HwStep.cacheL3, this.#latency.l3);
        if (dirty === 1) state = LineState.modified;
      } else if (elsewhere >= 0) {
        this.#comesFrom(cpu, own, elsewhere * this.#topology.coresPerCache);
        if ((this.#l3[elsewhere] as CacheArray).remove(line) === 1) state = LineState.modified;
      } else {
        this.#fromMemory(cpu, own, line);
      }
    }
    this.#enter(own, line, state);
  }

  /** A line comes into a core's caches, and may push out others. */
  #enter(own: PrivateCaches, line: number, state: number): void {
    const now = this.#holders.get(line);
    if (now === undefined) this.#holders.set(line, [own.core]);
    else now.push(own.core);
    const evicted = own.l2.insert(line, state);
    if (evicted >= 0) {
      own.l1.remove(evicted);
      this.#leaves(own, evicted, own.l2.evictedState);
    }
    own.l1.insert(line, 0);
  }

  /** A line leaves a core's caches: to the shared cache, if this was the last copy in the cores. */
  #leaves(own: PrivateCaches, line: number, state: number): void {
    const holders = this.#holders.get(line) as number[];
    holders.splice(holders.indexOf(own.core), 1);
    if (state === LineState.modified) own.counters.writebacks++;
    if (holders.length > 0) return;
    this.#holders.delete(line);
    const shared = this.#shared(own.core);
    const at = shared.find(line);
    const dirty = state === LineState.modified ? 1 : 0;
    if (at < 0) shared.insert(line, dirty);
    else shared.setState(at, shared.state(at) | dirty);
  }

  /** A write to a line that other cores have copies of: these are invalidated, and the core waits for the farthest answer. */
  #upgrade(cpu: CoreClock, own: PrivateCaches, line: number): void {
    const others = (this.#holders.get(line) as number[]).filter((core) => core !== own.core);
    own.counters.upgrades++;
    if (others.length > 0) {
      const farthest = others.reduce((worst, core) => (this.#distance(own.core, core) > this.#distance(own.core, worst) ? core : worst));
      this.#charge(cpu, own.core, farthest, this.#distance(own.core, farthest));
    }
    this.#invalidate(line, own.core);
    this.#holders.set(line, [own.core]);
  }

  /** Takes all copies away from the others, shared caches included. */
  #invalidate(line: number, writer: number): void {
    for (const core of this.#holders.get(line) ?? []) {
      if (core === writer) continue;
      const other = this.#private(core);
      other.l1.remove(line);
      other.l2.remove(line);
      other.counters.invalidationsReceived++;
    }
    this.#holders.delete(line);
    for (const shared of this.#l3) shared?.remove(line);
  }

  /** Another core reads the line: a modified copy is written to the shared cache, and all copies become shared. */
  #demote(core: number, line: number): void {
    const { l2 } = this.#private(core);
    const at = l2.find(line);
    if (l2.state(at) === LineState.modified && this.#shared(core).find(line) < 0) this.#shared(core).insert(line, 1);
    l2.setState(at, LineState.shared);
  }

  #comesFrom(cpu: CoreClock, own: PrivateCaches, core: number): void {
    const distance = this.#distance(own.core, core);
    own.counters[DISTANCES[distance] as 'fromSameCache']++;
    cpu.linesMoved++;
    this.#charge(cpu, own.core, core, distance);
  }

  #fromMemory(cpu: CoreClock, own: PrivateCaches, line: number): void {
    const node = this.#memory.nodeOf(Math.floor((line * CACHE_LINE) / PAGE_SIZE));
    if (node === cpu.socket || node < 0) {
      own.counters.memoryLocal++;
      cpu.chargeCycles(HwStep.memoryLocal, this.#latency.local);
    } else {
      own.counters.memoryRemote++;
      cpu.chargeCycles(HwStep.memoryRemote, this.#latency.remote);
    }
  }

  /** Group of cores whose shared cache has the line, other than that of `core`; -1 if none. */
  #inOtherL3(core: number, line: number): number {
    const own = this.#group(core);
    return this.#l3.findIndex((shared, group) => shared !== undefined && group !== own && shared.find(line) >= 0);
  }

  /** 0: same shared cache, 1: same socket, 2: other socket. */
  #distance(a: number, b: number): number {
    const { coresPerSocket } = this.#topology;
    if (this.#group(a) === this.#group(b)) return 0;
    return Math.floor(a / coresPerSocket) === Math.floor(b / coresPerSocket) ? 1 : 2;
  }

  /** The price of a transfer. */
  #charge(cpu: CoreClock, to: number, from: number, distance: number): void {
    cpu.chargeCycles(LINE_STEPS[distance] as number, this.#transfer.price(to, from));
  }

  #group(core: number): number {
    return Math.floor(core / this.#topology.coresPerCache);
  }

  #shared(core: number): CacheArray {
    const group = this.#group(core);
    const { bytes, ways } = this.#profile.cache.l3;
    this.#l3[group] ??= new CacheArray(bytes, ways);
    return this.#l3[group];
  }

  #private(core: number): PrivateCaches {
    const { l1d, l2 } = this.#profile.cache;
    this.#cores[core] ??= new PrivateCaches(core, new CacheArray(l1d.bytes, l1d.ways), new CacheArray(l2.bytes, l2.ways));
    return this.#cores[core];
  }
}

const DISTANCES = ['fromSameCache', 'fromSameSocket', 'fromOtherSocket'] as const;
const LINE_STEPS = [HwStep.lineSameCache, HwStep.lineSameSocket, HwStep.lineCrossSocket] as const;
