import type { CostLevel } from '../costs/cost-model.js';
import type { Figure } from '../costs/profile.js';
import type { Rng } from './rng.js';

/** Small differences between one time and the next, which keep two CPUs from falling into step. */
export interface Disturbance {
  /** `cycles` of a latency outside the core (an idle exit, an interrupt or a store on its way), as long as it takes this time. */
  latency(cycles: number): number;
  /** What a kernel entry takes longer this time, TSC cycles. */
  entry(): number;
}

/** Makes the disturbances of one machine. */
export interface DisturbanceModel {
  build(machine: { readonly rng: Rng; readonly level: CostLevel; readonly tscPerNs: number }): Disturbance;
}

/** How far real machines stray, with sources. @public for reports that say what was drawn from */
export const DISTURBANCES: { readonly latency: Figure; readonly entry: Figure } = {
  /** Half the width of the spread of a latency, as a share of it. */
  latency: {
    low: 0.05,
    central: 0.15,
    high: 0.33,
    source:
      'intel_idle, C6 on Ice Lake-SP: median 128 us, 99.99th percentile 170 us, a third more; line transfers between pairs of cores 47..60 ns',
    status: 'derived',
  },
  /** Width of the spread of a kernel entry, ns. */
  entry: {
    low: 5,
    central: 14,
    high: 60,
    source: 'measured with native/host.c of the benchmark, null calls on Emerald Rapids: half of the rounds within 86..100 ns',
    status: 'measured',
  },
};

/** Disturbances as far as `DISTURBANCES` says, drawn from the machine's generator: triangular, latencies about what they are. */
export const disturbances: DisturbanceModel = {
  build({ rng, level, tscPerNs }) {
    const half = DISTURBANCES.latency[level];
    const entry = DISTURBANCES.entry[level] * tscPerNs;
    /** 0 .. 2, about 1. */
    const draw = (): number => (rng.next32() + rng.next32()) / 2 ** 32;
    return {
      latency: (cycles) => Math.round(cycles * (1 + half * (draw() - 1))),
      entry: () => Math.round(entry * draw()),
    };
  },
};
