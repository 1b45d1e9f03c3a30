import { textTable } from '../report/text-table.js';
import { DEFAULT_PLACEMENT } from '../rfc-benchmark.js';
import { type Computer, computerText } from './computer.js';
import { type HostTime, undisturbed } from './host-time.js';
import type { MicroResult } from './micro.js';
import { percentile } from './percentile.js';

/** Measurements of the two phases in the model. */
export interface PhaseTimes {
  readonly epoll: HostTime[];
  readonly rpal: HostTime[];
}

/** All that was measured. */
export interface PerfResult {
  /** Before the first measurement, and after the last one. */
  readonly computer: readonly [Computer, Computer];
  /** Why there is nothing to compare with; null if there is. */
  readonly absent: string | null;
  readonly compiler: string | null;
  readonly real: readonly HostTime[];
  /** With both processes on one CPU, as those of the real kernel are. */
  readonly oneCpu: PhaseTimes;
  /** Where the benchmark puts them unless told otherwise. */
  readonly asRun: PhaseTimes;
  /** Nanoseconds per message of the epoll phase, by length of the run. */
  readonly byLength: readonly { readonly messages: number; readonly ns: number }[];
  /** Most memory that the process has had. */
  readonly peakMegabytes: number;
}

/** What the project promises on every computer. */
export const BOUNDS = {
  megabytes: 300,
  /** Most that a message costs at one length of run, as a multiple of the cheapest. */
  flatness: 1.25,
} as const;

/** What it aims at. These depend on a computer's caches and load as well, so they are reported and not failed. */
export const AIMS = {
  /** The model's round trips per second, as a multiple of the real kernel's: at least. */
  ratio: 5,
  /** Host time of a message in the RPAL phase, as a multiple of one in the epoll phase, where the benchmark puts them: at most. */
  rpal: 1,
} as const;

/** The figures that have bounds or aims. */
export function figures({ absent, real, oneCpu, asRun, byLength, peakMegabytes }: PerfResult): {
  readonly ratio: number | null;
  readonly rpal: number;
  readonly rpalOnOneCpu: number;
  readonly megabytes: number;
  readonly flatness: number;
} {
  const costs = byLength.map(({ ns }) => ns);
  return {
    ratio: absent === null ? undisturbed(real) / undisturbed(oneCpu.epoll) : null,
    rpal: undisturbed(asRun.rpal) / undisturbed(asRun.epoll),
    rpalOnOneCpu: undisturbed(oneCpu.rpal) / undisturbed(oneCpu.epoll),
    megabytes: peakMegabytes,
    flatness: Math.max(...costs) / Math.min(...costs),
  };
}

/** The bounds that were missed, one sentence each. */
export function missedBounds(result: PerfResult): readonly string[] {
  const { megabytes, flatness } = figures(result);
  const missed: string[] = [];
  if (megabytes >= BOUNDS.megabytes) missed.push(`${megabytes.toFixed(0)} MB; the bound is ${BOUNDS.megabytes}`);
  if (flatness > BOUNDS.flatness) missed.push(`a message costs ${flatness.toFixed(2)} times as much at one length of run as at another`);
  return missed;
}

/** The aims that this computer does not reach, one sentence each. */
export function missedAims(result: PerfResult): readonly string[] {
  const { ratio, rpal } = figures(result);
  const missed: string[] = [];
  if (ratio !== null && ratio < AIMS.ratio) missed.push(`${ratio.toFixed(1)} times the real kernel; the aim is ${AIMS.ratio}`);
  if (rpal > AIMS.rpal)
    missed.push(`the RPAL phase takes ${rpal.toFixed(2)} times the host time of the epoll phase; the aim is ${AIMS.rpal}`);
  return missed;
}

/** For people. */
export function renderPerf(result: PerfResult): string {
  const { computer, absent, compiler, real, oneCpu, asRun, byLength, peakMegabytes } = result;
  const { ratio, rpal, rpalOnOneCpu } = figures(result);
  const row = (name: string, times: readonly HostTime[]): string[] => {
    const windows = times.flatMap((time) => time.windows);
    const least = undisturbed(times);
    const bytes = times.flatMap((time) => time.bytes ?? []);
    const heap = bytes.length === 0 ? '' : percentile(bytes, 0.5).toFixed(0);
    return [name, (1e9 / least).toFixed(0), least.toFixed(0), percentile(windows, 0.5).toFixed(0), `${windows.length}`, heap];
  };
  const rows = [
    row('model, epoll phase, one CPU', oneCpu.epoll),
    row('model, RPAL phase, one CPU', oneCpu.rpal),
    row(`model, epoll phase, ${DEFAULT_PLACEMENT}`, asRun.epoll),
    row(`model, RPAL phase, ${DEFAULT_PLACEMENT}`, asRun.rpal),
  ];
  if (absent === null) rows.unshift(row(`real kernel, epoll, one CPU (${compiler})`, real));
  const lines = [
    textTable(['second percentiles of windows', 'round trips/s', 'ns each', 'median', 'windows', 'bytes'], rows),
    '',
    computerText(...computer),
    ratio === null
      ? `No comparison with the real kernel: ${absent}.`
      : `The model runs the epoll phase ${ratio.toFixed(1)} times as fast as the real kernel does; both were measured in turn, ${real.length} times.`,
    `As the benchmark is run (${DEFAULT_PLACEMENT}), the RPAL phase takes ${rpal.toFixed(2)} times the host time of the epoll phase; on one CPU, ${rpalOnOneCpu.toFixed(2)} times.`,
    `Peak memory: ${peakMegabytes.toFixed(0)} MB. A message takes the bytes in the last column of the host's heap, which collects them.`,
    `Time per message by length of run: ${byLength.map(({ messages, ns }) => `${messages}: ${ns.toFixed(0)} ns`).join(', ')}.`,
    ...missedAims(result).map((what) => `Not reached here: ${what}.`),
    ...missedBounds(result).map((what) => `Bound missed: ${what}.`),
  ];
  return `${lines.join('\n')}\n`;
}

/** An operation allocates nothing where that has been measured. How fast it is depends on the computer: that is reported. */
export function keepsBounds({ bytes = 0 }: MicroResult): boolean {
  return bytes < 1;
}

/** Single operations, for people. @param operations the first is the plain loop that the others are compared with */
export function renderMicro(operations: readonly MicroResult[]): string {
  const rows = operations.map((one) => [
    one.name,
    one.ns.toFixed(1),
    (one.ns / (operations[0] as MicroResult).ns).toFixed(0),
    `${one.aim}`,
    one.bytes === undefined ? '' : one.bytes.toFixed(2),
    one.ns < one.aim && keepsBounds(one) ? 'kept' : 'missed',
  ]);
  return `${textTable(['operation', 'ns each', 'x plain loop', 'aim in ns', 'heap bytes each', ''], rows)}\n`;
}
