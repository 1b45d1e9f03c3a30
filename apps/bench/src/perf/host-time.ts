import { type Phase, RfcBenchmark } from '../rfc-benchmark.js';

/** What a message cost the computer at hand, nanoseconds: by the clock on the wall, and of CPU time. */
export interface HostTime {
  readonly messages: number;
  readonly elapsed: number;
  readonly cpu: number;
}

/** TSC cycles of machine time between two looks for the first message: building and connecting do not count. */
const SLICE = 1_000_000;

/** Times one phase of the RFC's benchmark with both processes on one CPU, from its first message on. */
export function timeModel(phase: Phase, messages: number): HostTime {
  const benchmark = new RfcBenchmark({ machine: {}, placement: 'same-cpu', messages, size: 32, phases: [phase] });
  let ended = false;
  while (benchmark.messages === 0) ended = benchmark.advance(SLICE);
  const before = benchmark.messages;
  const cpu = process.cpuUsage();
  const began = performance.now();
  if (!ended) benchmark.advance();
  const elapsed = (performance.now() - began) * 1e6;
  const { user, system } = process.cpuUsage(cpu);
  const timed = Math.max(1, benchmark.messages - before);
  return { messages: timed, elapsed: elapsed / timed, cpu: ((user + system) * 1e3) / timed };
}

/** The middle one, or the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
