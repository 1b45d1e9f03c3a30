import { experimentNamed, type Figures } from './experiments.js';
import type { Settings } from './parameters.js';

/** What a worker is given: some points of one experiment. */
export interface Task {
  readonly experiment: string;
  readonly points: readonly Settings[];
  /** Where plugins are looked for. */
  readonly directory: string;
}

/** The outcome of one point. */
export type Outcome = { readonly figures: Figures } | { readonly error: string };

/** What became of a task. */
export interface Ran {
  /** Of its points, in their order. */
  readonly outcomes: readonly Outcome[];
  /** Host's time, ms. */
  readonly took: number;
}

/** Runs points one after the other. A point that fails does not end the others. */
export async function runTask({ experiment, points, directory }: Task): Promise<Ran> {
  const began = performance.now();
  const { run } = experimentNamed(experiment);
  const outcomes: Outcome[] = [];
  for (const settings of points) {
    try {
      outcomes.push({ figures: await run(settings, directory) });
    } catch (error) {
      outcomes.push({ error: error instanceof Error ? error.message : String(error) });
    }
  }
  return { outcomes, took: performance.now() - began };
}
