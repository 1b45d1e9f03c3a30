import type { CpuProfile, Figure } from '../costs/profile.js';
import type { CostStatus } from '../costs/step.js';

/** What a figure says of its source in a bundle that does not carry it. */
export const UNCITED = 'told where the list of profiles is imported';

/** A figure of a profile, on one line. @param source where it comes from; left out where `cite` says it @public for profiles of your own */
export function figure(low: number, central: number, high: number, status: CostStatus, source: string = UNCITED): Figure {
  return { low, central, high, status, source };
}

/** The same in nanoseconds, where the default unit is core cycles. @public for profiles of your own */
export function nanoseconds(
  low: number,
  central: number,
  high: number,
  status: CostStatus,
  source: string = UNCITED,
): Figure & { unit: 'ns' } {
  return { low, central, high, status, source, unit: 'ns' };
}

/** Sources by the place of a figure: keys with dots between them; elements of lists by their names. */
export type FigureSources = Readonly<Record<string, string>>;

/** Writes into a profile where its figures come from. @returns the profile */
export function cite(profile: CpuProfile, sources: FigureSources): CpuProfile {
  for (const [place, source] of Object.entries(sources)) {
    let at: unknown = profile;
    for (const key of place.split('.')) {
      at = Array.isArray(at) ? at.find(({ name }: { name: string }) => name === key) : (at as Record<string, unknown>)[key];
    }
    (at as { source: string }).source = source;
  }
  return profile;
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
  unoptimised: 'one library compiled with and without optimisation, timed on Emerald Rapids: 0.22 cycles per instruction, calls included',
  formatting: 'sprintf and sscanf of a stamp, 2,650 instructions, in 190 ns on a Genoa-class guest at 3.7 GHz (assumed)',
  reload: 'timed on Emerald Rapids, per memory operand: code without optimisation, after a system call',
  codeLine: 'timed on Emerald Rapids: code that 64 KiB of other code have displaced; high end: long straight instructions',
  fromL2:
    'REP MOVSB and REP STOSB of 64 KiB again and again: 14 and 16 bytes per cycle on Emerald Rapids and on Granite Rapids; ends estimated',
  retpoline:
    'Behrens, Belay, Kaashoek, EuroSys 2022 (recalled): 21 cycles on Ice Lake clients to 50 on servers; 31 timed on Granite Rapids, less an indirect call',
  verw: 'Behrens, Belay, Kaashoek, EuroSys 2022 (recalled): 458 to 610 cycles on Broadwell to Cascade Lake',
  boost: 'Boost.Context performance page',
  intelIdle: 'Linux intel_idle tables and patches by A. Bityutskiy',
  guestWake:
    'HLT leaves to the hypervisor, which schedules the CPU again; round trips of 42 us in an Emerald Rapids guest lie at the centre',
  guestKick: 'the interrupt command leaves to the hypervisor: a VM exit, and there the wake-up of a thread',
  manual: 'Intel SDM / optimization manual; AMD APM / optimization guide',
  recalled: 'general knowledge of the processor family, no text at hand',
  estimate: 'bracket chosen by the authors: no source found',
} as const;
