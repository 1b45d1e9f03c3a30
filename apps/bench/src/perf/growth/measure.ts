import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { percentile } from '../percentile.js';
import type { GrowthLine, Load } from './line.js';

/** What a size was measured to be. */
export interface SizeResult {
  readonly size: number;
  /** Host time per operation, nanoseconds: the second percentile of short slices. */
  readonly ns: number;
  /** The most that the law allows, taken from the size that is cheapest for its weight. */
  readonly bound: number;
  /** Bytes of the host's memory for each of them, told of the largest size only; null elsewhere. */
  readonly bytes: number | null;
}

/** Slices of each size, taken in turn, so that other work on the computer disturbs all alike. */
const SLICES = 120;
/** How long a slice takes, ns of host time, roughly. */
const SLICE = 2e6;
/** Operations before the first slice: the host's engine has compiled what is executed often. */
const WARM_UP = 10_000;
/** How much more than its law a size may cost. */
const FACTOR = 2;

/** One size at work. */
class Sampler {
  readonly #load: Load;
  readonly #samples: number[] = [];
  /** TSC cycles of machine time that take about a slice. */
  #cycles = 1e6;

  constructor(load: Load) {
    this.#load = load;
    while (!load.ready) this.#advance();
  }

  warmUp(): void {
    const before = this.#load.operations;
    while (this.#load.operations < before + WARM_UP) this.#advance();
  }

  /** A slice. */
  sample(): void {
    const before = this.#load.operations;
    const ns = this.#advance();
    const operations = this.#load.operations - before;
    if (operations > 0) this.#samples.push(ns / operations);
  }

  get ns(): number {
    return percentile(this.#samples, 0.02);
  }

  #advance(): number {
    const began = performance.now();
    this.#load.advance(this.#cycles);
    const ns = (performance.now() - began) * 1e6;
    this.#cycles = Math.max(1e5, Math.round(this.#cycles * Math.min(2, Math.max(0.5, SLICE / ns))));
    return ns;
  }
}

/** Time and memory of a line, at each of its sizes. */
export function measureGrowth({ sizes, law, memory, build }: GrowthLine): readonly SizeResult[] {
  const samplers: Sampler[] = [];
  const used: number[] = [];
  for (const size of sizes) {
    const before = usedMemory();
    const load = build(size);
    samplers.push(new Sampler(load));
    used.push(usedMemory() - load.spare - before);
  }
  for (const sampler of samplers) sampler.warmUp();
  for (let slice = 0; slice < SLICES; slice++) for (const sampler of samplers) sampler.sample();
  const unit = Math.min(...samplers.map(({ ns }, at) => ns / law.weight(sizes[at] as number)));
  return samplers.map(({ ns }, at) => {
    const size = sizes[at] as number;
    // What every machine takes is measured at the least size.
    const more = size - (sizes[0] as number);
    const told = memory !== undefined && at === samplers.length - 1;
    const bytes = told ? ((used[at] as number) - (used[0] as number)) / more : null;
    return { size, ns, bound: FACTOR * unit * law.weight(size), bytes };
  });
}

/** Bytes of the host's memory that are in use: objects and typed arrays. */
function usedMemory(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // The memory of arrays that one collection finds unused is given back beside the program, and counted until the next one.
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
