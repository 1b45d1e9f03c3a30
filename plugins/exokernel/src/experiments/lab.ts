import type { ExperimentOptions, PublishedFigure } from '@rpal/compare';
import { type CpuProfile, defaultProfile, figure } from '@rpal/hw-x86';
import { ExokernelError } from '../errors.js';
import type { Environment } from '../kernel/environment.js';
import { Exokernel } from '../kernel/exokernel.js';

const WARM_UP = 8;
const ROUNDS = 32;

/** An exokernel for an experiment: slices are long enough not to end in it. */
export function exokernelFor(profile: CpuProfile, { costs, seed }: ExperimentOptions): Exokernel {
  return new Exokernel({ profile, costs, seed, slice: 1e7 });
}

/** Runs to the end. @throws ExokernelError RUN_FAILED if the program that is awaited has not ended */
export function finish(os: Exokernel, awaited: Environment): void {
  os.run(1e5);
  if (!awaited.dead || awaited.faulted) throw new ExokernelError('RUN_FAILED', `${awaited.name} has not ended as it should`);
}

/** Cycles of one of many executions of `body`, after some to warm up: TSC cycles, which are core cycles of the machines here. */
export function* each(os: Exokernel, body: () => Generator<void, unknown>): Generator<void, number> {
  for (let i = 0; i < WARM_UP; i++) yield* body();
  const start = os.core.cpu.clock;
  for (let i = 0; i < ROUNDS; i++) yield* body();
  return (os.core.cpu.clock - start) / ROUNDS;
}

/** The RFC's server with its clock at the TSC's, so that what is read is core cycles, and one core that works. @param ghz its clock */
export function today(ghz: number = defaultProfile.clock.tscGHz): CpuProfile {
  return {
    ...defaultProfile,
    name: `ice-lake-at-${Math.round(ghz * 1000)}`,
    topology: { ...defaultProfile.topology, sockets: 1, coresPerSocket: 1, coresPerCache: 1, threadsPerCore: 1, memoryPerSocket: 1 },
    clock: { ...defaultProfile.clock, tscGHz: ghz, coreGHz: figure(ghz, ghz, ghz, 'derived', 'no turbo: cycles are what is asked for') },
  };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Names and clocks of the paper's machines, in the order of `decstations`. */
export const NAMES = ['2100', '3100', '5000'] as const;
export const MHZ = [12.5, 16.67, 25] as const;

const source = "Engler, Kaashoek, O'Toole, Exokernel, SOSP 1995";

/** A published time as cycles of its machine. */
export function inCycles(
  id: string,
  what: string,
  microseconds: number,
  mhz: number,
  how: 'published' | 'recalled',
  within: number | null,
): PublishedFigure {
  return {
    kind: 'figure',
    id,
    what,
    value: Math.round(microseconds * mhz * 10) / 10,
    unit: 'cycles',
    within,
    source: `${source}, ${microseconds} us at ${mhz} MHz${how === 'published' ? ', via public notes' : ''}`,
    status: how,
  };
}

/** A published ratio. */
export function times(id: string, what: string, value: number, how: 'published' | 'recalled', within: number | null): PublishedFigure {
  return { kind: 'figure', id, what, value, unit: 'times', within, source, status: how };
}

/** Something that was published beside the figures. */
export const published = { source, status: 'published' } as const;
