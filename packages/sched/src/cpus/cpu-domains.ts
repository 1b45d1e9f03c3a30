import type { Cpu, Platform } from '@rpal/hw-x86';
import { CpuSet, nextCommon } from './cpu-set.js';

/** What the search for idle CPUs needs of a CPU's run queue. */
export interface MaybeIdle {
  readonly isIdle: boolean;
}

/**
 * What the scheduler knows of all CPUs together (Linux: scheduling domains, `nohz.idle_cpus_mask`, `rd->overloaded`): who
 * shares caches and cores, who idles, who has more than one runnable task.
 */
export class CpuDomains {
  /** CPUs whose idle task runs. Others may be about to give them work: ask `RunQueue.isIdle`. */
  readonly idle: CpuSet;
  /** CPUs with at least two runnable tasks. */
  readonly overloaded: CpuSet;
  overloads = 0;
  readonly #cache: readonly CpuSet[];
  readonly #siblings: readonly (readonly number[])[];
  readonly #queues: readonly MaybeIdle[];

  /** @param queues by number of the CPU */
  constructor({ cpus, topology }: Platform, queues: readonly MaybeIdle[]) {
    this.#queues = queues;
    const count = cpus.length;
    this.idle = CpuSet.all(count);
    this.overloaded = new CpuSet(count);
    const caches = new Map<number, CpuSet>();
    const cores = new Map<number, number[]>();
    for (const { id, core } of cpus) {
      const cache = Math.floor(core / topology.coresPerCache);
      if (!caches.has(cache)) caches.set(cache, new CpuSet(count));
      caches.get(cache)?.add(id);
      if (!cores.has(core)) cores.set(core, []);
      cores.get(core)?.push(id);
    }
    this.#cache = cpus.map(({ core }) => caches.get(Math.floor(core / topology.coresPerCache)) as CpuSet);
    this.#siblings = cpus.map(({ core }) => cores.get(core) as number[]);
  }

  /** `cpu` has a second runnable task. */
  gainedSecond(cpu: Cpu): void {
    this.overloaded.add(cpu.id);
    this.overloads++;
  }

  /** `cpu` is down to one runnable task. */
  lostSecond(cpu: Cpu): void {
    this.overloaded.remove(cpu.id);
    this.overloads--;
  }

  /** CPUs that share the last-level cache with `cpu`, itself included. */
  cacheOf(cpu: Cpu): CpuSet {
    return this.#cache[cpu.id] as CpuSet;
  }

  sharesCache(a: Cpu, b: Cpu): boolean {
    return this.#cache[a.id] === this.#cache[b.id];
  }

  /** An idle CPU that shares a cache with `near`, a wholly idle core first; -1 if there is none. */
  idleNear(near: Cpu, allowed: CpuSet): number {
    return this.#idleIn(near.id + 1, this.cacheOf(near), allowed);
  }

  /** An idle CPU anywhere; -1 if there is none. */
  idleAnywhere(near: Cpu, allowed: CpuSet): number {
    return this.#idleIn(near.id + 1, this.idle, allowed);
  }

  /** Looks from `start` upwards, then from 0 up to it. */
  #idleIn(start: number, among: CpuSet, allowed: CpuSet): number {
    const { idle } = this;
    let thread = -1;
    for (let pass = 0; pass < 2; pass++) {
      const end = pass === 0 ? Number.POSITIVE_INFINITY : start;
      for (let id = nextCommon(pass === 0 ? start : 0, idle, among, allowed); id >= 0 && id < end; ) {
        if ((this.#queues[id] as MaybeIdle).isIdle) {
          if (this.#coreIdles(id)) return id;
          if (thread < 0) thread = id;
        }
        id = nextCommon(id + 1, idle, among, allowed);
      }
    }
    return thread;
  }

  #coreIdles(id: number): boolean {
    const siblings = this.#siblings[id] as readonly number[];
    for (let i = 0; i < siblings.length; i++) if (!(this.#queues[siblings[i] as number] as MaybeIdle).isIdle) return false;
    return true;
  }
}
