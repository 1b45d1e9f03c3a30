import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { CostLevel } from '@rpal/hw-x86';
import { BenchmarkFailure, coreGHzOf, type Phase, RfcBenchmark } from './rfc-benchmark.js';
import { experimentOf, type RfcSettings } from './rfc-settings.js';

/** Messages per phase of the two runs that find the range. By then it has settled who preempts whom on a shared CPU. */
const RANGE_MESSAGES = 20_000;
/** TSC cycles of machine time between two looks at the world: some 20 ms of host time. */
export const SLICE = 50_000_000;

/** Runs a benchmark to its end; each `next` runs some 20 ms and tells how many messages have been received, with those `before`. */
export function* inSlices(benchmark: RfcBenchmark, before: number): Generator<number, void> {
  while (!benchmark.advance(SLICE)) yield before + benchmark.messages;
  yield before + benchmark.messages;
}

/** What a run at one end of the step costs gave. */
export interface RangeRun {
  readonly coreGHz: number;
  readonly phases: readonly { readonly phase: Phase; readonly messages: number; readonly totalCycles: number }[];
}

/** The runs with all step costs at their low and their high ends. */
export interface Range {
  readonly low: RangeRun;
  readonly high: RangeRun;
}

/** Messages per phase of either run of the range. */
export function rangeMessages({ messages }: RfcSettings): number {
  return Math.min(messages, RANGE_MESSAGES);
}

/** The range, step by step: each `next` runs some 20 ms and tells how many messages have been received in all. */
export function* runRange(settings: RfcSettings): Generator<number, Range> {
  const low = yield* runEnd(settings, 'low', 0);
  const high = yield* runEnd(
    settings,
    'high',
    low.phases.reduce((sum, { messages }) => sum + messages, 0),
  );
  return { low, high };
}

function* runEnd(settings: RfcSettings, costs: CostLevel, before: number): Generator<number, RangeRun> {
  const benchmark = new RfcBenchmark(experimentOf(settings, costs, rangeMessages(settings)));
  yield* inSlices(benchmark, before);
  const phases = benchmark.result().phases.map(({ phase, messages, totalCycles }) => ({ phase, messages, totalCycles }));
  return { coreGHz: coreGHzOf(benchmark), phases };
}

/** What the worker tells: how far it is, what came out, or why nothing did. */
export type RangeNews = { readonly messages: number } | { readonly range: Range } | { readonly failure: string };

/** A range that another thread finds out. */
export interface RangeBeside {
  /** Messages received so far. */
  readonly messages: number;
  /** @throws BenchmarkFailure as the run in this thread would */
  readonly range: Promise<Range>;
  /** Ends the thread, finished or not. */
  close(): Promise<void>;
}

/**
 * Begins to find the range on another thread. Null if that is impossible: the program is not built, there is no second core, or there are
 * plugins, which are objects of this thread.
 * @param module the worker's module
 */
export function rangeBeside(settings: RfcSettings, module: URL = new URL('range-worker.js', import.meta.url)): RangeBeside | null {
  if (settings.plugins.length > 0 || availableParallelism() < 2 || !existsSync(fileURLToPath(module))) return null;
  const worker = new Worker(module, { workerData: settings });
  let messages = 0;
  const range = new Promise<Range>((resolve, reject) => {
    worker.on('message', (news: RangeNews) => {
      if ('messages' in news) messages = news.messages;
      else if ('range' in news) resolve(news.range);
      else reject(new BenchmarkFailure(news.failure));
    });
    worker.on('error', reject);
  });
  // The error goes to its waiter; if there is none, because the other run has failed, that failure counts.
  range.catch(() => {});
  return {
    get messages() {
      return messages;
    },
    range,
    async close() {
      await worker.terminate();
    },
  };
}
