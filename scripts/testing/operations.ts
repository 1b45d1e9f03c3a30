import { type Profiler, Session } from 'node:inspector';

/** Counts operations from `start` to `stop`. */
export interface OperationCounter {
  start(): void;
  /** @returns operations since `start` */
  stop(): number;
}

/**
 * Measures work where time would depend on what else the computer does: counts how often blocks of this project's code are executed
 * (bodies of functions and loops, branches). The same run gives the same number but for some per cent, for V8 stops counting in parts of
 * what it compiles; most at the first run. What V8 does by itself, such as moving the elements of an array, is not counted, nor code that
 * was loaded before: import what is measured meanwhile, in a file `*.operations.test.ts`, which has a process of its own.
 */
export async function countOperations<T>(measure: (counter: OperationCounter) => Promise<T>): Promise<T> {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  try {
    return await measure({ start: () => void executedBlocks(session), stop: () => executedBlocks(session) });
  } finally {
    session.post('Profiler.stopPreciseCoverage');
    session.disconnect();
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
