import { type Curves, type Experiment, type ExperimentOptions, type ExperimentRow, verdicts } from '@rpal/compare';
import { COST_STATUSES } from '@rpal/hw-x86';
import { z } from 'zod';

/** An experiment that has been run. */
export interface Run {
  readonly experiment: Experiment;
  readonly rows: readonly ExperimentRow[];
  readonly curves: readonly Curves[];
}

/** Runs an experiment. */
export function runOf(experiment: Experiment, options: ExperimentOptions): Run {
  const outcome = experiment.run(options);
  return { experiment, rows: verdicts(experiment, outcome), curves: outcome.curves ?? [] };
}

const value = z.union([z.number(), z.string()]);

/** An experiment in JSON. */
export const experimentJson = z.strictObject({
  name: z.string(),
  title: z.string(),
  rows: z.array(
    z.strictObject({
      id: z.string(),
      what: z.string(),
      published: value.describe('a figure, or a law in words'),
      unit: z.string().nullable().describe('null for a law'),
      within: z.number().nullable().describe('allowed distance as a share of the published figure; null: none'),
      source: z.string(),
      status: z.enum(COST_STATUSES),
      here: value,
      ratio: z.number().nullable().describe('here over published'),
      verdict: z.enum(['holds', 'misses', 'open']),
      why: z.string().describe('reason of a miss'),
    }),
  ),
  curves: z.array(
    z.strictObject({
      title: z.string(),
      over: z.string(),
      names: z.array(z.string()),
      points: z.array(z.strictObject({ at: z.number(), values: z.array(z.number().nullable()) })),
    }),
  ),
  left: z.array(z.string()).describe('what of the published experiment is not done here'),
});

/** What has been run, as `experimentJson` has it. */
export function experimentData({ experiment: { name, title, left }, rows, curves }: Run): z.infer<typeof experimentJson> {
  return {
    name,
    title,
    rows: rows.map(({ published, here, ratio, verdict, why }) => ({
      id: published.id,
      what: published.what,
      published: published.value,
      unit: published.kind === 'figure' ? published.unit : null,
      within: published.kind === 'figure' ? published.within : null,
      source: published.source,
      status: published.status,
      here,
      ratio,
      verdict,
      why,
    })),
    curves: curves.map(({ points, names, ...curve }) => ({
      ...curve,
      names: [...names],
      points: points.map(({ at, values }) => ({ at, values: [...values] })),
    })),
    left: [...left],
  };
}
