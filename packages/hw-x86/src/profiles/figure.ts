import type { Figure } from '../costs/profile.js';
import type { CostStatus } from '../costs/step.js';

/** A figure of a profile, on one line. */
export function figure(low: number, central: number, high: number, status: CostStatus, source: string): Figure {
  return { low, central, high, status, source };
}

/** The same in nanoseconds, where the default unit is core cycles. */
export function nanoseconds(low: number, central: number, high: number, status: CostStatus, source: string): Figure & { unit: 'ns' } {
  return { low, central, high, status, source, unit: 'ns' };
}

/** Texts that several profiles cite. */
export const Cite = {
  instlat: 'InstLatx64 collection, instruction latency and CPUID dumps',
  behrens: 'Behrens, Belay, Kaashoek, Performance Evolution of Mitigations, EuroSys 2022 (figures recalled)',
  skybridge: 'Mi et al., SkyBridge, EuroSys 2019, as summarised in public notes (i7-6700K)',
  c2c: 'nviennot/core-to-core-latency, half of a CAS ping-pong, CSV medians',
  mlc: 'Intel MLC on 2 x Xeon Platinum 8360Y, turbo off',
  lkp: 'Linux 0-day robot reports (perf-stat), rescaled from two busy hyperthreads to one',
  libmpk: 'Park et al., libmpk, USENIX ATC 2019, table of primitive costs (recalled)',
  unoptimised:
    'a library of 1,700 instructions compiled without optimisation against 741 with it, Emerald Rapids at 2.9 GHz: 0.22 cycles per instruction, calls included',
  formatting: 'sprintf and sscanf of a stamp, 2,650 instructions, in 190 ns on a Genoa-class guest at a clock taken to be 3.7 GHz',
  reload:
    'the same library and generated code, Emerald Rapids: what a memory operand costs more after one system call, whatever it does; the loads that suffer are those of a local stored just before, and neither 64 KiB of other code nor of other data has that effect. Other processors: taken as there',
  codeLine:
    'generated code of 8 to 16 KB, Emerald Rapids: what a line costs more that 64 KiB of other code have displaced from the first-level cache; straight code of long instructions at the high end. Other processors: taken as there',
  boost: 'Boost.Context performance page',
  intelIdle: 'Linux intel_idle tables and patches by A. Bityutskiy',
  manual: 'Intel SDM / optimization manual; AMD APM / optimization guide',
  recalled: 'general knowledge of the processor family, no text at hand',
  estimate: 'bracket chosen by the authors: no source found',
} as const;
