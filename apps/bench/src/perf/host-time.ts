import { spawnSync } from 'node:child_process';
import { type Phase, type Placement, RfcBenchmark } from '../rfc-benchmark.js';

/** What a message cost the computer at hand, nanoseconds: by the clock on the wall, and of CPU time. */
export interface HostTime {
  readonly messages: number;
  readonly elapsed: number;
  readonly cpu: number;
  /** Most memory that the model's process has had, megabytes; not known of the real kernel. */
  readonly megabytes?: number;
}

/** Messages before the clock starts: by then the host's engine has compiled what is executed often. */
const WARM_UP = 300_000;
/** Messages beyond the timed ones, more than two slices have. */
const BEYOND = 50_000;
/** TSC cycles of machine time between two looks at how far the run is. */
const SLICE = 50_000_000;

/** Times one phase of the RFC's benchmark. */
export function timeModel(phase: Phase, placement: Placement, messages: number): HostTime {
  const options = { machine: {}, placement, size: 32, phases: [phase] } as const;
  // More than are timed: what the end of the programs takes is no message's.
  const benchmark = new RfcBenchmark({ ...options, messages: WARM_UP + messages + BEYOND });
  while (benchmark.messages < WARM_UP) benchmark.advance(SLICE);
  const before = benchmark.messages;
  const cpu = process.cpuUsage();
  const began = performance.now();
  while (benchmark.messages < before + messages) benchmark.advance(SLICE);
  const elapsed = (performance.now() - began) * 1e6;
  const { user, system } = process.cpuUsage(cpu);
  const timed = benchmark.messages - before;
  const megabytes = process.resourceUsage().maxRSS / 1024;
  return { messages: timed, elapsed: elapsed / timed, cpu: ((user + system) * 1e3) / timed, megabytes };
}

/** The words that make `perf` a process that times the model once. */
export const TIME_MODEL = 'time-model';

/**
 * Times the model in a process of its own, as a run of the benchmark has one: what an engine has seen of one phase makes
 * it slower in the other.
 * @param script the `perf` script
 */
export function timeModelApart(script: string, phase: Phase, placement: Placement, messages: number): HostTime {
  const args = [script, TIME_MODEL, phase, placement, String(messages)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the model failed in the ${phase} phase: ${stderr.trim() || `exit code ${status}`}`);
  return JSON.parse(stdout) as HostTime;
}

/** The middle one, or the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
