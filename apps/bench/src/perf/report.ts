import { textTable } from '../report/text-table.js';
import { DEFAULT_PLACEMENT } from '../rfc-benchmark.js';
import { type HostTime, median } from './host-time.js';
import type { MicroResult } from './micro.js';

/** Measurements of the two phases in the model. */
export interface PhaseTimes {
  readonly epoll: HostTime[];
  readonly rpal: HostTime[];
}

/** All that was measured. */
export interface PerfResult {
  readonly node: string;
  /** Why there is nothing to compare with; null if there is. */
  readonly absent: string | null;
  readonly compiler: string | null;
  readonly real: readonly HostTime[];
  /** With both processes on one CPU, as those of the real kernel are. */
  readonly oneCpu: PhaseTimes;
  /** Where the benchmark puts them unless told otherwise. */
  readonly asRun: PhaseTimes;
  /** Nanoseconds of CPU time per message of the epoll phase, by length of the run. */
  readonly byLength: readonly { readonly messages: number; readonly cpu: number }[];
  /** Most memory that the process has had. */
  readonly peakMegabytes: number;
}

/** What the project promises. */
export const BOUNDS = {
  /** The model's round trips per second, as a multiple of the real kernel's: at least. */
  ratio: 5,
  /** Host time of a message in the RPAL phase, as a multiple of one in the epoll phase, where the benchmark puts them: at most. */
  rpal: 1,
  megabytes: 300,
  /** Dearest length of run, as a multiple of the cheapest: at most. */
  flatness: 1.25,
} as const;

const middle = (times: readonly HostTime[], kind: 'elapsed' | 'cpu'): number => median(times.map((time) => time[kind]));

/** The figures that have bounds, from the medians of CPU time: other programs on the computer disturb these least. */
export function figures({ absent, real, oneCpu, asRun, byLength, peakMegabytes }: PerfResult): {
  readonly ratio: number | null;
  readonly rpal: number;
  readonly rpalOnOneCpu: number;
  readonly megabytes: number;
  readonly flatness: number;
} {
  const costs = byLength.map(({ cpu }) => cpu);
  return {
    ratio: absent === null ? middle(real, 'cpu') / middle(oneCpu.epoll, 'cpu') : null,
    rpal: middle(asRun.rpal, 'cpu') / middle(asRun.epoll, 'cpu'),
    rpalOnOneCpu: middle(oneCpu.rpal, 'cpu') / middle(oneCpu.epoll, 'cpu'),
    megabytes: peakMegabytes,
    flatness: Math.max(...costs) / Math.min(...costs),
  };
}

/** The bounds that this computer missed, one sentence each. */
export function missedBounds(result: PerfResult): readonly string[] {
  const { ratio, rpal, megabytes, flatness } = figures(result);
  const missed: string[] = [];
  if (ratio !== null && ratio < BOUNDS.ratio) missed.push(`${ratio.toFixed(1)} times the real kernel; the bound is ${BOUNDS.ratio}`);
  if (rpal > BOUNDS.rpal) missed.push(`the RPAL phase takes ${rpal.toFixed(2)} times the host time of the epoll phase`);
  if (megabytes >= BOUNDS.megabytes) missed.push(`${megabytes.toFixed(0)} MB; the bound is ${BOUNDS.megabytes}`);
  if (flatness > BOUNDS.flatness) missed.push(`a message costs ${flatness.toFixed(2)} times as much at one length of run as at another`);
  return missed;
}

/** For people. */
export function renderPerf(result: PerfResult): string {
  const { absent, compiler, real, oneCpu, asRun, byLength, peakMegabytes } = result;
  const { ratio, rpal, rpalOnOneCpu } = figures(result);
  const row = (name: string, times: readonly HostTime[]): string[] => [
    name,
    (1e9 / middle(times, 'elapsed')).toFixed(0),
    middle(times, 'elapsed').toFixed(0),
    middle(times, 'cpu').toFixed(0),
  ];
  const rows = [
    row('model, epoll phase, one CPU', oneCpu.epoll),
    row('model, RPAL phase, one CPU', oneCpu.rpal),
    row(`model, epoll phase, ${DEFAULT_PLACEMENT}`, asRun.epoll),
    row(`model, RPAL phase, ${DEFAULT_PLACEMENT}`, asRun.rpal),
  ];
  if (absent === null) rows.unshift(row(`real kernel, epoll, one CPU (${compiler})`, real));
  const lines = [
    textTable(['medians', 'round trips/s', 'ns each', 'ns of CPU time each'], rows),
    '',
    ratio === null
      ? `No comparison with the real kernel: ${absent}.`
      : `The model runs the epoll phase ${ratio.toFixed(1)} times as fast as the real kernel does (medians of ${real.length}, by CPU time).`,
    `As the benchmark is run (${DEFAULT_PLACEMENT}), the RPAL phase takes ${rpal.toFixed(2)} times the host time of the epoll phase; on one CPU, ${rpalOnOneCpu.toFixed(2)} times.`,
    `Peak memory: ${peakMegabytes.toFixed(0)} MB.`,
    `CPU time per message by length of run: ${byLength.map(({ messages, cpu }) => `${messages}: ${cpu.toFixed(0)} ns`).join(', ')}.`,
    ...missedBounds(result).map((what) => `Bound missed: ${what}.`),
  ];
  return `${lines.join('\n')}\n`;
}

/** An operation is as fast as it has to be, and allocates nothing where that has been measured. */
export function keepsBounds({ ns, bound, bytes = 0 }: MicroResult): boolean {
  return ns < bound && bytes < 1;
}

/** Single operations, for people. @param operations the first is the plain loop that the others are compared with */
export function renderMicro(operations: readonly MicroResult[]): string {
  const rows = operations.map((one) => [
    one.name,
    one.ns.toFixed(1),
    (one.ns / (operations[0] as MicroResult).ns).toFixed(0),
    `${one.bound}`,
    one.bytes === undefined ? '' : one.bytes.toFixed(2),
    keepsBounds(one) ? 'kept' : 'missed',
  ]);
  return `${textTable(['operation', 'ns each', 'x plain loop', 'bound in ns', 'heap bytes each', ''], rows)}\n`;
}
