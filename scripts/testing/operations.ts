import { type Profiler, Session } from 'node:inspector';
import { setFlagsFromString } from 'node:v8';

/** Counts operations from `start` to `stop`. */
export interface OperationCounter {
  start(): void;
  /** @returns operations since `start` */
  stop(): number;
}

/**
 * Measures work where time would depend on what else the computer does: counts how often blocks of this project's code are executed
 * (bodies of functions and loops, branches). The same run gives the same number. In what V8's optimizing compiler makes, it counts only
 * now and then; so that compiler is off meanwhile, and runs are slow. What V8 does by itself, such as moving the elements of an array,
 * is not counted, nor code that was loaded before: import what is measured meanwhile, in a file `*.operations.test.ts`, which has a
 * process of its own.
 */
export async function countOperations<T>(measure: (counter: OperationCounter) => Promise<T>): Promise<T> {
  setFlagsFromString('--no-opt');
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  try {
    return await measure({ start: () => void executedBlocks(session), stop: () => executedBlocks(session) });
  } finally {
    session.post('Profiler.stopPreciseCoverage');
    session.disconnect();
    setFlagsFromString('--opt');
  }
}

/** Blocks executed since the last time. */
function executedBlocks(session: Session): number {
  let scripts: readonly Profiler.ScriptCoverage[] = [];
  session.post('Profiler.takePreciseCoverage', (error, coverage) => {
    if (error !== null) throw error;
    scripts = coverage.result;
  });
  let sum = 0;
  for (const { url, functions } of scripts) {
    if (!/\/(packages|plugins|apps)\/[^/]+\/src\//.test(url)) continue;
    for (const { ranges } of functions) for (const { count } of ranges) sum += count;
  }
  return sum;
}
