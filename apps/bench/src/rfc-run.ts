import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises';
import type { Watcher } from './progress.js';
import { whole } from './report/numbers.js';
import { type RfcReport, reportOf } from './report/rfc-report.js';
import { BenchmarkFailure, RfcBenchmark } from './rfc-benchmark.js';
import { conditionMessages, placesOf, runConditions } from './rfc-conditions.js';
import { type Range, type RangeBeside, rangeBeside, rangeMessages, runRange, SLICE } from './rfc-range.js';
import { experimentOf, type RfcSettings } from './rfc-settings.js';

/**
 * Runs the benchmark, and shorter under every condition that the RFC leaves open, and with all step costs at their low and their high ends: these on
 * another core meanwhile, if there is one. The result is the same.
 * @param beside who begins with the range on another core; null if nobody
 * @throws BenchmarkFailure if a message came back changed or its steps did not add up
 */
export async function runRfc(
  settings: RfcSettings,
  watcher: Watcher,
  beside: (settings: RfcSettings) => RangeBeside | null = rangeBeside,
): Promise<RfcReport> {
  const ofConditions = placesOf(settings.profile, settings.idle).length * conditionMessages(settings);
  const all = settings.phases.length * (settings.messages + 2 * rangeMessages(settings) + ofConditions);
  const other = beside(settings);
  try {
    const benchmark = new RfcBenchmark(experimentOf(settings));
    while (!benchmark.advance(SLICE)) {
      watcher.show(
        `${whole(benchmark.messages)} of ${whole(settings.phases.length * settings.messages)} messages`,
        benchmark.messages + (other?.messages ?? 0),
        all,
      );
      await breathe();
      if (watcher.interrupted) benchmark.stop();
    }
    const conditions = await here(runConditions(settings), watcher, 'the conditions', benchmark.messages + (other?.messages ?? 0), all);
    const done = benchmark.messages + settings.phases.length * ofConditions;
    const range = await (other === null ? here(runRange(settings), watcher, RANGE, done, all) : rangeThere(other, watcher, done, all));
    const report = reportOf(settings, benchmark, { range, conditions });
    for (const { phase, unbalanced, messages, totalCycles, forward } of report.phases) {
      if (unbalanced !== 0 || forward.totalCycles !== totalCycles) {
        throw new BenchmarkFailure(
          `the ${phase} phase's steps do not add up for ${unbalanced} of ${messages} messages: a defect of the model`,
        );
      }
    }
    return report;
  } finally {
    await other?.close();
  }
}

/** Runs to the end in this thread what tells how many messages have been received. @returns undefined if interrupted */
async function here<T>(run: Generator<number, T>, watcher: Watcher, phase: string, done: number, all: number): Promise<T | undefined> {
  while (!watcher.interrupted) {
    const step = run.next();
    if (step.done === true) return step.value;
    watcher.show(phase, done + step.value, all);
    await breathe();
  }
  return undefined;
}

/** What is done behind the run itself. */
const RANGE = 'the range of the step costs';

/** How often the other thread is asked how far it is, ms. */
const LOOK = 20;

/** Waits for the range from another thread. @returns undefined if interrupted */
async function rangeThere(other: RangeBeside, watcher: Watcher, done: number, all: number): Promise<Range | undefined> {
  while (!watcher.interrupted) {
    const range = await Promise.race([other.range, sleep(LOOK, undefined)]);
    watcher.show(RANGE, done + other.messages, all);
    if (range !== undefined) return range;
  }
  return undefined;
}
