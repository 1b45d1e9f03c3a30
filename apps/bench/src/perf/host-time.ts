import { type Phase, type Placement, RfcBenchmark } from '../rfc-benchmark.js';
import { apart } from './apart.js';
import { HeapMeter } from './heap.js';
import { percentile } from './percentile.js';

/** What messages cost the computer at hand. */
export interface HostTime {
  readonly messages: number;
  /** Nanoseconds each, by the clock on the wall, in windows of a millisecond or two. */
  readonly windows: readonly number[];
  /** Bytes of the host's heap that a message takes, garbage that the host will collect; not known of the real kernel. */
  readonly bytes?: number;
  /** Most memory that the model's process has had, megabytes; not known of the real kernel. */
  readonly megabytes?: number;
}

/** Messages before the clock starts: by then the host's engine has compiled what is executed often. */
const WARM_UP = 300_000;
/** Messages beyond the timed ones, more than two slices have. */
const BEYOND = 50_000;
/** TSC cycles of machine time between two looks at how far the warm-up is. */
const SLICE = 50_000_000;
/** TSC cycles of machine time in a window: some hundreds of messages. */
const WINDOW = 4_000_000;
/** Windows in which the heap is read, after those that are timed: what the reading takes of the caches is no message's. */
const HEAP_WINDOWS = 25;

/** Times one phase of the RFC's benchmark. @param warmUp messages before the clock starts */
export function timeModel(phase: Phase, placement: Placement, messages: number, warmUp: number = WARM_UP): HostTime {
  const options = { machine: {}, placement, size: 32, phases: [phase] } as const;
  // More than are timed, so that the end of the programs counts for no message.
  const benchmark = new RfcBenchmark({ ...options, messages: warmUp + messages + BEYOND });
  while (benchmark.messages < warmUp) benchmark.advance(SLICE);
  const before = benchmark.messages;
  const windows: number[] = [];
  while (benchmark.messages < before + messages) {
    const begin = benchmark.messages;
    const began = performance.now();
    benchmark.advance(WINDOW);
    windows.push(((performance.now() - began) * 1e6) / (benchmark.messages - begin));
  }
  const timed = benchmark.messages - before;
  return { messages: timed, windows, bytes: bytesPerMessage(benchmark), megabytes: process.resourceUsage().maxRSS / 1024 };
}

function bytesPerMessage(benchmark: RfcBenchmark): number {
  const meter = new HeapMeter();
  const before = benchmark.messages;
  for (let i = 0; i < HEAP_WINDOWS; i++) {
    meter.begin();
    benchmark.advance(WINDOW);
    meter.end();
  }
  return meter.bytes((benchmark.messages - before) / HEAP_WINDOWS);
}

/** The words that make `perf` a process that times the model once. */
export const TIME_MODEL = 'time-model';

/** Times the model in a process of its own, as a run of the benchmark has one. @param script the `perf` script */
export function timeModelApart(script: string, phase: Phase, placement: Placement, messages: number): HostTime {
  return apart(script, TIME_MODEL, phase, placement, String(messages));
}

/** What an undisturbed message takes, ns: the second percentile of all windows of these runs. */
export function undisturbed(runs: readonly HostTime[]): number {
  return percentile(
    runs.flatMap(({ windows }) => windows),
    0.02,
  );
}
