import { existsSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { UsageError } from '../usage.js';
import type { Point } from './spec.js';
import { type Outcome, type Ran, runTask, type Task } from './task.js';

/** What runs points. */
export interface Engine {
  /** Rejects if what ran the task is gone; a point that fails is an outcome. */
  run(task: Task): Promise<Ran>;
  /** Ends what it is at. */
  close(): Promise<void>;
}

/** In this thread. */
export const here: Engine = {
  async run(task) {
    await breathe();
    return await runTask(task);
  },
  async close() {},
};

/** On worker threads, as many as it is given tasks at a time. @throws UsageError if the program is not built */
export function threads(): Engine {
  const filename = fileURLToPath(new URL('sweep-thread.js', import.meta.url));
  if (!existsSync(filename)) throw new UsageError('worker threads are there once the program is built; --jobs 1 works without');
  const all = new Set<Worker>();
  const idle: Worker[] = [];
  function begin(): Worker {
    const thread = new Worker(filename);
    all.add(thread);
    thread.once('exit', () => all.delete(thread));
    return thread;
  }
  return {
    run: (task) =>
      new Promise((resolve, reject) => {
        const thread = idle.pop() ?? begin();
        // What a plugin does may end the thread instead.
        const ended = (code: number): void => reject(new Error(`the thread that ran it has ended with exit code ${code}`));
        thread.once('error', reject).once('exit', ended);
        thread.once('message', (ran: Ran) => {
          thread.off('error', reject).off('exit', ended);
          idle.push(thread);
          resolve(ran);
        });
        thread.postMessage(task);
      }),
    async close() {
      await Promise.all([...all].map((thread) => thread.terminate()));
    },
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
  /** When it is aborted, what is running is not waited for. */
  readonly signal: AbortSignal;
}

/**
 * Hands points out, `atATime` tasks of them at a time, until all are done. Tasks grow until one takes a second; how they are cut has no
 * influence on results.
 */
export async function runPoints(
  points: readonly Point[],
  { experiment, directory }: Omit<Task, 'points'>,
  engine: Engine,
  atATime: number,
  listener: Listener,
): Promise<void> {
  const { signal } = listener;
  const aborted = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener('abort', () => resolve(null));
  });
  let next = 0;
  /** Of one point, ms; unknown at first. */
  let each = Number.NaN;

  /** @returns null if it is not waited for any longer */
  async function run(own: readonly Point[]): Promise<readonly Outcome[] | null> {
    try {
      const ran = await Promise.race([engine.run({ experiment, directory, points: own.map(({ settings }) => settings) }), aborted]);
      if (ran === null) return null;
      const took = ran.took / own.length;
      each = Number.isNaN(each) ? took : (1 - WEIGHT) * each + WEIGHT * took;
      return ran.outcomes;
    } catch (error) {
      // One of them has ended the thread or the process that ran them: which one?
      if (own.length === 1) return [{ error: error instanceof Error ? error.message : String(error) }];
      const outcomes: Outcome[] = [];
      for (const point of own) {
        const alone = await run([point]);
        if (alone === null) return null;
        outcomes.push(...alone);
      }
      return outcomes;
    }
  }
  async function handOut(): Promise<void> {
    while (next < points.length && !listener.stopped && !signal.aborted) {
      const wanted = Number.isNaN(each) ? 1 : Math.max(1, Math.round(TASK / each));
      // Towards the end no worker should have much left while others are idle.
      const fair = Math.ceil((points.length - next) / (2 * atATime));
      const own = points.slice(next, next + Math.min(wanted, fair));
      next += own.length;
      const outcomes = await run(own);
      if (outcomes !== null) listener.done(own, outcomes);
    }
  }
  await Promise.all(Array.from({ length: Math.min(atATime, points.length) }, handOut));
}
