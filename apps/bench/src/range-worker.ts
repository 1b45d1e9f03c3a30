import './host-engine.js';
import { parentPort, workerData } from 'node:worker_threads';
import { BenchmarkFailure } from './rfc-benchmark.js';
import { type RangeNews, runRange } from './rfc-range.js';
import type { RfcSettings } from './rfc-settings.js';

/** Finds a range on a thread of its own: see `rangeBeside`. */
function work(settings: RfcSettings, tell: (news: RangeNews) => void): void {
  const run = runRange(settings);
  try {
    let step = run.next();
    for (; step.done !== true; step = run.next()) tell({ messages: step.value });
    tell({ range: step.value });
  } catch (error) {
    if (!(error instanceof BenchmarkFailure)) throw error;
    tell({ failure: error.message });
  }
}

work(workerData as RfcSettings, (news) => parentPort?.postMessage(news));
