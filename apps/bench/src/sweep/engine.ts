import { existsSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../usage.js';
import type { Point } from './spec.js';
import work, { type Outcome, type Task } from './worker.js';

/** What runs points. */
export interface Engine {
  run(task: Task): Promise<readonly Outcome[]>;
  close(): Promise<void>;
}

/** In this thread. */
export const here: Engine = {
  async run(task) {
    await breathe();
    return await work(task);
  },
  async close() {},
};

/** On worker threads. @throws UsageError if the program is not built */
export async function threads(jobs: number): Promise<Engine> {
  const filename = fileURLToPath(new URL('worker.js', import.meta.url));
  if (!existsSync(filename)) throw new UsageError('worker threads are there once the program is built; --jobs 1 works without');
  const { default: Tinypool } = await import('tinypool');
  const pool = new Tinypool({ filename, minThreads: jobs, maxThreads: jobs, concurrentTasksPerWorker: 1 });
  return {
    run: (task) => pool.run(task) as Promise<readonly Outcome[]>,
    close: () => pool.destroy(),
  };
}

/** Time that a task takes at least, so that handing it over does not count, ms. */
const TASK = 1000;
/** Of the estimate of the time per point: how much the last task counts. */
const WEIGHT = 0.3;

/** Receives a sweep's progress. */
export interface Listener {
  /** Outcomes of some points, in the same order. */
  done(points: readonly Point[], outcomes: readonly Outcome[]): void;
  /** Asked before each task. */
  readonly stopped: boolean;
}

/**
 * Hands points out to `jobs` workers until all are done. Tasks grow until one takes a second; how they are cut has no influence on
 * results.
 */
export async function runPoints(
  points: readonly Point[],
  { experiment, directory }: Omit<Task, 'points'>,
  engine: Engine,
  jobs: number,
  listener: Listener,
): Promise<void> {
  let next = 0;
  /** Of one point, ms; unknown at first. */
  let each = Number.NaN;
  async function worker(): Promise<void> {
    while (next < points.length && !listener.stopped) {
      const wanted = Number.isNaN(each) ? 1 : Math.max(1, Math.round(TASK / each));
      // Towards the end no worker should have much left while others are idle.
      const fair = Math.ceil((points.length - next) / (2 * jobs));
      const own = points.slice(next, next + Math.min(wanted, fair));
      next += own.length;
      const began = performance.now();
      const outcomes = await engine.run({ experiment, directory, points: own.map(({ settings }) => settings) });
      const took = (performance.now() - began) / own.length;
      each = Number.isNaN(each) ? took : (1 - WEIGHT) * each + WEIGHT * took;
      listener.done(own, outcomes);
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker));
}
