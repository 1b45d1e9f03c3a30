import { setImmediate as breathe } from 'node:timers/promises';
import type { CostLevel } from '@rpal/hw-x86';
import { coreGHzOf, type RangeRun, type RfcReport, reportOf } from './report/rfc-report.js';
import { BenchmarkFailure, RfcBenchmark } from './rfc-benchmark.js';
import { experimentOf, type RfcSettings } from './rfc-settings.js';

/** Messages per phase of the two runs that find the range. By then it has settled who preempts whom on a shared CPU. */
export const RANGE_MESSAGES = 20_000;
/** TSC cycles of machine time between two looks at the world: some 20 ms of host time. */
const SLICE = 50_000_000;

/** How a run is watched and ended from outside. */
export interface Watcher {
  /** Messages received, of all that will be. */
  progress(done: number, all: number): void;
  readonly interrupted: boolean;
}

/**
 * Runs the benchmark, then twice more, shorter, with all step costs at their low and their high ends.
 * @throws BenchmarkFailure if a message came back changed or its steps did not add up
 */
export async function runRfc(settings: RfcSettings, watcher: Watcher): Promise<RfcReport> {
  const rangeMessages = Math.min(settings.messages, RANGE_MESSAGES);
  const phases = settings.phases.length;
  const all = phases * (settings.messages + 2 * rangeMessages);
  const benchmark = new RfcBenchmark(experimentOf(settings));
  await advance(benchmark, watcher, 0, all);
  const low = await end('low', phases * settings.messages);
  const high = await end('high', phases * (settings.messages + rangeMessages));
  const range = low === undefined || high === undefined ? undefined : { low, high };
  const report = reportOf(settings, benchmark, range, range !== undefined);
  for (const { phase, unbalanced, messages, totalCycles, forward } of report.phases) {
    if (unbalanced !== 0 || forward.totalCycles !== totalCycles) {
      throw new BenchmarkFailure(
        `the ${phase} phase's steps do not add up for ${unbalanced} of ${messages} messages: a defect of the model`,
      );
    }
  }
  return report;

  async function end(costs: CostLevel, done: number): Promise<RangeRun | undefined> {
    if (watcher.interrupted) return undefined;
    const run = new RfcBenchmark(experimentOf(settings, costs, rangeMessages));
    const finished = await advance(run, watcher, done, all);
    return finished ? { result: run.result(), coreGHz: coreGHzOf(run) } : undefined;
  }
}

/** @returns whether all messages went */
async function advance(benchmark: RfcBenchmark, watcher: Watcher, done: number, all: number): Promise<boolean> {
  while (!benchmark.advance(SLICE)) {
    watcher.progress(done + benchmark.messages, all);
    await breathe();
    if (watcher.interrupted) benchmark.stop();
  }
  watcher.progress(done + benchmark.messages, all);
  return benchmark.result().complete;
}
