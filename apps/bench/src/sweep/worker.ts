import '../host-engine.js';
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

/** Runs points one after the other. A point that fails does not end the others. */
export default async function work({ experiment, points, directory }: Task): Promise<readonly Outcome[]> {
  const { run } = experimentNamed(experiment);
  const outcomes: Outcome[] = [];
  for (const settings of points) {
    try {
      outcomes.push({ figures: await run(settings, directory) });
    } catch (error) {
      outcomes.push({ error: error instanceof Error ? error.message : String(error) });
    }
  }
  return outcomes;
}
